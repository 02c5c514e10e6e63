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
    std::map<std::string, ConfigValue> values;
    values.emplace("epochs", ConfigValue::of(std::int64_t{20}));
    values.emplace("rate", ConfigValue::scalar("1e-3"));
    values.emplace("freeze", ConfigValue::of(true));
    values.emplace("loss", ConfigValue::scalar("mse"));
    values.emplace("limit", ConfigValue::null());
    values.emplace("net", ConfigValue::list({ConfigValue::scalar("flatten"), ConfigValue::scalar("relu")}));
    const Params params(std::move(values));
    CHECK(params.integer("epochs") == 20);
    CHECK(params.number("epochs") == 20.0);
    CHECK(params.number("rate") == 0.001);
    CHECK(params.boolean("freeze"));
    CHECK(params.text("loss") == "mse");
    CHECK(params.network("net").layer_names() == std::vector<std::string>{"flatten_1", "relu_1"});
    CHECK(params.given("epochs"));
    CHECK_FALSE(params.given("limit"));
    CHECK(params.value("limit").is_null());
    CHECK_FALSE(params.given("patience"));
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
