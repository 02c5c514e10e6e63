
#include <algorithm>
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "pipeline/dag/outcome_check.h"
#include "pipeline/dag/type_inference.h"
#include "pipeline/network/architecture.h"
#include "tests/support/typed_params.h"

using namespace satdl;

namespace {

using Lines = std::vector<std::string>;

Place at(int line) {
    static const auto source = std::make_shared<SourceText>(SourceText{"dag.yaml", ""});
    return {source, line, 1};
}

ParamValue word(const std::string& text, int line) { return {text, at(line)}; }

ConfigValue layer(const std::string& kind, std::int64_t main, int line) {
    const Place place = at(line);
    return ConfigValue::map({{kind, place, ConfigValue::scalar(std::to_string(main), false, place)}}, place);
}

CatalogEntry entry(StageDescription description) { return {std::move(description), "libtest_stages.so", {}}; }

const PortDescription kImages{.name = "images", .dtypes = {DType::Float32}, .shape = "[N, ...]"};

// The stages of the tests, as the built-in ones describe themselves.
struct Kinds {
    CatalogEntry load, normalise, read, train, fine_tune, features, report;

    Kinds() {
        load = entry({.kind = "load"});
        load.description.params = {{.name = "dataset", .type = ParamType::Dataset}, {.name = "split"}, {.name = "limit"}};
        load.description.outputs = {{.name = "images", .dtypes = {DType::UInt8}, .shape = "dataset(images)"},
                                    {.name = "labels", .dtypes = {DType::UInt8}, .shape = "dataset(labels)"}};
        normalise = entry({.kind = "normalise"});
        normalise.description.inputs = {{.name = "images", .dtypes = {DType::UInt8, DType::Float32}, .shape = "[N, ...]"}};
        normalise.description.outputs = {kImages};
        read = entry({.kind = "read"});
        read.description.params = {{.name = "file", .type = ParamType::File}, {.name = "limit", .type = ParamType::Integer},
                                   {.name = "dtype", .type = ParamType::Choice, .choices = {"float32", "float64"}},
                                   {.name = "reshape", .type = ParamType::Numbers},
                                   {.name = "layout", .type = ParamType::Choice, .choices = {"nchw", "nhwc"}}};
        read.description.outputs = {{.name = "data", .shape = "file(file)"}};
        train = entry({.kind = "train"});
        train.description.inputs = {{.name = "x", .dtypes = {DType::Float32}, .shape = "[N, ...X]"},
                                    {.name = "target", .shape = "[N, ...T]"},
                                    {.name = "val_x", .dtypes = {DType::Float32}, .shape = "[M, ...X]", .optional = true}};
        train.description.params = {{.name = "net", .type = ParamType::Network}};
        train.description.outputs = {
            {.name = "model", .kind = PortKind::Model, .model = PortDescription::ModelRule{"net", "x", "", ""}}};
        fine_tune = train;
        fine_tune.description.kind = "fine_tune";
        fine_tune.description.inputs.push_back({.name = "base", .kind = PortKind::Model});
        fine_tune.description.params.push_back({.name = "until"});
        fine_tune.description.outputs[0].model = PortDescription::ModelRule{"net", "x", "base", "until"};
        features = entry({.kind = "features"});
        features.description.inputs = {{.name = "model", .kind = PortKind::Model},
                                       {.name = "x", .dtypes = {DType::Float32}, .shape = "[N, ...]"}};
        features.description.params = {{.name = "layer"}};
        features.description.outputs = {
            {.name = "features", .dtypes = {DType::Float32}, .shape = "network(model, x, layer)"}};
        report = entry({.kind = "report"});
        report.description.inputs = {{.name = "metrics", .kind = PortKind::Metrics}};
    }
};

// Builds a DAG node by node; each node stands on its own line, its inputs on the same.
struct Builder {
    Kinds kinds;
    Dag dag;

    [[nodiscard]] NodeId id(std::string_view name) const {
        return static_cast<NodeId>(std::ranges::find(dag.nodes, name, &Node::name) - dag.nodes.begin());
    }

    Builder& add(const std::string& name, const CatalogEntry& stage, const std::map<std::string, std::string>& inputs = {},
                 std::map<std::string, ParamValue> params = {}) {
        Node node;
        node.name = name;
        node.stage = &stage;
        node.place = at(static_cast<int>(dag.nodes.size()) + 1);
        for (const PortDescription& port : stage.description.inputs) {
            const auto given = inputs.find(port.name);
            if (given == inputs.end()) continue;
            const auto dot = given->second.find('.');
            const NodeId from = id(given->second.substr(0, dot));
            node.inputs.push_back({port.name, from, given->second.substr(dot + 1), node.place});
        }
        for (const ParamDescription& param : stage.description.params) params.emplace(param.name, ParamValue());
        node.params = Params(std::move(params));
        dag.nodes.push_back(std::move(node));
        return *this;
    }

    Builder& load(const std::string& name, std::int64_t rows, std::int64_t limit = 0) {
        std::map<std::string, ParamValue> params{{"dataset", word("mnist", 1)}, {"split", word("train", 1)}};
        if (limit > 0) params.emplace("limit", limit);
        add(name, kinds.load, {}, std::move(params));
        for (const auto& [role, shape] : std::map<std::string, Shape>{{"images", {rows, 1, 28, 28}}, {"labels", {rows}}}) {
            SourceFile file;
            file.role = role;
            file.dataset = "mnist";
            file.shape = shape;
            dag.nodes.back().files.push_back(file);
        }
        return *this;
    }

    Builder& read(const std::string& name, std::optional<ArrayType> header, std::map<std::string, ParamValue> params = {}) {
        add(name, kinds.read, {}, std::move(params));
        SourceFile file;
        file.role = "file";
        file.path = name + ".npy";
        file.header = std::move(header);
        dag.nodes.back().files.push_back(file);
        return *this;
    }

    std::vector<NodeTypes> types(Lines expected = {}) {
        Diagnostics diagnostics;
        auto made = infer_types(dag, diagnostics);
        Lines told;
        try {
            diagnostics.throw_if_any();
        } catch (const Error& error) {
            for (const Diagnostic& one : error.diagnostics()) told.push_back(fmt::format("{}: {}", one.place.line, one.message));
        }
        CHECK(told == expected);
        return made;
    }

    PortType type(const std::string& name, const std::string& port) {
        return *types().at(id(name)).find(port);
    }
};

std::map<std::string, ParamValue> net(std::vector<ConfigValue> layers) {
    return {{"net", test::typed_network(ConfigValue::list(std::move(layers), at(50)))}};
}

const ConfigValue kConv = layer("conv", 4, 51);
const ConfigValue kFlatten = ConfigValue::scalar("flatten", false, at(52));
const ConfigValue kDense = layer("dense", 10, 53);

Builder trained() {
    Builder b;
    b.load("data", 60000).add("unit", b.kinds.normalise, {{"images", "data.images"}});
    b.add("m1", b.kinds.train, {{"x", "unit.images"}, {"target", "data.labels"}}, net({kConv, kFlatten, kDense}));
    return b;
}

}  // namespace

TEST_CASE("shapes flow from a dataset through open patterns, limited by `limit`") {
    Builder b;
    b.load("data", 60000, 6000).add("unit", b.kinds.normalise, {{"images", "data.images"}});
    CHECK(describe(b.type("data", "images")) == "uint8 [6000, 1, 28, 28]");
    CHECK(describe(b.type("data", "labels")) == "uint8 [6000]");
    CHECK(describe(b.type("unit", "images")) == "float32 [6000, 1, 28, 28]");
}

TEST_CASE("types that only running can determine stay open and conflict with none") {
    Builder b;
    b.add("file", b.kinds.read).add("unit", b.kinds.normalise, {{"images", "file.data"}});
    b.add("m", b.kinds.train, {{"x", "unit.images"}, {"target", "file.data"}}, net({kConv, kFlatten, kDense}));
    b.add("f", b.kinds.features, {{"model", "m.model"}, {"x", "unit.images"}});
    CHECK(describe(b.type("unit", "images")) == "float32 [?]");
    CHECK(b.type("m", "model").network->layers.size() == 3);
    CHECK_FALSE(b.type("m", "model").net_input);
    CHECK(describe(b.type("f", "features")) == "float32 [?]");
    CHECK(b.types()[2].network_cost == 0);
}

TEST_CASE("an edge whose element type, shape or kind does not fit is an error at the place of the edge") {
    Builder b = trained();
    b.add("wrong_dtype", b.kinds.train, {{"x", "data.images"}, {"target", "data.labels"}}, net({kConv}));
    b.add("wrong_kind", b.kinds.report, {{"metrics", "m1.model"}});
    b.add("wrong_kind_too", b.kinds.normalise, {{"images", "m1.model"}});
    b.types({"4: wrong_dtype.x wants float32 [N, ...], data.images is uint8 [60000, 1, 28, 28]",
             "5: wrong_kind.metrics wants metrics, m1.model is a model",
             "6: wrong_kind_too.images wants uint8 or float32 [N, ...], m1.model is a model"});
}

TEST_CASE("an extent that two inputs bind to different numbers is an error that names both") {
    Builder b;
    b.load("train", 60000).load("test", 10000).add("unit", b.kinds.normalise, {{"images", "train.images"}});
    b.add("m", b.kinds.train, {{"x", "unit.images"}, {"target", "test.labels"}, {"val_x", "unit.images"}}, net({kConv}));
    b.types({"4: m.target has 10000 rows, m.x has 60000: N differs"});
}

TEST_CASE("a named rest is the same wherever it stands") {
    Builder b = trained();
    b.add("f", b.kinds.features, {{"model", "m1.model"}, {"x", "unit.images"}});
    b.add("m2", b.kinds.train, {{"x", "unit.images"}, {"target", "data.labels"}, {"val_x", "f.features"}}, net({kConv}));
    b.types({"5: m2.val_x has samples of shape [10], m2.x of shape [1, 28, 28]"});
}

TEST_CASE("features have the shape of the layer that is asked for") {
    Builder b = trained();
    b.add("last", b.kinds.features, {{"model", "m1.model"}, {"x", "unit.images"}});
    b.add("first", b.kinds.features, {{"model", "m1.model"}, {"x", "unit.images"}}, {{"layer", word("conv_1", 5)}});
    CHECK(describe(b.type("last", "features")) == "float32 [60000, 10]");
    CHECK(describe(b.type("first", "features")) == "float32 [60000, 4, 28, 28]");
    b.add("none", b.kinds.features, {{"model", "m1.model"}, {"x", "unit.images"}}, {{"layer", word("conv_2", 6)}});
    b.types({"6: m1.model has no layer 'conv_2'"});
}

TEST_CASE("a network that does not fit its input is one error at the layer, however many stages use it") {
    Builder b;
    b.load("data", 60000).add("unit", b.kinds.normalise, {{"images", "data.images"}});
    for (const char* name : {"m1", "m2"})
        b.add(name, b.kinds.train, {{"x", "unit.images"}, {"target", "data.labels"}}, net({kConv, kDense}));
    b.add("f", b.kinds.features, {{"model", "m1.model"}, {"x", "unit.images"}});
    b.types({"53: layer dense_1 needs [N, features], but gets [N, 4, 28, 28] from conv_1"});
}

TEST_CASE("a trained network that cannot read its input is an error at the edge") {
    Builder b = trained();
    b.add("f", b.kinds.features, {{"model", "m1.model"}, {"x", "unit.images"}});
    b.add("g", b.kinds.features, {{"model", "m1.model"}, {"x", "f.features"}});
    b.types({"5: f.features is float32 [60000, 10], which the network of m1.model cannot read"});
}

TEST_CASE("fine-tuning starts from the layers of the base up to a given one") {
    Builder b = trained();
    auto params = net({layer("dense", 64, 60), kDense});
    params.emplace("until", word("flatten_1", 4));
    b.add("m3", b.kinds.fine_tune, {{"base", "m1.model"}, {"x", "unit.images"}, {"target", "data.labels"}}, params);
    const PortType m3 = b.type("m3", "model");
    CHECK(m3.network->layer_names() == Lines{"conv_1", "flatten_1", "dense_1", "dense_2"});
    CHECK(*m3.net_input == Shape{1, 28, 28});
    params["until"] = word("flaten_1", 5);
    b.add("m4", b.kinds.fine_tune, {{"base", "m1.model"}, {"x", "unit.images"}, {"target", "data.labels"}}, params);
    b.types({"5: m1.model has no layer 'flaten_1'"});
}

TEST_CASE("a head that does not fit its base is an error at the layer, and a base that does not fit its input one at the edge") {
    Builder b = trained();
    b.add("f", b.kinds.features, {{"model", "m1.model"}, {"x", "unit.images"}});
    b.add("head", b.kinds.fine_tune, {{"base", "m1.model"}, {"x", "unit.images"}, {"target", "data.labels"}}, net({kConv}));
    b.add("base", b.kinds.fine_tune, {{"base", "m1.model"}, {"x", "f.features"}, {"target", "data.labels"}}, net({kDense}));
    b.types({"6: f.features is float32 [60000, 10], which the network of m1.model cannot read",
             "51: layer conv_2 needs [N, channels, height, width], but gets [N, 10] from dense_1"});
}

TEST_CASE("the cost of a node is that of the network that it trains or applies") {
    Builder b = trained();
    b.add("f", b.kinds.features, {{"model", "m1.model"}, {"x", "unit.images"}});
    const std::int64_t cost = 4 * 9 * 28 * 28 + 4 * 28 * 28 * 10;
    CHECK(b.types()[1].network_cost == 0);
    CHECK(b.types()[2].network_cost == cost);
    CHECK(b.types()[3].network_cost == cost);
}

TEST_CASE("the memory of a node's network is that of its batch, which is no more than its samples") {
    Builder b = trained();
    b.kinds.train.description.batch_size = b.kinds.features.description.batch_size = "batch_size";
    b.add("f", b.kinds.features, {{"model", "m1.model"}, {"x", "unit.images"}});
    const auto bytes = [&](NodeId node, std::int64_t batch) {
        for (const std::size_t user : {2U, 3U}) {
            auto params = b.dag.nodes[user].params.values();
            params["batch_size"] = batch;
            b.dag.nodes[user].params = Params(params);
        }
        return b.types()[node].network_bytes;
    };
    const std::uint64_t weights = 4 * 9 + 4 + 4 * 28 * 28 * 10 + 10, image = 28 * 28, outputs = 4 * image + 4 * image + 10;
    CHECK(bytes(1, 100) == 0);  // computes no network
    CHECK(bytes(2, 100) == 4 * (10 * weights + 100 * (image + 2 * outputs)));
    CHECK(bytes(3, 100) == 4 * (weights + 100 * (image + 3 * 4 * image)));
    CHECK(bytes(2, 1'000'000) == bytes(2, 60'000));
}

TEST_CASE("a model's type carries the output shapes of its layers") {
    Builder b = trained();
    b.add("f", b.kinds.features, {{"model", "m1.model"}, {"x", "unit.images"}});
    const PortType model = b.type("m1", "model");
    REQUIRE(model.layers.size() == 3);
    CHECK(model.layers[2].output == Shape{10});
    CHECK(expected_bytes(model) == 4 * (4 * 9 + 4 + 4 * 28 * 28 * 10 + 10));
    CHECK(b.dag.nodes[2].params.value("net").get_if<std::shared_ptr<const Network>>()->get() == model.network.get());
}

TEST_CASE("a trained model reads samples of the shape that it was trained on, though its layers could be applied to others") {
    Builder b = trained();
    b.load("wide", 60000, 0);
    for (SourceFile& file : b.dag.nodes.back().files)
        if (file.role == "images") file.shape = {60000, 1, 30, 28};
    b.add("wide_unit", b.kinds.normalise, {{"images", "wide.images"}});
    b.add("conv", b.kinds.train, {{"x", "unit.images"}, {"target", "data.labels"}}, net({kConv}));
    b.add("f", b.kinds.features, {{"model", "conv.model"}, {"x", "wide_unit.images"}});
    b.types({"7: wide_unit.images is float32 [60000, 1, 30, 28], which the network of conv.model cannot read"});
}

TEST_CASE("fine-tuning takes samples of another shape as long as the weights of the base's layers fit them") {
    Builder b = trained();
    b.load("wide", 60000, 0);
    for (SourceFile& file : b.dag.nodes.back().files)
        if (file.role == "images") file.shape = {60000, 1, 30, 28};
    b.add("wide_unit", b.kinds.normalise, {{"images", "wide.images"}});
    auto params = net({kFlatten, kDense});
    params.emplace("until", word("conv_1", 6));
    b.add("good", b.kinds.fine_tune, {{"base", "m1.model"}, {"x", "wide_unit.images"}, {"target", "data.labels"}}, params);
    CHECK(*b.type("good", "model").net_input == Shape{1, 30, 28});
    b.add("bad", b.kinds.fine_tune, {{"base", "m1.model"}, {"x", "wide_unit.images"}, {"target", "data.labels"}}, net({kDense}));
    b.types({"7: wide_unit.images is float32 [60000, 1, 30, 28], which the network of m1.model cannot read"});
}

TEST_CASE("optional inputs with the same number of rows belong together") {
    Builder b = trained();
    b.kinds.train.description.inputs.push_back({.name = "val_target", .shape = "[M, ...]", .optional = true, .help = "their targets"});
    b.add("both", b.kinds.train, {{"x", "unit.images"}, {"target", "data.labels"}, {"val_x", "unit.images"}, {"val_target", "data.labels"}},
          net({kConv}));
    b.types();
    b.add("one", b.kinds.train, {{"x", "unit.images"}, {"target", "data.labels"}, {"val_x", "unit.images"}}, net({kConv}));
    b.add("other", b.kinds.train, {{"x", "unit.images"}, {"target", "data.labels"}, {"val_target", "data.labels"}}, net({kConv}));
    b.types({"5: one.val_x needs the input 'val_target' as well", "6: other.val_target needs the input 'val_x' as well"});
}

TEST_CASE("an optional output that takes its element type from an input is there if that input is connected") {
    CatalogEntry halves = entry({.kind = "halves"});
    halves.description.inputs = {{.name = "data", .shape = "[N, ...S]"}, {.name = "labels", .shape = "[N]", .optional = true}};
    halves.description.outputs = {{.name = "half", .dtype_of = "data", .shape = "[_, ...S]"},
                                  {.name = "half_labels", .dtype_of = "labels", .shape = "[_]", .optional = true}};
    Builder b;
    b.load("data", 60000).add("with", halves, {{"data", "data.images"}, {"labels", "data.labels"}});
    b.add("without", halves, {{"data", "data.images"}});
    CHECK(describe(b.type("with", "half")) == "uint8 [?, 1, 28, 28]");
    CHECK(describe(b.type("with", "half_labels")) == "uint8 [?]");
    b.add("m", b.kinds.normalise, {{"images", "with.half_labels"}}).add("n", b.kinds.normalise, {{"images", "without.half_labels"}});
    b.types({"5: without.half_labels does not exist: the input 'labels' of without is not connected"});
}

TEST_CASE("the metrics of what a network gave follow from its shape") {
    CatalogEntry judge = entry({.kind = "judge"});
    judge.description.inputs = {{.name = "predictions", .dtypes = {DType::Float32}, .shape = "[N, ...P]"},
                                {.name = "target", .shape = "[N, ...]"}};
    judge.description.params = {{.name = "loss", .type = ParamType::Choice, .choices = {"cross_entropy", "mse"}}};
    judge.description.outputs = {
        {.name = "metrics", .kind = PortKind::Metrics, .metrics = PortDescription::MetricsRule{.of_loss = true}},
        {.name = "predictions", .dtypes = {DType::Float32}, .shape = "[N, ...P]"}};
    judge.description.loss = LossRule{.loss = "loss", .model = "predictions", .target = "target"};
    Builder b;
    b.read("labels", ArrayType{DType::Int64, {40}}).read("scores", ArrayType{DType::Float32, {40, 2}}).add("open", b.kinds.read);
    const auto metrics_of = [&](const std::string& name, const std::string& predictions, const std::string& loss) {
        b.add(name, judge, {{"predictions", predictions}, {"target", loss == "mse" ? "scores.data" : "labels.data"}},
              {{"loss", word(loss, 1)}});
        return b.type(name, "metrics").metrics;
    };
    CHECK(metrics_of("classes", "scores.data", "cross_entropy") == std::vector<std::string>{"loss", "accuracy", "binary_accuracy",
                                                                                            "precision/0", "precision/1", "precision/macro",
                                                                                            "recall/0", "recall/1", "recall/macro"});
    CHECK(metrics_of("values", "scores.data", "mse") == std::vector<std::string>{"loss"});
    CHECK_FALSE(metrics_of("unknown", "open.data", "cross_entropy"));
    CHECK(describe(b.type("classes", "predictions")) == "float32 [40, 2]");
}

TEST_CASE("an input that must have the element type of another") {
    CatalogEntry concat = entry({.kind = "concat"});
    concat.description.inputs = {{.name = "first", .shape = "[N, ...S]"}, {.name = "second", .dtype_of = "first", .shape = "[M, ...S]"}};
    concat.description.outputs = {{.name = "data", .dtype_of = "first", .shape = "[_, ...S]"}};
    Builder b;
    b.load("data", 60000).add("unit", b.kinds.normalise, {{"images", "data.images"}}).add("file", b.kinds.read);
    b.add("same", concat, {{"first", "data.images"}, {"second", "data.images"}});
    b.add("open", concat, {{"first", "data.images"}, {"second", "file.data"}});
    CHECK(describe(b.type("same", "data")) == "uint8 [?, 1, 28, 28]");
    b.add("other", concat, {{"first", "data.images"}, {"second", "unit.images"}});
    b.types({"6: other.second wants uint8 like other.first, unit.images is float32 [60000, 1, 28, 28]"});
}

TEST_CASE("an integer that is at most the number of rows of an input") {
    CatalogEntry split = entry({.kind = "split"});
    split.description.inputs = {{.name = "data", .shape = "[N, ...S]"}};
    split.description.params = {{.name = "folds", .type = ParamType::Integer, .fallback = "null", .at_most_rows_of = "data"}};
    split.description.outputs = {{.name = "half", .dtype_of = "data", .shape = "[_, ...S]"}};
    Builder b;
    const auto folds = [](std::int64_t number) { return std::map<std::string, ParamValue>{{"folds", {number, at(90)}}}; };
    b.load("data", 5).add("five", split, {{"data", "data.images"}}, folds(5)).add("none", split, {{"data", "data.images"}});
    b.add("open", split, {{"data", "five.half"}}, folds(100));
    b.types();
    b.add("six", split, {{"data", "data.images"}}, folds(6));
    b.types({"90: 'folds' is 6, but six.data has only 5 rows"});
}

TEST_CASE("fractions of an input's rows take some and leave some, each of what those before it left") {
    const auto fraction = [](const std::string& name, bool rounded_up) {
        return ParamDescription{.name = name, .type = ParamType::Number, .fallback = "0",
                                .row_fraction = ParamDescription::RowFraction{.of = "data", .rounded_up = rounded_up}};
    };
    CatalogEntry split = entry({.kind = "split"});
    split.description.inputs = {{.name = "data", .shape = "[N, ...S]"}};
    split.description.params = {fraction("test", false), fraction("validation", true),
                                {.name = "folds", .type = ParamType::Integer, .fallback = "null", .excludes = {"test"}}};
    split.description.outputs = {{.name = "half", .dtype_of = "data", .shape = "[_, ...S]"}};
    Builder b;
    const auto parts = [](double test, double validation, ParamValue folds = {}) {
        return std::map<std::string, ParamValue>{{"test", {test, at(90)}}, {"validation", {validation, at(91)}}, {"folds", folds}};
    };
    b.load("data", 10).add("both", split, {{"data", "data.images"}}, parts(0.5, 0.75)).add("none", split, {{"data", "data.images"}}, parts(0, 0));
    b.add("up", split, {{"data", "data.images"}}, parts(0, 0.01)).add("of_folds", split, {{"data", "data.images"}}, parts(0.01, 0, {2}));
    b.add("open", split, {{"data", "both.half"}}, parts(0.01, 0));
    b.types();
    b.add("few", split, {{"data", "data.images"}}, parts(0.04, 0)).add("all", split, {{"data", "data.images"}}, parts(0.9, 0.5));
    b.types({"90: 'test' is 0.04, which takes none of 10 rows: too few",
             "91: 'validation' is 0.5, which takes all of 1 row: nothing is left"});
}

namespace {

// The trainings of the tests, with a loss.
void add_losses(Kinds& kinds) {
    for (StageDescription* stage : {&kinds.train.description, &kinds.fine_tune.description}) {
        stage->inputs.push_back({.name = "val_target", .shape = "[M, ...]", .optional = true});
        stage->params.push_back({.name = "loss", .type = ParamType::Choice, .choices = {"mse", "cross_entropy"}});
        stage->params.push_back({.name = "class_weights", .type = ParamType::Numbers, .fallback = "null", .choices = {"balanced"}});
        stage->loss = LossRule{.loss = "loss", .model = "model", .target = "target", .validation_target = "val_target",
                               .class_weights = "class_weights"};
    }
    kinds.fine_tune.description.params.push_back({.name = "freeze", .type = ParamType::Boolean, .fallback = "false"});
    kinds.fine_tune.description.outputs[0].model->freeze = "freeze";
}

}  // namespace

TEST_CASE("a loss must fit the network and the targets, those of the validation, too") {
    Builder b;
    add_losses(b.kinds);
    b.load("data", 100).add("unit", b.kinds.normalise, {{"images", "data.images"}}).add("file", b.kinds.read);
    const auto with = [&](std::vector<ConfigValue> layers, const std::string& loss) {
        auto params = net(std::move(layers));
        params.emplace("loss", word(loss, 90));
        return params;
    };
    b.add("good", b.kinds.train, {{"x", "unit.images"}, {"target", "data.labels"}}, with({kFlatten, kDense}, "cross_entropy"));
    b.add("open", b.kinds.train, {{"x", "file.data"}, {"target", "file.data"}}, with({kFlatten, kDense}, "cross_entropy"));
    b.types();
    b.add("a", b.kinds.train, {{"x", "unit.images"}, {"target", "unit.images"}}, with({kFlatten, kDense}, "cross_entropy"));
    b.add("b", b.kinds.train,
          {{"x", "unit.images"}, {"target", "data.labels"}, {"val_x", "unit.images"}, {"val_target", "unit.images"}},
          with({kFlatten, kDense}, "cross_entropy"));
    b.add("c", b.kinds.train, {{"x", "unit.images"}, {"target", "data.labels"}}, with({kConv}, "cross_entropy"));
    b.types({"6: a.target wants class numbers [N] of an integer type for cross_entropy, unit.images is float32 [100, 1, 28, 28]",
             "7: b.val_target wants class numbers [N] of an integer type for cross_entropy, unit.images is float32 [100, 1, 28, 28]",
             "90: cross_entropy needs a network whose output is [N, classes], but that of this one is [N, 4, 28, 28]"});
}

TEST_CASE("a frozen base needs a head with weights") {
    Builder b;
    add_losses(b.kinds);
    b.load("data", 100).add("unit", b.kinds.normalise, {{"images", "data.images"}});
    auto params = net({kFlatten, kDense});
    params.emplace("loss", word("cross_entropy", 90));
    b.add("m", b.kinds.train, {{"x", "unit.images"}, {"target", "data.labels"}}, params);
    const auto head = [&](std::vector<ConfigValue> layers, bool freeze) {
        auto given = net(std::move(layers));
        given.emplace("loss", word("cross_entropy", 90));
        given.emplace("freeze", freeze);
        return given;
    };
    const std::map<std::string, std::string> inputs{{"base", "m.model"}, {"x", "unit.images"}, {"target", "data.labels"}};
    b.add("warm", b.kinds.fine_tune, inputs, head({kFlatten}, false)).add("cold", b.kinds.fine_tune, inputs, head({kDense}, true));
    b.types();
    b.add("stuck", b.kinds.fine_tune, inputs, head({kFlatten}, true));
    b.types({"50: nothing to train: the base is frozen, and no layer of 'net' has weights"});
}

TEST_CASE("a metric that no training of this kind reports is an error even if the loss is open") {
    Builder b;
    StageDescription& train = b.kinds.train.description;
    train.params.push_back({.name = "loss", .type = ParamType::Choice, .choices = {"mse"}});
    train.params.push_back({.name = "monitor", .fallback = "auto", .metric_of = {"history"}});
    train.outputs.push_back({.name = "history", .kind = PortKind::History,
                             .metrics = PortDescription::MetricsRule{.of_loss = true, .training = true, .validation = "val_x"}});
    train.loss = LossRule{.loss = "loss", .model = "model", .target = "target"};
    b.add("file", b.kinds.read);
    const auto add = [&](const std::string& name, const std::string& monitor, bool validates) {
        std::map<std::string, std::string> inputs{{"x", "file.data"}, {"target", "file.data"}};
        if (validates) inputs.emplace("val_x", "file.data");
        auto params = net({kFlatten, kDense});
        params.emplace("loss", word("mse", 1));
        params.emplace("monitor", word(monitor, static_cast<int>(b.dag.nodes.size()) + 1));
        b.add(name, b.kinds.train, inputs, params);
    };
    add("a", "val/accuracy", true);
    add("b", "auto", false);
    add("c", "val/loss", false);
    add("d", "val/f1", true);
    b.types({"4: no metric 'val/loss'; c reports at most train/loss, train/accuracy, train/binary_accuracy",
             "5: no metric 'val/f1'; d reports at most train/loss, train/accuracy, train/binary_accuracy, val/loss, val/accuracy, "
             "val/binary_accuracy"});
}

namespace {

template <typename T>
NamedArrays zeros(Shape shape) {
    const std::vector<T> values(static_cast<std::size_t>(element_count(shape)));
    return {{"", Array::of<T>(std::move(shape), values)}};
}

NamedArrays model_of(const std::string& json) {
    return {{kArchitecture, Array::copy_of(DType::UInt8, {static_cast<std::int64_t>(json.size())}, std::as_bytes(std::span(json)))}};
}

// What is wrong with the inputs of the last node of `b`.
std::string told(const Builder& b, const StageInputs& inputs) {
    try {
        (void)check_inputs(b.dag, b.dag.nodes.size() - 1, inputs);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        const Diagnostic& one = error.diagnostics().front();
        return fmt::format("{}: {}{}{}", one.place.line, one.message, one.hint.empty() ? "" : "; ", one.hint);
    }
    return "";
}

}  // namespace

TEST_CASE("what was open in the plan is checked when the node runs, by the same rules, at the place of the edge") {
    Builder b;
    b.add("file", b.kinds.read).add("other", b.kinds.read);
    b.add("m", b.kinds.train, {{"x", "file.data"}, {"target", "other.data"}, {"val_x", "other.data"}}, net({kConv, kFlatten, kDense}));
    const auto of = [&](NamedArrays x, NamedArrays target, NamedArrays val_x) {
        return told(b, {{"x", std::move(x)}, {"target", std::move(target)}, {"val_x", std::move(val_x)}});
    };
    const auto x = zeros<float>({3, 1, 5, 5}), labels = zeros<std::int64_t>({3}), two = zeros<float>({2, 1, 5, 5});
    CHECK(of(x, labels, two).empty());
    CHECK(of(zeros<double>({3, 1, 5, 5}), labels, two) ==
          "3: m.x wants float32 [N, ...], file.data is float64 [3, 1, 5, 5]; file can convert it: write dtype: float32 there");
    CHECK(of(zeros<float>({}), labels, two) == "3: m.x wants float32 [N, ...], file.data is float32 []");
    CHECK(of(x, zeros<std::int64_t>({4}), two) ==
          "3: m.target has 4 rows, m.x has 3: N differs; other.data is int64 [4], file.data is float32 [3, 1, 5, 5]");
    CHECK(of(x, labels, zeros<float>({2, 1, 5, 6})) ==
          "3: m.val_x has samples of shape [1, 5, 6], m.x of shape [1, 5, 5]; other.data is float32 [2, 1, 5, 6], file.data is float32 "
          "[3, 1, 5, 5]");
    CHECK(of(zeros<float>({3, 25}), labels, zeros<float>({2, 25})) ==
          "51: layer conv_1 needs [N, channels, height, width], but gets [N, 25]");
}

TEST_CASE("what a node will return is known in full from what it really reads") {
    Builder b;
    b.add("file", b.kinds.read).add("unit", b.kinds.normalise, {{"images", "file.data"}});
    CHECK(describe(*check_inputs(b.dag, 1, {{"images", zeros<float>({3, 5})}}).find("images")) == "float32 [3, 5]");
}

TEST_CASE("a model that was read says itself what it reads, and one in a form of its author's own is left to the stage") {
    Builder b;
    b.add("file", b.kinds.read);
    b.add("m", b.kinds.train, {{"x", "file.data"}, {"target", "file.data"}}, net({kDense}));
    b.add("f", b.kinds.features, {{"model", "m.model"}, {"x", "file.data"}});
    const NamedArrays model = model_of(R"({"input":[64],"layers":[{"dense":{"units":4}}]})");
    CHECK(told(b, {{"model", model}, {"x", zeros<float>({3, 64})}}).empty());
    CHECK(told(b, {{"model", model}, {"x", zeros<float>({3, 1})}}) ==
          "3: file.data is float32 [3, 1], which the network of m.model cannot read; it was trained on samples of shape [64]");
    CHECK(describe(*check_inputs(b.dag, 2, {{"model", model}, {"x", zeros<float>({3, 64})}}).find("features")) == "float32 [3, 4]");
    for (const char* text : {"", "my own", "[1]", R"({"input":[64],"layers":[{"dnese":4}]})", R"({"input":["a"],"layers":[]})"})
        CHECK(told(b, {{"model", model_of(text)}, {"x", zeros<float>({3, 1})}}).empty());
    CHECK(told(b, {{"model", model_of(std::string(100'000, '['))}, {"x", zeros<float>({3, 1})}}).empty());
    CHECK(told(b, {{"model", model_of(std::string(50'000, '[') + std::string(50'000, ']'))}, {"x", zeros<float>({3, 1})}}).empty());
}

TEST_CASE("an output that contradicts its description is an error in words") {
    StageDescription stage{.kind = "x"};
    stage.outputs = {{.name = "images", .dtypes = {DType::Float32}, .shape = "[N, ...]"},
                     {.name = "metrics", .kind = PortKind::Metrics},
                     {.name = "history", .kind = PortKind::History},
                     {.name = "model", .kind = PortKind::Model}};
    NodeTypes expected;
    expected.outputs["images"] = PortType{.dtype = DType::Float32, .shape = Shape{-1, 2}};
    const auto numbers = [](Shape shape) {
        const std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
        return Array::of<double>(std::move(shape), values);
    };
    const auto images = [](Shape shape) {
        const std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
        return Array::of<float>(std::move(shape), values);
    };
    const std::vector<std::uint8_t> json{'{', '}'};
    StageOutput good;
    good.outputs = {{"images", {{"", images({3, 2})}}},
                    {"metrics", {{"loss", numbers({1})}}},
                    {"history", {{"epoch", numbers({5})}, {"loss", numbers({5})}}},
                    {"model", {{"architecture", Array::of<std::uint8_t>({2}, json)}}}};
    const auto told = [&](const auto& change) {
        StageOutput outcome = good;
        change(outcome.outputs);
        return contradiction(stage, expected, outcome).value_or("");
    };
    CHECK(told([](auto&) {}).empty());
    CHECK(told([](auto& outputs) { outputs.erase("metrics"); }) == "output 'metrics' is missing");
    CHECK(told([](auto& outputs) { outputs["more"]; }) == "output 'more' was never declared");
    CHECK(told([&](auto& outputs) { outputs["images"][""] = images({3, 4}); }) ==
          "output 'images' is float32 [3, 4], but should be float32 [?, 2]");
    CHECK(told([&](auto& outputs) { outputs["images"][""] = numbers({3, 2}); }) ==
          "output 'images' is float64 [3, 2], but should be float32 [?, 2]");
    CHECK(told([&](auto& outputs) { outputs["images"]["a"] = images({3, 2}); }) ==
          "output 'images' must be one array without a name");
    CHECK(told([&](auto& outputs) { outputs["metrics"]["loss"] = numbers({2}); }) ==
          "'loss' of output 'metrics' is float64 [2], but a metric must be float64 [1]");
    CHECK(told([&](auto& outputs) { outputs["history"]["loss"] = numbers({4}); }) ==
          "'loss' of output 'history' is float64 [4], but a history's column must be float64 [5]");
    CHECK(told([&](auto& outputs) { outputs["metrics"]["loss/train"] = numbers({1}); }) ==
          "'loss' and 'loss/train' of output 'metrics' cannot both be names in HDF5: one would be the other's folder");
    CHECK(told([&](auto& outputs) { outputs["metrics"]["../loss"] = numbers({1}); }) ==
          "'../loss' of output 'metrics' cannot be a name in HDF5");
    CHECK(told([](auto& outputs) { outputs["model"].erase("architecture"); }).find("architecture") != std::string::npos);
}

TEST_CASE("an array of a dataset has the element type that its manifest says, unless the port has one of its own") {
    Builder b;
    b.kinds.load.description.outputs[0].dtypes.clear();
    b.load("data", 100);
    for (SourceFile& file : b.dag.nodes.back().files) file.dtype = DType::Float32;
    CHECK(describe(b.type("data", "images")) == "float32 [100, 1, 28, 28]");
    CHECK(describe(b.type("data", "labels")) == "uint8 [100]");
}

TEST_CASE("an array out of a file has the type that its header says, as the parameters have it") {
    const ArrayType images{DType::Float64, {100, 32, 32, 3}};
    Builder b;
    b.read("whole", images).read("part", images, {{"limit", std::int64_t{7}}}).read("turned", images, {{"layout", word("nhwc", 3)}});
    b.read("as_float", images, {{"dtype", word("float32", 4)}, {"layout", word("nchw", 4)}}).read("unknown", std::nullopt);
    b.read("typed", std::nullopt, {{"dtype", word("float32", 6)}});
    CHECK(describe(b.type("whole", "data")) == "float64 [100, 32, 32, 3]");
    CHECK(describe(b.type("part", "data")) == "float64 [7, 32, 32, 3]");
    CHECK(describe(b.type("turned", "data")) == "float64 [100, 3, 32, 32]");
    CHECK(describe(b.type("as_float", "data")) == "float32 [100, 32, 32, 3]");
    CHECK(describe(b.type("unknown", "data")) == "? [?]");
    CHECK(describe(b.type("typed", "data")) == "float32 [?]");
    const auto shape = [](std::vector<double> extents) { return ParamValue(std::move(extents)); };
    const ArrayType rows{DType::UInt8, {kUnknown, 3072}};
    b.read("csv", rows, {{"reshape", shape({3, 32, 32})}});
    b.read("flat", rows, {{"reshape", shape({32, 32, 3})}, {"layout", word("nhwc", 8)}, {"limit", std::int64_t{5}}});
    b.kinds.read.description.outputs.push_back({.name = "labels", .dtypes = {DType::Int64}, .shape = "rows(file)"});
    CHECK(describe(b.type("part", "labels")) == "int64 [7]");
    CHECK(describe(b.type("csv", "labels")) == "int64 [?]");
    CHECK(describe(b.type("unknown", "labels")) == "int64 [?]");
    CHECK(describe(b.type("csv", "data")) == "uint8 [?, 3, 32, 32]");
    CHECK(describe(b.type("flat", "data")) == "uint8 [?, 3, 32, 32]");
}

TEST_CASE("an array out of a file that does not fit is reported before anything runs, with what converts it") {
    Builder b;
    b.read("doubles", ArrayType{DType::Float64, {8, 5}}).read("rows", ArrayType{DType::Float32, {8, 5}}, {{"layout", word("nhwc", 2)}});
    b.add("unit", b.kinds.normalise, {{"images", "doubles.data"}});
    Diagnostics found;
    b.read("wrong", ArrayType{DType::Float32, {8, 5}}, {{"reshape", ParamValue(std::vector<double>{8, 5}, at(3))}});
    (void)infer_types(b.dag, found);
    CHECK(found.found().back().message == "wrong.npy cannot be reshaped: its entries have 5 elements (shape [5]), not 40 (shape [8, 5])");
    CHECK(found.found().back().hint == "reshape is the shape of one entry, without their number: reshape: [1, 28, 28]");
    CHECK(found.found().back().place.line == 3);
    CHECK(found.found()[0].message == "layout nhwc is for an array [N, H, W, C], rows.npy is float32 [8, 5]");
    CHECK(found.found()[1].message == "unit.images wants uint8 or float32 [N, ...], doubles.data is float64 [8, 5]");
    CHECK(found.found()[1].hint == "doubles can convert it: write dtype: float32 there");
}
