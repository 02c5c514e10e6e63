#include "pipeline/dag_file/stage_defaults.h"

#include <catch2/catch.hpp>

#include "pipeline/sweep/sweep.h"
#include "tests/support/small_dag.h"

using namespace satdl;

namespace {

const std::string kNet = "networks: {net: [flatten, {dense: 10, activation: softmax}]}\n";
const std::string kData =
    "  mnist: {kind: load, dataset: mnist}\n"
    "  unit: {kind: normalise, in: {images: mnist.images}}\n";

// A training under this name, with these parameters of its own.
std::string training(const std::string& name, const std::string& own) {
    return "  " + name + ": {kind: train, in: {x: unit.images, target: mnist.labels}, net: net, loss: cross_entropy" +
           (own.empty() ? "" : ", ") + own + "}\n";
}

std::string file(const std::string& defaults, const std::string& stages) {
    return kNet + "defaults:\n" + defaults + "stages:\n" + kData + stages;
}

// Each stage with its parameters as they count, and what its attempts may do.
Lines described(const Dag& dag) {
    Lines all;
    for (const Node& node : dag.nodes) {
        std::string line = fmt::format("{} {} {} {}", node.name, node.policy.retries, node.policy.timeout_seconds.value_or(0),
                                       node.policy.isolate);
        for (const auto& [name, value] : node.params.values()) line += " " + name + "=" + value.canonical();
        for (const SourceFile& source : node.files) line += " " + source.role;
        all.push_back(std::move(line));
    }
    return all;
}

}  // namespace

TEST_CASE("a DAG with defaults is the DAG in which each stage says everything itself") {
    const std::string params = "params: {epochs: 3, threads: 2, seed: 9, limit: 7}\n";
    const Dag written =
        build(params + kNet +
              "stages:\n"
              "  mnist: {foreach: [train, test], do: {kind: load, dataset: mnist, split: \"${item}\", limit: \"${limit}\", retries: 1}}\n"
              "  unit: {kind: normalise, in: {images: mnist@train.images}, scale: 2, retries: 1}\n"
              "  noisy: {kind: add_noise, in: {images: unit.images}, seed: 9, retries: 1}\n"
              "  m1: {kind: train, in: {x: noisy.images, target: mnist@train.labels}, net: net, loss: cross_entropy, epochs: 3, threads: "
              "2, retries: 4, "
              "timeout: 2h, isolate: true}\n"
              "  m2: {kind: train, in: {x: noisy.images, target: unit.images}, net: [{conv: 1}], loss: mse, epochs: 5, "
              "threads: 2, retries: 4, isolate: true}\n");
    const Dag shared = build(params + kNet +
                             "defaults:\n"
                             "  \"*\": {threads: \"${threads}\", seed: \"${seed}\", retries: 1}\n"
                             "  load: {dataset: mnist, limit: \"${limit}\"}\n"
                             "  train: {net: net, loss: cross_entropy, epochs: \"${epochs}\", retries: 4, timeout: 2h, isolate: true}\n"
                             "stages:\n"
                             "  mnist: {foreach: [train, test], do: {kind: load, split: \"${item}\"}}\n"
                             "  unit: {kind: normalise, in: {images: mnist@train.images}, scale: 2}\n"
                             "  noisy: {kind: add_noise, in: {images: unit.images}}\n"
                             "  m1: {kind: train, in: {x: noisy.images, target: mnist@train.labels}}\n"
                             "  m2: {kind: train, in: {x: noisy.images, target: unit.images}, net: [{conv: 1}], loss: mse, epochs: 5, "
                             "timeout: null}\n");
    CHECK(described(shared) == described(written));
}

TEST_CASE("a stage's own value wins over its kind's default, and that over the default of all") {
    const Dag dag = build(file("  \"*\": {epochs: 1, threads: 1, retries: 1}\n  train: {epochs: 2, retries: 2}\n",
                               training("a", "") + training("b", "epochs: 3, retries: 0")));
    CHECK(dag.find("a")->params.integer("epochs") == 2);
    CHECK(dag.find("a")->params.integer("threads") == 1);
    CHECK(dag.find("a")->policy.retries == 2);
    CHECK(dag.find("b")->params.integer("epochs") == 3);
    CHECK(dag.find("b")->policy.retries == 0);
    CHECK(dag.find("mnist")->policy.retries == 1);
}

TEST_CASE("null is a value like any other: it takes a default back where the parameter may be null") {
    const Dag dag = build(file("  train: {patience: 2, timeout: 1h}\n  load: {limit: null}\n",
                               training("a", "") + training("b", "patience: null, timeout: null")));
    CHECK(dag.find("a")->params.integer("patience") == 2);
    CHECK_FALSE(dag.find("b")->params.given("patience"));
    CHECK(dag.find("a")->policy.timeout_seconds);
    CHECK_FALSE(dag.find("b")->policy.timeout_seconds);
    CHECK(mistakes(file("  train: {epochs: null}\n", training("a", "") + training("b", "epochs: 1"))) ==
          Lines{"3:19 'epochs' must be a whole number, not null"});
}

TEST_CASE("defaults follow the profile, --set and a sweep as all values do") {
    const std::string text = "params: {epochs: 3}\nprofiles: {quick: {epochs: 1}}\n" +
                             file("  train: {epochs: \"${epochs}\"}\n", training("a", ""));
    CHECK(build(text).find("a")->params.integer("epochs") == 3);
    CHECK(build(text, {.profile = "quick", .set = {}}).find("a")->params.integer("epochs") == 1);
    CHECK(build(text, {.profile = "", .set = {parse_setting("epochs=8")}}).find("a")->params.integer("epochs") == 8);
    CHECK(mistakes(text, {.profile = "", .set = {parse_setting("epochs=0")}}) ==
          Lines{"5:19 'epochs' is 0, but must lie between 1 and 100000 epochs"});
}

TEST_CASE("the defaults of an included file lie below those of the file that includes it") {
    const std::map<std::string, std::string> files{
        {"a.yaml", "include: b.yaml\ndefaults:\n  train: {epochs: 2}\n  load: null\nstages:\n" + training("m", "")},
        {"b.yaml", kNet + "defaults:\n  \"*\": {threads: 3}\n  train: {epochs: 1, shuffle: false}\n  load: {limit: 5}\nstages:\n" + kData}};
    const DocumentReader read = [&](const std::filesystem::path& path) {
        return parse_yaml(std::make_shared<const SourceText>(SourceText{path.string(), files.at(path.string())}));
    };
    const Catalog catalog = small_catalog();
    const DatasetIndex datasets({std::filesystem::path(SATDL_SOURCE_DIR) / "data"});
    const Dag dag = DagSource("a.yaml", read("a.yaml"), read).build({}, catalog, datasets);
    CHECK(dag.find("m")->params.integer("epochs") == 2);
    CHECK_FALSE(dag.find("m")->params.boolean("shuffle"));
    CHECK(dag.find("m")->params.integer("threads") == 3);
    CHECK_FALSE(dag.find("mnist")->params.given("limit"));  // `load: null` takes back what b.yaml says of it
}

TEST_CASE("a default path begins at the folder of the file in which it stands") {
    const std::filesystem::path folder = std::filesystem::path(SATDL_SOURCE_DIR) / "tests";
    const std::map<std::string, std::string> files{
        {"a.yaml", "include: golden/b.yaml\ndefaults: {read: {file: README.md}}\n"},
        {"b.yaml", "stages: {x: {kind: read}, y: {kind: read, file: empty.yaml}}\n"}};
    const DocumentReader read = [&](const std::filesystem::path& path) {
        return parse_yaml(std::make_shared<const SourceText>(SourceText{path.string(), files.at(path.filename().string())}));
    };
    const Catalog catalog = small_catalog();
    const Dag dag = DagSource(folder / "a.yaml", read(folder / "a.yaml"), read).build({}, catalog, DatasetIndex({}));
    CHECK(dag.find("x")->files.at(0).path == folder / "README.md");
    CHECK(dag.find("y")->files.at(0).path == folder / "golden/empty.yaml");
}

TEST_CASE("whether a stage takes a default is a property of the file, whatever the parameters are") {
    const auto with = [](const std::string& which) { return Settings{.profile = "", .set = {parse_setting(which)}}; };
    SECTION("a group without stages") {
        const std::string text = "params: {which: [a]}\ndefaults: {add_noise: {seed: 1}}\nstages:\n" + kData +
                                 "  noisy: {foreach: \"${which}\", do: {kind: add_noise, in: {images: unit.images}}}\n";
        CHECK(mistakes(text).empty());
        CHECK(mistakes(text, with("which=[]")).empty());
    }
    SECTION("a kind that is a parameter") {
        const std::string text = "params: {how: add_noise}\n"
                                 "defaults: {add_noise: {seed: 1}, normalise: {scale: 2}, \"*\": {noise_factor: 0.1}}\nstages:\n"
                                 "  mnist: {kind: load, dataset: mnist}\n  x: {kind: \"${how}\", in: {images: mnist.images}}\n"
                                 "  y: {kind: add_noise, in: {images: x}}\n";
        CHECK(mistakes(text, with("how=normalise")).empty());
    }
    SECTION("a kind that is a mistake is the only one") {
        CHECK(mistakes("defaults: {add_noise: {seed: 1}, \"*\": {noise_factor: 0.1}}\nstages:\n" + kData +
                       "  y: {kind: add_nose}\n  z: {kind: [load]}\n  w: 3\n").size() == 3);
        CHECK(mistakes("defaults: {add_noise: {seed: 1}}\nstages: {}\n") ==
              Lines{"1:1 the file has no stages | stages: {name: {kind: ...}, ...}; see docs/yaml.md"});
    }
    SECTION("a kind that no stage has") {
        CHECK(mistakes("defaults: {add_noise: {seed: 1}}\nstages:\n" + kData) ==
              Lines{"1:12 no stage is of kind 'add_noise' | known: load, normalise"});
    }
    SECTION("a default that every stage overrides") {
        CHECK(mistakes(file("  \"*\": {epochs: 1}\n  train: {epochs: 2, momentum: 0.5}\n",
                            training("a", "epochs: 4, momentum: 0") + training("b", "epochs: 4, optimiser: adam"))).empty());
    }
}

TEST_CASE("a default yields to what a stage says itself") {
    const Dag dag = build(
        file("  train: {optimiser: sgd, momentum: 0.9, patience: 3, min_delta: 0.1, validation_fraction: 0.2}\n",
             training("a", "") + training("b", "optimiser: adam") + training("c", "patience: null") +
                 "  d: {kind: train, in: {x: unit.images, target: mnist.labels, val_x: unit.images}, net: net, loss: cross_entropy}\n"));
    CHECK(dag.find("a")->params.number("momentum") == 0.9);
    CHECK(dag.find("a")->params.number("validation_fraction") == 0.2);
    CHECK(dag.find("b")->params.number("momentum") == 0);
    CHECK(dag.find("b")->params.number("min_delta") == 0.1);
    CHECK(dag.find("c")->params.number("min_delta") == 0);
    CHECK(dag.find("d")->params.number("validation_fraction") == 0);
    CHECK(dag.find("d")->params.number("momentum") == 0.9);
}

TEST_CASE("a default yields where what it needs is left at the built-in default, and to the default of a kind") {
    const Dag dag = build(file("  \"*\": {momentum: 0.9, retry_delay: 5s}\n  train: {min_delta: 0.1}\n",
                               training("a", "optimiser: sgd, retries: 1") + training("b", "patience: 2")));
    CHECK(dag.find("a")->params.number("momentum") == 0.9);
    CHECK(dag.find("a")->params.number("min_delta") == 0);
    CHECK(dag.find("a")->policy.retry_delay_seconds == 5);
    CHECK(dag.find("b")->params.number("momentum") == 0);
    CHECK(dag.find("b")->params.number("min_delta") == 0.1);
    CHECK(dag.find("b")->policy.retry_delay_seconds == 0);
    CHECK(build(file("  \"*\": {momentum: 0.9}\n  train: {optimiser: adam}\n", training("a", "") + training("b", "optimiser: sgd")))
              .find("a")->params.number("momentum") == 0);
}

TEST_CASE("defaults of one map that conflict are a mistake, as they are in a stage") {
    const std::string text = "params: {optimiser: sgd, momentum: 0.9}\n" +
                             file("  train: {optimiser: \"${optimiser}\", momentum: \"${momentum}\"}\n",
                                  training("a", "") + training("b", ""));
    CHECK(build(text).find("b")->params.number("momentum") == 0.9);
    CHECK(mistakes(text, {.profile = "", .set = {parse_setting("optimiser=adam")}}) ==
          Lines{"4:48 'momentum' has no effect when 'optimiser' is adam | it needs optimiser: sgd\nin stage 'a'"});
    CHECK(mistakes(text, {.profile = "", .set = {parse_setting("optimiser=adam"), parse_setting("momentum=0")}}).empty());
}

TEST_CASE("a default that conflicts with every stage is a mistake, unless a parameter decides it") {
    const std::string defaults = "  train: {momentum: 0.9}\n";
    CHECK(mistakes(file(defaults, training("a", "") + training("b", "optimiser: adam"))) ==
          Lines{"3:21 'momentum' has no effect when 'optimiser' is adam | it needs optimiser: sgd\nno stage takes this default"});
    CHECK(mistakes("params: {how: adam}\n" + file(defaults, training("a", "optimiser: \"${how}\""))).empty());
    CHECK(mistakes(file(defaults, training("a", "optimiser: sgd")), {.profile = "", .set = {parse_setting("a.optimiser=adam")}}).empty());
    CHECK(mistakes("params: {more: []}\n" +
                   file(defaults, training("a", "") + "  b: {foreach: \"${more}\", do: {kind: train, optimiser: sgd}}\n")).empty());
    CHECK(mistakes(file("  train: {retry_delay: 5s}\n", training("a", ""))) ==
          Lines{"3:24 'retry_delay' has no effect without 'retries' | no stage takes this default"});
    CHECK(mistakes(file("  \"*\": {retries: 1}\n  train: {retry_delay: 5s}\n", training("a", ""))).empty());
}

TEST_CASE("a sweep may give an axis to defaults, and its points share what it does not change") {
    const auto source = std::make_shared<const SourceText>(SourceText{
        "a.yaml", "params: {how: adam, seed: 1}\n" +
                      file("  \"*\": {seed: \"${seed}\"}\n  train: {momentum: 0.9}\n",
                           "  noisy: {kind: add_noise, in: {images: unit.images}}\n" + training("a", "optimiser: \"${how}\""))});
    const Catalog catalog = small_catalog();
    const DatasetIndex datasets({std::filesystem::path(SATDL_SOURCE_DIR) / "data"});
    const DagSource dag("a.yaml", parse_yaml(source));
    const auto axes = std::make_shared<const SourceText>(SourceText{"s", "{how: [adam, sgd], seed: [1, 2]}"});
    const SweepDesign design = design_from_yaml(parse_yaml(axes));
    const Sweep sweep = make_sweep(dag, {}, design, catalog, datasets);
    CHECK(sweep.points.size() == 4);
    CHECK(sweep.dag.nodes.size() == 2 + 2 + 2);
    CHECK(sweep.dag.find("a[how=adam]")->params.number("momentum") == 0);
    CHECK(sweep.dag.find("a[how=sgd]")->params.number("momentum") == 0.9);
    CHECK(sweep.dag.find("noisy[seed=2]")->params.integer("seed") == 2);
}

TEST_CASE("the text '${' in a default stays what it is") {
    const Dag dag = build("defaults: {load: {dataset: mnist, split: \"$${x}\"}}\nstages: {a: {kind: load, split: train}}\n");
    CHECK(dag.nodes.size() == 1);
    CHECK(mistakes("defaults: {load: {dataset: mnist, split: \"$${x}\"}}\nstages: {a: {kind: load}}\n") ==
          Lines{"1:42 dataset 'mnist' has no split '${x}' | known: test, train"});
}

TEST_CASE("defaults with a byte changed, dropped or doubled make a DAG, or are reported") {
    const std::string good = "params: {e: 2}\n" + kNet +
                             "defaults: {\"*\": {seed: 7, retries: 1}, train: {epochs: \"${e}\", momentum: 0.1}}\nstages:\n" + kData +
                             training("a", "optimiser: sgd");
    const auto survives = [](const std::string& text) {
        try {
            return !build(text).nodes.empty();
        } catch (const Error& error) {
            return error.code() == ExitCode::Usage && !error.diagnostics().empty();
        }
    };
    const std::size_t begin = good.find("defaults:"), end = good.find("stages:");
    for (std::size_t i = begin; i < end; ++i) {
        for (const char c : {' ', '\n', ':', ',', '{', '}', '[', ']', '"', '$', '*', '~', '0', 'x'}) {
            std::string changed = good;
            changed[i] = c;
            CHECK(survives(changed));
        }
        CHECK(survives(good.substr(0, i) + good.substr(i + 1)));
        CHECK(survives(good.substr(0, i) + good[i] + good.substr(i)));
    }
}
