// What a parameter contributes to a key, written down to the letter: stores made before must be reused, so none of this may change.
#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/dag_file/dag_source.h"
#include "pipeline/plan/stage_key.h"
#include "pipeline/yaml/yaml_parser.h"

using namespace satdl;

namespace {

constexpr const char* kRefused = "refused";

// The part of the key that parameter `param`, written as `yaml` in a DAG file, makes; kRefused if the file is refused.
std::string in_key(ParamDescription param, const std::string& yaml) {
    param.name = std::string("p");
    StageDescription stage{.kind = "stage", .help = "h", .params = {param}};
    LibraryManifest manifest;
    manifest.library = "libsome_stages.so";
    manifest.stages = {stage};
    Catalog catalog;
    catalog.add(manifest);
    const std::string text = "stages:\n  s:\n    kind: stage\n    p: " + yaml + "\n";
    try {
        const DagSource source("a.yaml", parse_yaml(std::make_shared<const SourceText>(SourceText{"a.yaml", text})));
        const Dag dag = source.build({}, catalog, DatasetIndex({}));
        for (const KeyPart& part : recipe_of(dag, dag.nodes[0], 1, Machine{}, {}, {}))
            if (part.name == "param p") return part.value;
    } catch (const Error&) {
        return kRefused;
    }
    return "not in the key";
}

struct Line {
    const char* yaml;
    const char* canonical;
};

void check(const ParamDescription& param, const std::vector<Line>& table) {
    for (const auto& [yaml, canonical] : table) {
        INFO(name_of(param.type) << " written as " << yaml);
        CHECK(in_key(param, yaml) == canonical);
    }
}

}  // namespace

TEST_CASE("the canonical text of integers, numbers and booleans is what it always was") {
    check({.type = ParamType::Integer, .fallback = "null"},
          {{"20", "20"}, {"-3", "-3"}, {"0", "0"}, {"-0", "0"}, {"9223372036854775807", "9223372036854775807"},
           {"-9223372036854775808", "-9223372036854775808"}, {"null", "null"}, {"~", "null"}, {"2.0", kRefused}, {"\"20\"", kRefused},
           {"020", kRefused}, {"1e3", kRefused}, {"9223372036854775808", kRefused}});
    check({.type = ParamType::Number, .fallback = "null"},
          {{"0.40", "0.4"}, {"4e-1", "0.4"}, {"0.4", "0.4"}, {"1", "1"}, {"1.0", "1"}, {"1e0", "1"}, {"100000", "100000"}, {"-0.0", "0"}, {"-0", "0"},
           {"1e-7", "1e-07"}, {"0.0000001", "1e-07"}, {"1e22", "1e+22"}, {"123456789.125", "123456789.125"}, {"0.1", "0.1"},
           {"0.30000000000000004", "0.30000000000000004"}, {"9007199254740993", "9007199254740992"}, {"99999999999999999999", "1e+20"},
           {"5e-324", "5e-324"}, {"1.7976931348623157e308", "1.7976931348623157e+308"}, {"null", "null"}, {"1e400", kRefused}, {"1e-400", kRefused},
           {".4", kRefused}, {"nan", kRefused}, {"\"0.4\"", kRefused}});
    check({.type = ParamType::Boolean, .fallback = "null"},
          {{"true", "true"}, {"false", "false"}, {"null", "null"}, {"\"true\"", kRefused}, {"yes", kRefused}});
}

TEST_CASE("the canonical text of texts and choices is what it always was: in quotes, whatever they look like") {
    check({.type = ParamType::Text, .fallback = "null"},
          {{"mse", "\"mse\""}, {"07", "\"07\""}, {"7", "\"7\""}, {"1e3", "\"1e3\""}, {"true", "\"true\""}, {"\"null\"", "\"null\""}, {"null", "null"},
           {"\"\"", "\"\""}, {"'say \"hi\" \\ there'", "\"say \\\"hi\\\" \\\\ there\""}, {"\"a\\nb\\tc\"", "\"a\\u000ab\\u0009c\""},
           {"\"\xC3\xA9\"", "\"\xC3\xA9\""}, {"[a]", kRefused}});
    check({.type = ParamType::Choice, .choices = {"mse", "1", "true"}},
          {{"mse", "\"mse\""}, {"1", "\"1\""}, {"\"1\"", "\"1\""}, {"true", "\"true\""}, {"mae", kRefused}});
}

TEST_CASE("the canonical text of lists of numbers is what it always was") {
    check({.type = ParamType::Numbers, .fallback = "null", .choices = {"balanced"}},
          {{"[1, 2.50, 1e2, 4e-1, -0.0]", "[1,2.5,100,0.4,0]"}, {"[]", "[]"}, {"[0.1]", "[0.1]"}, {"balanced", "\"balanced\""}, {"null", "null"},
           {"[9007199254740992]", "[9007199254740992]"}, {"[1, a]", kRefused}, {"[[1]]", kRefused}, {"5", kRefused}});
}

TEST_CASE("the canonical text of networks is what it always was: every option of every layer, all layers named") {
    const ParamDescription net{.type = ParamType::Network, .fallback = "null"};
    check(net, {{"null", "null"}, {"[dance]", kRefused}});
    CHECK(in_key(net,
                 "[{conv: 32, kernel: 5, stride: 2, padding: valid, bias: false, activation: leaky_relu, name: first}, {conv: {filters: 8}}, batch_norm, "
                 "{batch_norm: {momentum: 0.90, epsilon: 1e-5}}, max_pool, {average_pool: 3, stride: 1}, {upsample: 2}, flatten, "
                 "{unflatten: {channels: 2, height: 3, width: 4}}, {dropout: 0.50}, relu, {leaky_relu: 1e-1}, sigmoid, tanh, "
                 "{repeat: 2, layers: [{dense: 10, bias: true}, softmax]}]") ==
          R"([{"conv":{"activation":"leaky_relu","bias":false,"filters":32,"kernel":5,"padding":"valid","stride":2},"name":"first"},)"
          R"({"conv":{"activation":"none","bias":true,"filters":8,"kernel":3,"padding":"same","stride":1},"name":"conv_2"},)"
          R"({"batch_norm":{"epsilon":0.001,"momentum":0.99},"name":"batch_norm_1"},)"
          R"({"batch_norm":{"epsilon":1e-05,"momentum":0.9},"name":"batch_norm_2"},{"max_pool":{"size":2,"stride":2},"name":"max_pool_1"},)"
          R"({"average_pool":{"size":3,"stride":1},"name":"average_pool_1"},{"name":"upsample_1","upsample":{"factor":2}},)"
          R"({"flatten":{},"name":"flatten_1"},{"name":"unflatten_1","unflatten":{"channels":2,"height":3,"width":4}},)"
          R"({"dropout":{"rate":0.5},"name":"dropout_1"},{"name":"relu_1","relu":{}},{"leaky_relu":{"negative_slope":0.1},"name":"leaky_relu_1"},)"
          R"({"name":"sigmoid_1","sigmoid":{}},{"name":"tanh_1","tanh":{}},{"dense":{"activation":"none","bias":true,"units":10},"name":"dense_1"},)"
          R"({"name":"softmax_1","softmax":{}},{"dense":{"activation":"none","bias":true,"units":10},"name":"dense_2"},)"
          R"({"name":"softmax_2","softmax":{}}])");
}

TEST_CASE("threads, precision, device and parameters that do not change results are not in the key as parameters") {
    CHECK(in_key({.type = ParamType::Threads}, "2") == "not in the key");
    CHECK(in_key({.type = ParamType::Precision}, "fp32") == "not in the key");
    CHECK(in_key({.type = ParamType::Device}, "cpu") == "not in the key");
    CHECK(in_key({.type = ParamType::Integer, .changes_result = false}, "2") == "not in the key");
}
