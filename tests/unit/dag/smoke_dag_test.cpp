#include "pipeline/dag/smoke_dag.h"

#include <catch2/catch.hpp>

#include "pipeline/dag/type_inference.h"
#include "tests/support/small_dag.h"
#include "tests/support/typed_params.h"

using namespace satdl;

namespace {

// What a smoke run makes of this value; "null" where it is null.
std::string in_smoke(const ParamDescription& param, const ConfigValue& value) {
    CatalogEntry entry;
    entry.description.params = {param};
    Dag dag;
    Node& node = dag.nodes.emplace_back();
    node.stage = &entry;
    node.params = Params({{param.name, test::typed(param, value)}});
    return for_smoke(dag).nodes[0].params.value(param.name).canonical();
}

ParamDescription between(std::optional<double> min, std::optional<double> max) {
    return {.name = "n", .type = ParamType::Integer, .fallback = "null", .smoke_min = min, .smoke_max = max};
}

}  // namespace

TEST_CASE("a smoke run brings numbers within the bounds of their descriptions") {
    CHECK(in_smoke(between({}, 128), ConfigValue::of(std::int64_t{60000})) == "128");
    CHECK(in_smoke(between({}, 128), ConfigValue::of(std::int64_t{128})) == "128");
    CHECK(in_smoke(between({}, 128), ConfigValue::of(std::int64_t{20})) == "20");
    CHECK(in_smoke(between(1024, {}), ConfigValue::of(std::int64_t{32})) == "1024");
    CHECK(in_smoke(between(1024, {}), ConfigValue::of(std::int64_t{4096})) == "4096");
    CHECK(in_smoke(between(2, 5), ConfigValue::of(std::int64_t{1})) == "2");
    CHECK(in_smoke(between(2, 5), ConfigValue::of(std::int64_t{6})) == "5");
    CHECK(in_smoke({.name = "warmup_epochs", .type = ParamType::Number, .smoke_max = 0}, ConfigValue::of(2.5)) == "0");
}

TEST_CASE("in a smoke run a limit that was left out is the greatest") {
    CHECK(in_smoke(between({}, 128), ConfigValue()) == "128");
    CHECK(in_smoke(between(1024, {}), ConfigValue()) == "null");
}

TEST_CASE("a smoke run leaves all other parameters as they are") {
    CHECK(in_smoke(between({}, {}), ConfigValue::of(std::int64_t{60000})) == "60000");
    CHECK(in_smoke(between({}, {}), ConfigValue()) == "null");
    CHECK(in_smoke({.name = "net", .type = ParamType::Network}, ConfigValue::list({ConfigValue::of_text("flatten")})) ==
          R"([{"flatten":{},"name":"flatten_1"}])");
}

TEST_CASE("in a smoke run the types of the edges follow the parameters that were cut") {
    Dag dag = build("stages:\n  a: {kind: load, dataset: mnist}\n  b: {kind: normalise, in: {images: a.images}}\n");
    CHECK(describe(*dag.types[1].find("images")) == "float32 [60000, 1, 28, 28]");
    CatalogEntry load = *dag.nodes[0].stage;
    load.description.params[2].smoke_max = 128;
    dag.nodes[0].stage = &load;
    const Dag smoke = for_smoke(dag);
    CHECK(smoke.nodes[0].params.integer("limit") == 128);
    CHECK(describe(*smoke.types[1].find("images")) == "float32 [128, 1, 28, 28]");
}
