// The stages that need no LibTorch.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "stage_test.h"
#include "stages/model_arrays.h"
#include "stages/random.h"
#include "stages/stages.h"

using namespace satdl;
using namespace satdl::stages;
using Catch::Matchers::Contains;

namespace {

Array images_of(const StageOutput& outcome) { return outcome.outputs.at("images").at(""); }

SourceFile source(const std::string& role, const std::string& bytes, DType dtype, Shape shape) {
    const auto path = std::filesystem::temp_directory_path() / ("satdl_" + std::to_string(::getpid()) + "_" + role);
    std::ofstream(path, std::ios::binary) << bytes;
    return {.role = role,
            .path = path,
            .dtype = dtype,
            .shape = std::move(shape),
            .expected = {},
            .dataset = "tiny",
            .place = {}};
}

}  // namespace

TEST_CASE("normalise divides bytes and floats, with any number of threads") {
    const StageInputs bytes{{"images", port(array<std::uint8_t>({2, 2}, {0, 51, 102, 255}))}};
    const Array result = images_of(run(normalise_stage(), bytes, {{"scale", "255"}}));
    CHECK(result.shape() == Shape{2, 2});
    CHECK(values_of<float>(result) == std::vector<float>{0, 51 / 255.0f, 102 / 255.0f, 1});
    const StageInputs floats{{"images", port(array<float>({3}, {1, 2, -3}))}};
    CHECK(values_of<float>(images_of(run(normalise_stage(), floats, {{"scale", "2"}}))) ==
          std::vector<float>{0.5f, 1, -1.5f});

    std::vector<std::uint8_t> many(1'000'003);
    for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::uint8_t>(i * 7);
    const StageInputs large{{"images", port(array<std::uint8_t>({1'000'003}, many))}};
    CHECK(bytes_of(run(normalise_stage(), large, {}, 1)) == bytes_of(run(normalise_stage(), large, {}, 5)));
}

TEST_CASE("concat puts the second array's samples after the first's, whatever their type, and refuses what does not fit") {
    const auto joined = [](Array first, Array second) {
        const StageInputs inputs{{"first", port(std::move(first))}, {"second", port(std::move(second))}};
        return run(concat_stage(), inputs, {}).outputs.at("data").at("");
    };
    const Array bytes = joined(array<std::uint8_t>({1, 2}, {1, 2}), array<std::uint8_t>({2, 2}, {3, 4, 5, 6}));
    CHECK(bytes.shape() == Shape{3, 2});
    CHECK(values_of<std::uint8_t>(bytes) == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6});
    CHECK(values_of<float>(joined(array<float>({0}, {}), array<float>({1}, {7}))) == std::vector<float>{7});
    CHECK_THROWS_WITH(joined(array<float>({1}, {1}), array<std::uint8_t>({1}, {1})), Contains("cannot concatenate"));
    CHECK_THROWS_WITH(joined(array<float>({1, 2}, {1, 2}), array<float>({1, 3}, {1, 2, 3})), Contains("cannot concatenate"));
    CHECK_THROWS_WITH(joined(array<float>({}, {1}), array<float>({}, {1})), Contains("cannot concatenate"));
}

TEST_CASE("add_noise adds the stream's normal numbers and clips") {
    const std::vector<float> x(100'001, 0.5f);
    const StageInputs inputs{{"images", port(array<float>({100'001}, x))}};
    const auto result =
        values_of<float>(images_of(run(add_noise_stage(), inputs, {{"noise_factor", "0.1"}, {"seed", "7"}})));
    const Stream stream(7, Purpose::Noise, 0, word_of(""));
    CHECK(result[0] == static_cast<float>(0.5 + 0.1 * stream.normal_pair(0)[0]));
    CHECK(result[99'999] == static_cast<float>(0.5 + 0.1 * stream.normal_pair(49'999)[1]));
    CHECK(result[100'000] == static_cast<float>(0.5 + 0.1 * stream.normal_pair(50'000)[0]));
    double sum = 0, squares = 0;
    for (const float value : result) sum += value, squares += (value - 0.5) * (value - 0.5);
    CHECK(sum / 100'001 == Approx(0.5).margin(0.0015));
    CHECK(std::sqrt(squares / 100'001) == Approx(0.1).margin(0.001));

    const auto clipped = values_of<float>(images_of(run(add_noise_stage(), inputs, {{"noise_factor", "100"}})));
    CHECK(*std::ranges::min_element(clipped) == 0);
    CHECK(*std::ranges::max_element(clipped) == 1);
}

TEST_CASE("noise does not depend on threads, but on seed and stream") {
    const StageInputs inputs{{"images", port(array<float>({50'001}, std::vector<float>(50'001, 0.5f)))}};
    const auto noise = [&](const std::map<std::string, std::string>& params, int threads) {
        return bytes_of(run(add_noise_stage(), inputs, params, threads));
    };
    const auto one = noise({{"seed", "1"}}, 1);
    CHECK(one == noise({{"seed", "1"}}, 3));
    CHECK(one != noise({{"seed", "2"}}, 1));
    CHECK(one != noise({{"seed", "1"}, {"stream", "test"}}, 1));
}

TEST_CASE("load gives images the shape that the manifest promises, and at most `limit` of them") {
    const std::string images_header{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2};
    const std::string labels_header{0, 0, 8, 1, 0, 0, 0, 3};
    const StageEntry stage = load_stage();
    TestContext context(stage.description, {{"dataset", "tiny"}, {"limit", "2"}});
    context.files_ = {source("images", images_header + "abcdef", DType::UInt8, {3, 1, 1, 2}),
                      source("labels", labels_header + "xyz", DType::UInt8, {3})};
    const StageOutput outcome = stage.run({}, context);
    CHECK(images_of(outcome).shape() == Shape{2, 1, 1, 2});
    CHECK(values_of<std::uint8_t>(images_of(outcome)) == std::vector<std::uint8_t>{'a', 'b', 'c', 'd'});
    CHECK(values_of<std::uint8_t>(outcome.outputs.at("labels").at("")) == std::vector<std::uint8_t>{'x', 'y'});

    context.files_[0].shape = {3, 1, 2, 2};
    CHECK_THROWS_WITH(stage.run({}, context), Contains("its manifest says uint8 [3, 1, 2, 2]"));
    context.files_[0].shape = {3, 1, 2, 1};
    CHECK(images_of(stage.run({}, context)).shape() == Shape{2, 1, 2, 1});
    context.files_[0].shape = {2, 3};
    CHECK_THROWS_WITH(stage.run({}, context), Contains("its manifest says uint8 [2, 3]") && Contains("data/tiny.yaml"));
    context.files_.pop_back();
    context.files_[0].shape = {3, 1, 1, 2};
    CHECK_THROWS_WITH(stage.run({}, context), Contains("no labels in this split"));
}

TEST_CASE("load refuses splits without samples, and images beside the labels of others") {
    const std::string three{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2}, none{0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2};
    const std::string labels_header{0, 0, 8, 1, 0, 0, 0, 2};
    const StageEntry stage = load_stage();
    TestContext context(stage.description, {{"dataset", "tiny"}});
    context.files_ = {source("images", three + "abcdef", DType::UInt8, {3, 1, 1, 2}),
                      source("labels", labels_header + "xy", DType::UInt8, {2})};
    CHECK_THROWS_WITH(stage.run({}, context), Contains("images holds 3 images") && Contains("labels holds 2 labels") &&
                                                  Contains("check the split in the manifest"));
    context.files_[0] = source("images", none, DType::UInt8, {0, 1, 1, 2});
    CHECK_THROWS_WITH(stage.run({}, context), Contains("images has no samples") && Contains("fetch the file again"));
}

TEST_CASE("read takes .npy and .h5 by their names, IDX otherwise, and at most `limit` entries") {
    const std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n";
    const std::string npy = "\x93NUMPY" + std::string{1, 0, static_cast<char>(header.size()), 0} + header + "ab";
    const StageEntry stage = read_stage();
    TestContext context(stage.description, {{"file", "x"}});
    context.files_ = {source("mine.npy", npy, DType::UInt8, {})};
    CHECK(values_of<std::uint8_t>(stage.run({}, context).outputs.at("data").at("")) == std::vector<std::uint8_t>{'a', 'b'});
    context.files_ = {source("mine", std::string{0, 0, 8, 1, 0, 0, 0, 1} + "q", DType::UInt8, {})};
    CHECK(values_of<std::uint8_t>(stage.run({}, context).outputs.at("data").at("")) == std::vector<std::uint8_t>{'q'});
    TestContext limited(stage.description, {{"file", "x"}, {"limit", "1"}});
    limited.files_ = {source("mine.npy", npy, DType::UInt8, {})};
    CHECK(values_of<std::uint8_t>(stage.run({}, limited).outputs.at("data").at("")) == std::vector<std::uint8_t>{'a'});
    TestContext chosen(stage.description, {{"file", "x"}, {"array", "group/data"}});
    chosen.files_ = limited.files_;
    CHECK_THROWS_WITH(stage.run({}, chosen), Contains("'array' selects an array of an HDF5 file") && Contains("remove it"));
    chosen.files_ = {source("mine.h5", npy, DType::UInt8, {})};
    CHECK_THROWS_WITH(stage.run({}, chosen), Contains("mine.h5") && Contains("is it a complete HDF5 file"));
}

TEST_CASE("a model survives its way through a port") {
    const Model model{
        network_of("[{conv: 2, kernel: 3, name: first}, relu, {batch_norm: {momentum: 0.9}}, flatten, {dense: 4}]"),
        {1, 5, 5},
        {{"first.weight", array<float>({1}, {3})}}};
    const Model back = model_from(to_group(model));
    CHECK(back.network == model.network);
    CHECK(back.input == model.input);
    CHECK(values_of<float>(back.weights.at("first.weight")) == std::vector<float>{3});
    CHECK(back.weights.size() == 1);
    CHECK_THROWS_WITH(model_from({}), Contains("not a model"));
    CHECK_THROWS_WITH(model_from({{"architecture", array<std::uint8_t>({1}, {'x'})}}), Contains("not a model"));
}

TEST_CASE("every stage describes itself completely") {
    std::set<std::string> kinds;
    for (const StageEntry& stage : {load_stage(), read_stage(), normalise_stage(), add_noise_stage(), concat_stage(),
                                    split_stage(), train_stage(), fine_tune_stage(), features_stage(), evaluate_stage(), compare_stage()}) {
        INFO(stage.description.kind);
        CHECK(kinds.insert(stage.description.kind).second);
        CHECK(stage.run != nullptr);
        CHECK(!stage.description.help.empty());
        CHECK(!stage.description.outputs.empty());
        std::set<std::string> names;
        for (const ParamDescription& param : stage.description.params) {
            INFO(param.name);
            CHECK(names.insert(param.name).second);
            CHECK(!param.help.empty());
            if (param.type == ParamType::Choice) CHECK(!param.choices.empty());
            else if (param.type != ParamType::Numbers) CHECK(param.choices.empty());  // a list of numbers, or a word for one
        }
        CHECK(stage.description.numeric == (stage.description.param("threads") != nullptr));
    }
}
