#include "pipeline/catalog/catalog.h"

#include <catch2/catch.hpp>

#include "pipeline/catalog/stage_rules.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::TempFolder;
namespace fs = std::filesystem;

namespace {

fs::path written(const TempFolder& folder, const char* name, const std::string& text) {
    test::write_text(folder.path() / name, text);
    return folder.path() / name;
}

// Uses every field of every description.
StageLibraryInfo everything() {
    StageDescription stage{.kind = "fine_tune", .version = 3, .help = "trains \"on\"", .numeric = true};
    stage.inputs = {
        {.name = "base", .kind = PortKind::Model, .help = "where it starts"},
        {.name = "x", .dtypes = {DType::Float32, DType::UInt8}, .shape = "[N, ...S]", .role = PortRole::Images},
        {.name = "val_x", .dtypes = {DType::Float64}, .dtype_of = "x", .shape = "[M, ...S]", .optional = true},
    };
    stage.outputs = {
        {.name = "model", .kind = PortKind::Model, .model = PortDescription::ModelRule{"net", "x", "base", "until", "freeze"}},
        {.name = "copy", .dtype_of = "x", .shape = "network(base, x, until)", .role = PortRole::NoisyImages},
        {.name = "history", .kind = PortKind::History},
        {.name = "metrics",
         .kind = PortKind::Metrics,
         .metrics = PortDescription::MetricsRule{.names = {"best_epoch"}, .if_connected = {{"val_x", "gap"}}, .of_loss = true,
                                                 .training = true, .validation = "val_x", .fraction = "rate",
                                                 .also_under = {"best/"}, .pairs = {{"best_epoch", "gap"}}}},
    };
    stage.params = {
        {.name = "net", .type = ParamType::Network},
        {.name = "until", .type = ParamType::Text, .fallback = "null", .label_of = {"base", "x"}},
        {.name = "loss", .type = ParamType::Choice, .fallback = "mse", .choices = {"mse", "cross_entropy"}},
        {.name = "rate",
         .type = ParamType::Number,
         .fallback = "1e-3",
         .min = 1e-12,
         .max = 0.1,
         .unit = "per step",
         .help = "h",
         .needs = {{"loss", {"mse"}}, {"until", {}}},
         .excludes = {"val_x", "until"},
         .below = "rate",
         .metric_of = {"metrics", "history"},
         .smoke_min = 1e-6,
         .smoke_max = 0.01},
        {.name = "threads", .type = ParamType::Threads, .fallback = "auto", .changes_result = false},
        {.name = "held_out",
         .type = ParamType::Number,
         .fallback = "0",
         .row_fraction = ParamDescription::RowFraction{.of = "x", .rounded_up = true}},
        {.name = "later", .fallback = "null", .in_key_at_default = false},
        {.name = "precision", .type = ParamType::Precision, .fallback = "fp32"},
        {.name = "epochs",
         .type = ParamType::Integer,
         .fallback = "1",
         .at_most_rows_of = "x",
         .continues = true,
         .continues_unless = {{"loss", {"mse"}}}},
        {.name = "device", .type = ParamType::Device, .fallback = "cpu"},
        {.name = "freeze", .type = ParamType::Boolean, .fallback = "false"},
        {.name = "weights", .type = ParamType::Numbers, .fallback = "null"},
    };
    stage.loss = LossRule{.loss = "loss", .model = "model", .target = "x", .validation_target = "val_x", .class_weights = "weights"};
    stage.memory_fixed_bytes = 123456789012;
    stage.memory_per_input_byte = 0.1;
    stage.memory_per_output_byte = 3;
    stage.batch_size = "epochs";
    StageDescription load{.kind = "load", .help = "reads"};
    load.params = {{.name = "dataset", .type = ParamType::Dataset}, {.name = "split"}};
    load.outputs = {{.name = "images", .shape = "dataset(images)"}};
    return {"mine", {{"libtorch", "2.13.0+cpu"}, {"onednn", "3"}}, {{stage, nullptr}, {load, nullptr}}};
}

std::string refused(const std::string& json) {
    const TempFolder folder;
    try {
        (void)read_manifest(written(folder, "lib.json", json));
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Store);
        CHECK(std::string(error.what()).find("lib.json") != std::string::npos);
        return error.what();
    }
    return "";
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    const auto at = text.find(what);
    REQUIRE(at != std::string::npos);
    return text.replace(at, what.size(), with);
}

std::optional<std::string> fault_with(const PortDescription& output) {
    StageDescription stage = everything().stages[0].description;
    stage.outputs.push_back(output);
    return fault_of(stage);
}

}  // namespace

TEST_CASE("a manifest says everything that the library said") {
    const TempFolder folder;
    const StageLibraryInfo info = everything();
    const LibraryManifest read = read_manifest(written(folder, "libmine_stages.json", manifest_json(info, sha256("the file"))));
    CHECK(read.library == folder.path() / "libmine_stages.so");
    CHECK(read.library_digest == sha256("the file"));
    CHECK(read.name == "mine");
    CHECK(read.numerics == info.numerics);
    CHECK(!read.finds_gpus);
    REQUIRE(read.stages.size() == 2);
    CHECK(read.stages[0] == info.stages[0].description);
    CHECK(read.stages[1] == info.stages[1].description);
}

TEST_CASE("the manifest says whether a library can find GPUs, and so does each of its stages") {
    const TempFolder folder;
    StageLibraryInfo info = everything();
    info.find_gpu = [] { return GpuAnswer(NoGpu{"not queried"}); };
    const LibraryManifest read = read_manifest(written(folder, "libmine_stages.json", manifest_json(info, sha256("the file"))));
    CHECK(read.finds_gpus);
    Catalog catalog;
    catalog.add(read);
    CHECK(catalog.find("load")->finds_gpus);
}

TEST_CASE("no parameter may have a name that every stage has for something else in a DAG file") {
    for (const char* name : {"kind", "in", "about", "retries", "retry_delay", "timeout", "memory", "isolate"}) {
        StageDescription stage{.kind = "mine", .params = {{.name = name, .fallback = "x"}}};
        CHECK(fault_of(stage)->starts_with(std::string("parameter '") + name + "' has a name"));
        stage.params[0].name += "_of_mine";
        CHECK_FALSE(fault_of(stage));
    }
}

TEST_CASE("a bad manifest is refused, naming the file and the place in it") {
    const std::string good = manifest_json(everything(), sha256("the file"));
    CHECK(refused(replaced(good, "\"help\":\"h\"", "\"hepl\":\"h\"")).find("stages[0].params[3]: unknown key 'hepl'") !=
          std::string::npos);
    CHECK(refused(replaced(good, "\"version\":3", "\"version\":\"3\"")).find("stages[0].version: expected an integer") !=
          std::string::npos);
    CHECK(refused(replaced(good, "\"float64\"", "\"float65\"")).find("dtypes[0]: 'float65' is unknown") !=
          std::string::npos);
    CHECK(refused(replaced(good, ",\"type\":\"network\"", "")).find("stages[0].params[0]: 'type' is missing") !=
          std::string::npos);
    CHECK(refused(replaced(good, "\"name\":\"mine\",", "")).find("'name' is missing") != std::string::npos);
    const std::string abi = "\"abi\":" + std::to_string(kStageAbi);
    CHECK(refused(replaced(good, abi, "\"abi\":999")).find("ABI 999") != std::string::npos);
    CHECK(refused(replaced(good, "\"satdl_manifest\":2", "\"satdl_manifest\":1")).find("expected format 2, found 1") !=
          std::string::npos);
    CHECK_FALSE(refused("").empty());
    CHECK_FALSE(refused("[]").empty());
    CHECK_FALSE(refused("{\"a\": ").empty());
    CHECK_FALSE(refused(good.substr(0, good.size() / 2)).empty());
    CHECK_THROWS_AS(read_manifest("/nonexistent/lib.json"), Error);
}

TEST_CASE("descriptions that make no sense never become a manifest") {
    CHECK_FALSE(fault_of(everything().stages[0].description));
    CHECK(fault_with({.name = "y", .shape = "[N, ..., 3]"}) == "output 'y' has the shape '[N, ..., 3]', which is not a valid rule");
    CHECK(fault_with({.name = "y", .shape = "network(nets, x)"}) == "output 'y' has a shape that needs a network 'nets'");
    CHECK(fault_with({.name = "y", .shape = "network(net, base)"}) ==
          "output 'y' has a shape that needs an input array 'base'");
    CHECK(fault_with({.name = "y", .dtype_of = "z"}) ==
          "output 'y' takes its element type from 'z', which is not an input array");
    CHECK(fault_with({.name = "y", .shape = "dataset(images)"}));
    CHECK(fault_with({.name = "y", .shape = "file(rate)"}) == "output 'y' has a shape that needs a file 'rate'");
    CHECK(fault_with({.name = "a/b"}));
    StageLibraryInfo info = everything();
    info.stages[0].description.params[2].fallback = "mae";
    CHECK_THROWS_WITH(manifest_json(info, sha256("the file")), Catch::Contains("parameter 'loss' has the default 'mae'"));

    using Rule = PortDescription::MetricsRule;
    CHECK(fault_with({.name = "y", .metrics = Rule{}}) ==
          "output 'y' has a metrics rule, but its kind is neither metrics nor history");
    const auto fault_of_rule = [](const Rule& rule) {
        return fault_with({.name = "y", .kind = PortKind::Metrics, .metrics = rule});
    };
    CHECK_FALSE(fault_of_rule({.of_loss = true}));
    CHECK(fault_of_rule({.names = {"p"}, .if_connected = {{"y", "gap"}}}) == "output 'y' needs an input 'y'");
    CHECK(fault_of_rule({.of_loss = true, .fraction = "until"}) == "output 'y' needs a number 'until'");
    CHECK(fault_of({.kind = "stage", .outputs = {{.name = "y", .kind = PortKind::Metrics, .metrics = Rule{.of_loss = true}}}}) ==
          "output 'y' has metrics of a loss, but the stage has none");

    using Model = PortDescription::ModelRule;
    CHECK(fault_with({.name = "y", .kind = PortKind::Model, .model = Model{"net", "x", "base", "until", "rate"}}) ==
          "output 'y' needs a boolean 'rate'");
    CHECK(fault_with({.name = "y", .kind = PortKind::Model, .model = Model{.net = "net", .file = "rate"}}) ==
          "output 'y' needs a file 'rate'");
}

TEST_CASE("a batch size is an integer parameter that is there") {
    StageDescription stage = everything().stages[0].description;
    stage.batch_size = "rate";
    CHECK(fault_of(stage) == "its batch_size needs an integer parameter 'rate'");
}

TEST_CASE("a loss is of parameters and ports that are there") {
    const auto fault_of_loss = [](const auto& change) {
        StageDescription stage = everything().stages[0].description;
        change(*stage.loss);
        return fault_of(stage);
    };
    CHECK_FALSE(fault_of_loss([](LossRule& rule) { rule.model = "base"; }));
    CHECK_FALSE(fault_of_loss([](LossRule& rule) { rule.validation_target = rule.class_weights = ""; }));
    CHECK(fault_of_loss([](LossRule& rule) { rule.loss = "rate"; }) == "its loss needs a parameter 'rate'");
    CHECK_FALSE(fault_of_loss([](LossRule& rule) { rule.model = "x"; }));  // an array: what a network gave
    CHECK(fault_of_loss([](LossRule& rule) { rule.model = "rate"; }) == "its loss needs a model or an input array 'rate'");
    CHECK(fault_of_loss([](LossRule& rule) { rule.target = "base"; }) == "its loss needs an input array 'base'");
    CHECK(fault_of_loss([](LossRule& rule) { rule.validation_target = "y"; }) == "its loss needs an input array 'y'");
    CHECK(fault_of_loss([](LossRule& rule) { rule.class_weights = "rate"; }) == "its loss needs numbers 'rate'");
}

TEST_CASE("a role is that of one port, of its kind and on its side, and stands with those that it needs") {
    using enum PortRole;
    const auto fault = [](std::vector<PortDescription> inputs, std::vector<PortDescription> outputs) {
        for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i].name = "in" + std::to_string(i);
        for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].name = "out" + std::to_string(i);
        return fault_of({.kind = "stage", .inputs = std::move(inputs), .outputs = std::move(outputs)});
    };
    const PortDescription labels{.role = Labels}, images{.role = Images}, predictions{.role = Predictions};
    CHECK_FALSE(fault({labels, images}, {predictions}));
    CHECK(fault({{.role = Predictions}, labels}, {}) == "input 'in0' has the role 'predictions', which belongs to an output of kind array");
    CHECK(fault({labels}, {images, predictions}) == "output 'out0' has the role 'images', which belongs to an input of kind array");
    CHECK(fault({{.role = Baseline}, {.role = Candidate}}, {}) ==
          "input 'in0' has the role 'baseline', which belongs to an input of kind metrics");
    CHECK(fault({labels, images, images}, {predictions}) == "input 'in1' has the role 'images', but another port has it, too");
    CHECK(fault({}, {predictions}) == "output 'out0' has the role 'predictions', but no port has the role 'labels'");
    CHECK(fault({{.kind = PortKind::Metrics, .role = CandidateTraining}}, {}) ==
          "input 'in0' has the role 'candidate_training', but no port has the role 'candidate'");
    for (const std::string role : {"noisy_sounds", "none"}) {
        const std::string json = replaced(manifest_json(everything(), sha256("the file")), "\"noisy_images\"", "\"" + role + "\"");
        CHECK_THAT(refused(json), Catch::Contains("outputs[1].role: '" + role + "' is unknown"));
    }
}

TEST_CASE("a pair is of two metrics that the output is said to hold") {
    using Rule = PortDescription::MetricsRule;
    const auto fault_of_rule = [](const Rule& rule, PortKind kind = PortKind::Metrics) {
        return fault_with({.name = "y", .kind = kind, .metrics = rule});
    };
    CHECK_FALSE(fault_of_rule({.names = {"p", "p0"}, .if_connected = {{"val_x", "q"}}, .pairs = {{"p", "p0"}, {"p", "q"}}}));
    CHECK(fault_of_rule({.names = {"p"}, .pairs = {{"p", "p0"}}}) == "output 'y' has a pair with 'p0', which is not one of its metrics");
    CHECK(fault_of_rule({.names = {"p"}, .pairs = {{"p", "p"}}}) == "output 'y' has a pair of 'p' and itself");
    CHECK(fault_of_rule({.names = {"p", "q"}, .pairs = {{"p", "q"}}}, PortKind::History) ==
          "output 'y' has pairs of metrics, but is not an output of metrics");
}

TEST_CASE("a parameter's relations name what is there") {
    const auto fault_with_param = [](ParamDescription param) {
        StageDescription stage = everything().stages[0].description;
        param.name = "more";
        stage.params.push_back(std::move(param));
        return fault_of(stage);
    };
    CHECK(fault_with_param({.needs = {{"lost", {}}}}) == "parameter 'more' refers to 'lost', which does not exist");
    CHECK(fault_with_param({.excludes = {"y"}}) == "parameter 'more' refers to 'y', which does not exist");
    CHECK(fault_with_param({.below = "z"}) == "parameter 'more' refers to 'z', which does not exist");
    CHECK(fault_with_param({.type = ParamType::Integer, .at_most_rows_of = "base"}) ==
          "parameter 'more' refers to 'base', which does not exist");
    CHECK(fault_with_param({.at_most_rows_of = "x"}) == "parameter 'more' is limited by the rows of an input, but is not an integer");
    CHECK(fault_with_param({.type = ParamType::Number, .row_fraction = ParamDescription::RowFraction{.of = "base"}}) ==
          "parameter 'more' refers to 'base', which does not exist");
    CHECK(fault_with_param({.row_fraction = ParamDescription::RowFraction{.of = "x"}}) ==
          "parameter 'more' is a fraction of an input's rows, but is not a number");
    CHECK(fault_with_param({.metric_of = {"x"}}) == "parameter 'more' refers to 'x', which does not exist");
    CHECK(fault_with_param({.label_of = {"metrics"}}) == "parameter 'more' refers to 'metrics', which does not exist");
    CHECK(fault_with_param({.type = ParamType::Number, .label_of = {"x"}}) ==
          "parameter 'more' is the name of what an input reads, but is not a text");
    CHECK_FALSE(fault_with_param({.needs = {{"loss", {"mse"}}}, .excludes = {"val_x"}, .metric_of = {"history"}}));
}

TEST_CASE("at most one parameter continues: an integer of which the result depends") {
    const auto fault_with_param = [](ParamDescription param) {
        param.name = "more";
        return fault_of({.kind = "stage", .help = "h", .params = {param, {.name = "way"}}});
    };
    using Type = ParamType;
    CHECK_FALSE(fault_with_param({.type = Type::Integer, .continues = true, .continues_unless = {{"way", {"own"}}}}));
    CHECK(fault_with_param({.type = Type::Number, .continues = true}) ==
          "parameter 'more' has continues, but is not an integer that changes the result");
    CHECK(fault_with_param({.type = Type::Integer, .changes_result = false, .continues = true}) ==
          "parameter 'more' has continues, but is not an integer that changes the result");
    CHECK(fault_with_param({.type = Type::Integer, .continues = true, .continues_unless = {{"lost", {}}}}) ==
          "parameter 'more' refers to 'lost', which does not exist");
    CHECK(fault_with_param({.type = Type::Integer, .continues_unless = {{"way", {}}}}) ==
          "parameter 'more' has continues_unless, but not continues");
    StageDescription two = everything().stages[0].description;
    two.params.push_back({.name = "more", .type = Type::Integer, .continues = true});
    CHECK(fault_of(two) == "parameter 'epochs' has continues, but another parameter has it, too");
}

TEST_CASE("bounds for smoke runs are those of a number, within its range") {
    const auto fault_with_param = [](ParamDescription param) {
        param.name = "more";
        return fault_of({.kind = "stage", .help = "h", .params = {param}});
    };
    using Type = ParamType;
    CHECK(fault_with_param({.type = Type::Text, .smoke_max = 1}) == "parameter 'more' has a bound for smoke runs, but is not a number");
    CHECK(fault_with_param({.type = Type::Integer, .min = 2, .smoke_max = 1}) ==
          "parameter 'more' has a bound for smoke runs outside its range");
    CHECK(fault_with_param({.type = Type::Number, .max = 2, .smoke_min = 3}) ==
          "parameter 'more' has a bound for smoke runs outside its range");
    CHECK(fault_with_param({.type = Type::Number, .smoke_min = 3, .smoke_max = 2}) ==
          "parameter 'more' has a smoke_min greater than its smoke_max");
    CHECK_FALSE(fault_with_param({.type = Type::Integer, .min = 1, .max = 9, .smoke_min = 1, .smoke_max = 9}));
}

TEST_CASE("the rules of shapes are read to the letter") {
    const auto rule = parse_shape_rule("[N, 1, _, ...S]");
    REQUIRE(rule);
    REQUIRE(rule->extents.size() == 3);
    CHECK(rule->extents[0].name == "N");
    CHECK(rule->extents[1].number == 1);
    CHECK((!rule->extents[2].number && rule->extents[2].name.empty()));
    CHECK((rule->open && rule->rest == "S"));
    CHECK(parse_shape_rule("[]")->extents.empty());
    CHECK(parse_shape_rule("network(net, x)")->layer.empty());
    CHECK(parse_shape_rule("network(net,x,until)")->layer == "until");
    CHECK(parse_shape_rule("dataset(images)")->role == "images");
    CHECK(parse_shape_rule("file(path)")->file == "path");
    CHECK_FALSE(parse_shape_rule("file(path)")->rows_alone);
    CHECK((parse_shape_rule("rows(path)")->file == "path" && parse_shape_rule("rows(path)")->rows_alone));
    for (const char* bad : {"", "[", "[N,]", "[N M]", "[-1]", "[1.5]", "anything", "network(net)", "network()",
                            "network(net, 1)", "dataset()", "dataset(a, b)", "file()", "file(a, b)", "[..., ...]", "[N, ...1]", "any()"}) {
        INFO(bad);
        CHECK_FALSE(parse_shape_rule(bad));
    }
}

TEST_CASE("one kind in two libraries is refused, naming both") {
    const TempFolder folder;
    const auto one = written(folder, "libone.json", manifest_json(everything(), sha256("the file")));
    const auto two = written(folder, "libtwo.json", manifest_json(everything(), sha256("the file")));
    CHECK_THROWS_WITH(load_catalog(folder.path(), {one.string(), two.string()}),
                      Catch::Contains("libone.so") && Catch::Contains("libtwo.so") && Catch::Contains("'fine_tune'"));
}

TEST_CASE("a catalogue holds the built-in library and those that the user names, each once") {
    const TempFolder folder;
    written(folder, "libmine.json", manifest_json(everything(), sha256("the file")));
    StageLibraryInfo built_in{"satdl", {}, {{StageDescription{.kind = "normalise", .help = "x"}, nullptr}}};
    written(folder, "libsatdl_stages.json", manifest_json(built_in, sha256("the file")));
    const std::string library = (folder.path() / "libmine.so").string();
    const Catalog catalog = load_catalog(folder.path(), {library + ":" + library, library});
    CHECK(catalog.kinds() == std::vector<std::string>{"command", "fine_tune", "load", "normalise"});
    REQUIRE(catalog.find("fine_tune") != nullptr);
    CHECK(catalog.find("fine_tune")->numerics.size() == 2);
    CHECK(catalog.find("load")->numerics.empty());
    CHECK(catalog.find("load")->library == folder.path() / "libmine.so");
    CHECK(catalog.find("train") == nullptr);
    CHECK(load_catalog(folder.path(), {}).kinds() == std::vector<std::string>{"command", "normalise"});
    CHECK(load_catalog(folder.path() / "nowhere", {}).kinds() == std::vector<std::string>{"command"});
    CHECK_THROWS_WITH(load_catalog(folder.path(), {(folder.path() / "missing.so").string()}), Catch::Contains("missing.json"));
    StageLibraryInfo own{"mine", {}, {{StageDescription{.kind = "command", .help = "x"}, nullptr}}};
    const auto taken = written(folder, "libtaken.json", manifest_json(own, sha256("the file")));
    CHECK_THROWS_WITH(load_catalog(folder.path(), {taken.string()}), Catch::Contains("'command', which is satdl's own"));
}
