// Which array of a file is which tensor of a network.
#include "pipeline/network/weight_match.h"

#include <catch2/catch.hpp>

#include "pipeline/network/layer_kinds.h"

namespace satdl {
namespace {

using Arrays = std::map<std::string, ArrayType>;

ArrayType floats(Shape shape) {
    return {DType::Float32, std::move(shape)};
}

Network dense_norm_dense() {
    return {{{"a", Dense{.units = 4}, {}},
             {"norm", BatchNorm{}, {}},
             {"relu_1", Activate{}, {}},
             {"b", Dense{.units = 2, .bias = false}, {}}}};
}

Arrays in_file(const std::string& a, const std::string& norm, const std::string& b) {
    Arrays arrays{{a + ".weight", floats({4, 3})}, {a + ".bias", floats({4})}, {b + ".weight", floats({2, 4})}};
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"}) arrays.emplace(norm + part, floats({4}));
    arrays.emplace(norm + ".num_batches_tracked", ArrayType{DType::Int64, {}});
    return arrays;
}

}  // namespace

TEST_CASE("each tensor of a network has the array of its name, or of what the file calls its layer") {
    const WeightMatch same = match_weights(dense_norm_dense(), {3}, in_file("a", "norm", "b"), "");
    CHECK(same.misfits.empty());
    CHECK(same.arrays.size() == 7);
    CHECK(same.arrays.at("norm.running_var") == "norm.running_var");
    const WeightMatch named =
        match_weights(dense_norm_dense(), {3}, in_file("a", "body.9", "body.10"), " norm=body.9,b = body.10 ");
    CHECK(named.misfits.empty());
    CHECK(named.arrays.at("b.weight") == "body.10.weight");
}

TEST_CASE("layers of a file come in the order of their numbers") {
    CHECK(fitting_names(dense_norm_dense(), {3}, in_file("body.2", "body.9", "body.10")) ==
          "a=body.2, norm=body.9, b=body.10");
    CHECK(fitting_names(dense_norm_dense(), {3}, in_file("body.10", "body.2", "body.9")).empty());
    CHECK(fitting_names(dense_norm_dense(), {5}, in_file("body.2", "body.9", "body.10")).empty());
    const auto layers = layers_of({{"b10.w", {}}, {"b9.w", {}}, {"b.w", {}}, {"alone", {}}});
    std::vector<std::string> names;
    for (const FileLayer& layer : layers) names.push_back(layer.name);
    CHECK(names == std::vector<std::string>{"", "b", "b9", "b10"});
}

TEST_CASE("every array that is missing, too many or of another type is named") {
    Arrays arrays = in_file("a", "norm", "b");
    arrays.erase("a.bias");
    arrays["b.weight"] = floats({4, 2});
    arrays["norm.bias"].dtype = DType::Float64;
    arrays["c.weight"] = floats({1});
    std::vector<std::string> texts;
    for (const WeightMisfit& misfit : match_weights(dense_norm_dense(), {3}, arrays, "").misfits)
        texts.push_back(misfit.text);
    CHECK(texts ==
          std::vector<std::string>{"the file's 'norm.bias' is float64 [4], but the network's norm.bias is float32 [4]",
                                   "the file's 'b.weight' is float32 [4, 2], but the network's b.weight is float32 [2, 4]",
                                   "the file has no 'a.bias'", "the network has no tensor for the file's 'c.weight'"});
}

}  // namespace satdl
