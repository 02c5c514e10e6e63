#include "pipeline/stage.h"

#include <catch2/catch.hpp>

using namespace satdl;

TEST_CASE("ports and parameters of a description are found by name") {
    StageDescription description;
    description.inputs = {{.name = "x"}, {.name = "target"}};
    description.outputs = {{.name = "model", .kind = PortKind::Model}};
    description.params = {{.name = "epochs", .type = ParamType::Integer}};
    CHECK(description.input("target") == &description.inputs[1]);
    CHECK(description.input("model") == nullptr);
    CHECK(description.output("model")->kind == PortKind::Model);
    CHECK(description.param("epochs")->type == ParamType::Integer);
    CHECK(description.param("epoch") == nullptr);
}

TEST_CASE("parameters are read by their type") {
    const auto net = std::make_shared<const Network>(Network{{{"first", Flatten{}, {}}, {"second", Activate{}, {}}}});
    const Params params({{"epochs", 20}, {"rate", 1e-3}, {"freeze", true}, {"loss", "mse"}, {"limit", ParamValue()},
                         {"weights", std::vector<double>{1, 2.5}}, {"net", net}});
    CHECK(params.integer("epochs") == 20);
    CHECK(params.number("epochs") == 20.0);
    CHECK(params.number("rate") == 0.001);
    CHECK(params.boolean("freeze"));
    CHECK(params.text("loss") == "mse");
    CHECK(params.numbers("weights") == std::vector<double>{1, 2.5});
    CHECK(&params.network("net") == net.get());
    CHECK(params.given("epochs"));
    CHECK_FALSE(params.given("limit"));
    CHECK(params.value("limit").is_null());
    CHECK_FALSE(params.given("patience"));
}

TEST_CASE("a parameter's value has one canonical text, and another for people only where it is text") {
    CHECK(ParamValue().canonical() == "null");
    CHECK(ParamValue(20).canonical() == "20");
    CHECK(ParamValue(0.4).canonical() == "0.4");
    CHECK(ParamValue(2.0).canonical() == "2");
    CHECK(ParamValue(true).canonical() == "true");
    CHECK(ParamValue("7").canonical() == "\"7\"");
    CHECK(ParamValue(std::vector<double>{1, 2.5}).canonical() == "[1,2.5]");
    CHECK(ParamValue(std::make_shared<const Network>(Network{{{"a", Flatten{}, {}}}})).canonical() == R"([{"flatten":{},"name":"a"}])");
    CHECK(ParamValue("7").text() == "7");
    CHECK(ParamValue(0.4).text() == "0.4");
    CHECK(ParamValue().text() == "null");
}

TEST_CASE("a condition is met by one of its values, or by any but null, false and 0") {
    const Params params({{"optimiser", "sgd"}, {"momentum", 0.9}, {"none", ParamValue()}, {"no", false}, {"yes", true}, {"zero", 0}, {"empty", 0.0}});
    const auto is_met = [&](std::string param, std::vector<std::string> values = {}) {
        return ParamDescription::Condition{std::move(param), std::move(values)}.is_met(params);
    };
    CHECK(is_met("optimiser", {"adam", "sgd"}));
    CHECK_FALSE(is_met("optimiser", {"adam"}));
    CHECK(is_met("momentum", {"0.9"}));
    CHECK(is_met("yes", {"true"}));
    for (const char* param : {"optimiser", "momentum", "yes"}) CHECK(is_met(param));
    for (const char* param : {"none", "no", "zero", "empty"}) CHECK_FALSE(is_met(param));
}

TEST_CASE("names within an output are paths in HDF5") {
    using namespace std::string_literals;
    const auto fault = [](PortKind kind, const std::vector<std::string>& names) {
        NamedArrays arrays;
        for (const std::string& name : names) arrays.emplace(name, Array());
        return fault_of_names("out", kind, arrays).value_or("");
    };
    CHECK(fault(PortKind::Array, {""}).empty());
    CHECK(fault(PortKind::Model, {"architecture", "conv_1.weight"}).empty());
    CHECK(fault(PortKind::Metrics, {"train/loss", "train/accuracy", "val/loss", "..."}).empty());
    CHECK(fault(PortKind::Metrics, {}).empty());
    CHECK(fault(PortKind::Array, {"a"}) == "output 'out' must be one array without a name");
    CHECK(fault(PortKind::Array, {}) == "output 'out' must be one array without a name");
    CHECK(fault(PortKind::Model, {""}) == "output 'out' is a model, in which every array has a name");
    for (const std::string& name : {"/a"s, "a/"s, "a//b"s, "."s, "a/./b"s, ".."s, "../a"s, "nul\0byte"s})
        CHECK(fault(PortKind::Model, {name}).ends_with("of output 'out' cannot be a name in HDF5"));
    CHECK(fault(PortKind::Metrics, {"loss", "loss/train"}) ==
          "'loss' and 'loss/train' of output 'out' cannot both be names in HDF5: one would be the other's folder");
}

TEST_CASE("kinds of parameters and ports have the names that manifests use") {
    CHECK(name_of(ParamType::Network) == "network");
    CHECK(name_of(ParamType::Threads) == "threads");
    CHECK(name_of(ParamType::Precision) == "precision");
    CHECK(name_of(Precision::Bf16) == "bf16");
    CHECK(name_of(ParamType::Device) == "device");
    CHECK(name_of(Device::Cuda) == "cuda");
    CHECK(name_of(Device::Cpu) == "cpu");
    CHECK(name_of(PortKind::Array) == "array");
    CHECK(name_of(PortKind::History) == "history");
}
