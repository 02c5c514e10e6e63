#include "pipeline/dag_file/dag_source.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/support/small_dag.h"

using namespace satdl;

namespace {

Lines names(const Dag& dag) {
    Lines all;
    for (const Node& node : dag.nodes) all.push_back(node.name);
    return all;
}

const std::string kNet = "networks: {net: [flatten, {dense: 4}]}\n";

}  // namespace



TEST_CASE("a small file becomes a DAG: nodes in order, edges, defaults, files") {
    const Dag dag = build(
        "stages:\n"
        "  unit: {kind: normalise, about: to 0..1, in: {images: mnist.images}}\n"
        "  mnist: {kind: load, dataset: mnist}\n");
    CHECK(dag.name == "a");
    CHECK(names(dag) == Lines{"mnist", "unit"});
    const Node& unit = dag.nodes[1];
    CHECK(unit.about == "to 0..1");
    CHECK(unit.place.text() == "a.yaml:2:3");
    CHECK(unit.params.number("scale") == 255);
    REQUIRE(unit.inputs.size() == 1);
    CHECK(unit.inputs[0].from == 0);
    CHECK(unit.inputs[0].from_port == "images");
    CHECK(unit.inputs[0].place.text() == "a.yaml:2:56");
    const Node& mnist = dag.nodes[0];
    CHECK_FALSE(mnist.params.given("limit"));
    CHECK(mnist.params.text("split") == "train");
    REQUIRE(mnist.files.size() == 2);
    CHECK(mnist.files[0].dataset == "mnist");
    CHECK(mnist.files[0].expected);
    CHECK(mnist.files[0].place.line == 3);
    CHECK(dag.groups.empty());
}

TEST_CASE("a stage with one output may be named alone, and a port comes after the last dot") {
    const Dag dag = build(
        "stages:\n"
        "  n: {foreach: [0.1, a.b], do: {kind: normalise, in: {images: \"l.images\"}}}\n"
        "  l: {kind: load, dataset: mnist}\n"
        "  x: {kind: normalise, in: {images: n@0.1}}\n"
        "  y: {kind: normalise, in: {images: n@a.b.images}}\n");
    CHECK(names(dag) == Lines{"l", "n@0.1", "n@a.b", "x", "y"});
    CHECK(dag.nodes[3].inputs[0].from == 1);
    CHECK(dag.nodes[4].inputs[0].from == 2);
}

TEST_CASE("foreach and matrix make one node an item, in order") {
    const Dag dag = build(
        "params: {splits: [train, test]}\n"
        "stages:\n"
        "  l: {foreach: \"${splits}\", do: {kind: load, dataset: mnist, split: \"${item}\"}}\n"
        "  m: {matrix: {s: [1, 2], f: [0.1, 0.2]}, do: {kind: add_noise, in: {images: n.images}, seed: \"${item.s}\", "
        "noise_factor: ${item.f}}}\n"
        "  n: {kind: normalise, in: {images: l@test.images}}\n"
        "  k: {foreach: {small: {n: 5}, large: {n: 50}}, do: {kind: load, dataset: mnist, limit: \"${item.n}\", about: "
        "\"${key}\"}}\n");
    CHECK(names(dag) == Lines{"l@train", "l@test", "n", "m@1,0.1", "m@1,0.2", "m@2,0.1", "m@2,0.2", "k@small", "k@large"});
    CHECK(dag.groups.at("m") == std::vector<NodeId>{3, 4, 5, 6});
    CHECK(dag.groups.at("l") == std::vector<NodeId>{0, 1});
    CHECK(dag.nodes[5].group == "m");
    CHECK(dag.nodes[5].params.integer("seed") == 2);
    CHECK(dag.nodes[5].params.number("noise_factor") == 0.1);
    CHECK(dag.nodes[1].params.text("split") == "test");
    CHECK(dag.nodes[7].params.integer("limit") == 5);
    CHECK(dag.nodes[7].about == "small");
}

TEST_CASE("an error in foreach or matrix is reported once, not once per item") {
    CHECK(
        mistakes("stages:\n  a: {foreach: [x, y], do: {kind: laod}}\n  b: {foreach: [x, x/y, [1], x], do: {kind: load, "
                 "dataset: mnist}}\n"
                 "  c: {foreach: [x]}\n  d: {foreach: 3, do: {kind: load}}\n  e: {matrix: [1], do: {kind: load, dataset: "
                 "mnist}}\n"
                 "  f: {foreach: [x], seed: 1, do: {kind: load, dataset: mnist}}\n  g: {foreach: [], do: {kind: load}}\n") ==
        Lines{"2:35 there is no stage kind 'laod' | did you mean 'load'?",
              "3:20 'x/y' cannot be part of a stage's name | use letters, digits and _ . + -, at most 64, or name the "
              "items: {name: item}",
              "3:25 an item of this list must be text or a number, not a list | name the items: {name: item, ...}",
              "3:30 the item 'x' is duplicated",
              "4:3 'foreach' and 'matrix' need a 'do' that describes the stage | do: {kind: ..., in: {...}, ...}",
              "5:16 the items must be a list or a map, not the number 3",
              "6:15 'matrix' must be a map from names to items, not a list | matrix: {a: [1, 2], b: [x, y]}",
              "7:21 'seed' is not allowed next to 'foreach' | move it into 'do', which describes the stage",
              "8:16 there are no items here"});
    std::string huge = "stages: {a: {matrix: {";
    for (int axis = 0; axis < 9; ++axis) huge += fmt::format("a{}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], ", axis);
    CHECK_THAT(mistakes(huge + "}, do: {kind: load, dataset: mnist}}}").at(0),
               Catch::Contains("this matrix has more than 100000 stages"));
}

TEST_CASE("a group with wrong items is not reported as lacking stages") {
    const std::string text =
        "stages:\n  l: {foreach: \"${nix}\", do: {kind: load, dataset: mnist}}\n  k: {foreach: [x, y/y], do: {kind: load, dataset: mnist}}\n";
    CHECK(mistakes(text + "  m: {kind: normalise, in: {images: l@x.images}}\n  n: {kind: normalise, in: {images: k@y.images}}\n").size() == 2);
    CHECK(mistakes(text + "  m: {kind: normalise, in: {images: j@x.images}}\n").size() == 3);
}

TEST_CASE("a list from a parameter may be empty, and then reading from its stages is an error") {
    const std::string text =
        "params: {which: []}\nstages:\n  l: {kind: load, dataset: mnist}\n  n: {foreach: \"${which}\", do: {kind: normalise, "
        "in: {images: l.images}}}\n";
    CHECK(names(build(text)) == Lines{"l"});
    CHECK(mistakes(text + "  m: {kind: normalise, in: {images: n}}\n") ==
          Lines{"5:37 the group 'n' is empty | the parameter that lists its items is empty"});
    CHECK(mistakes(text + "  m: {kind: normalise, in: {images: n@x.images}}\n") ==
          Lines{"5:37 the group 'n' is empty | the parameter that lists its items is empty"});
}

TEST_CASE("an error in a stage says what to do") {
    CHECK(mistakes("stages:\n  a: {kind: load}\n  b: {dataset: mnist}\n  c: 3\n  1d: {kind: load, dataset: mnist}\n  e: "
                   "{kind: [load]}\n"
                   "  f: {kind: normalise, images: a.images}\n  g: {kind: normalise, in: {scale: 3}}\n  h: {kind: load, "
                   "dataset: mnsit, split: x}\n"
                   "  i: {kind: load, dataset: mnist, split: tets}\n  j: {kind: read, file: nix.npy}\n") ==
          Lines{"2:3 stage kind 'load' needs the parameter 'dataset' | dataset: which dataset",
                "3:3 stage 'b' has no kind | add 'kind: ...'; `satdl stages` lists all kinds",
                "4:6 stage 'c' must be a map, not the number 3 | c: {kind: ..., in: {...}, ...}",
                "5:3 '1d' is not a valid stage name | use letters, digits, '_' and '-', starting with a letter or '_', at most 64",
                "6:13 'kind' must be text, not a list | known: add_noise, judge, load, normalise, read, train",
                "7:24 stage kind 'normalise' has no parameter 'images' | 'images' is an input: write it under 'in', as in: "
                "{images: stage.port}",
                "8:28 stage kind 'normalise' needs the input 'images' | in: {images: stage.port}\nimages: raw images",
                "8:29 stage kind 'normalise' has no input 'scale' | 'scale' is a parameter: write it next to 'kind', not "
                "under 'in'",
                "9:28 there is no dataset 'mnsit' | did you mean 'mnist'?",
                "10:42 dataset 'mnist' has no split 'tets' | did you mean 'test'?",
                "11:25 there is no file nix.npy | relative paths begin at folder"});
}

TEST_CASE("a value of the wrong type, range or choice is an error that says what to write") {
    const auto one = [](const std::string& kind, const std::string& written) {
        const Lines found = mistakes(
            kNet +
            "stages:\n  l: {kind: load, dataset: mnist}\n  n: {kind: normalise, in: {images: l.images}}\n  s: {kind: " +
            kind + ", " + written + "}\n");
        return found.size() == 1 ? found[0].substr(found[0].find(' ') + 1) : fmt::format("{} mistakes", found.size());
    };
    const std::string load = "load, dataset: mnist", noise = "add_noise, in: {images: n}",
                      train = "train, in: {x: n, target: l.labels}, net: net";
    CHECK(one(load, "limit: 010") == "'limit' must be a whole number, not the text '010' | write 10");
    CHECK(one(load, "limit: 0x10") == "'limit' must be a whole number, not the text '0x10' | write 16");
    CHECK(one(load, "limit: 1_000") == "'limit' must be a whole number, not the text '1_000' | write 1000");
    CHECK(one(load, "limit: 5.0") == "'limit' must be a whole number, not the number 5.0 | write 5");
    CHECK(one(load, "limit: '5'") == "'limit' must be a whole number, not the text '5' | write 5 without quotes");
    CHECK(one(load, "limit: 1.5") == "'limit' must be a whole number, not the number 1.5 | limit: at most so many");
    CHECK(one(load, "limit: 0") == "'limit' is 0, but must be at least 1 | limit: at most so many");
    CHECK(one(noise, "noise_factor: .5") == "'noise_factor' must be a number, not the text '.5' | write 0.5");
    CHECK(one(noise, "noise_factor: .nan") ==
          "'noise_factor' must be a number, not the text '.nan' | noise_factor: standard deviation of the noise");
    CHECK(one(noise, "noise_factor: 11") ==
          "'noise_factor' is 11, but must lie between 0 and 10 | noise_factor: standard deviation of the noise");
    CHECK(one(noise, "noise_factor: ~") ==
          "'noise_factor' must be a number, not null | noise_factor: standard deviation of the noise");
    CHECK(one(train, "loss: mes") == "'loss' cannot be the text 'mes' | did you mean 'mse'?");
    CHECK(one(train, "loss: mse, shuffle: yes") == "'shuffle' must be true or false, not the text 'yes' | write true");
    CHECK(one(train, "loss: mse, shuffle: NO") == "'shuffle' must be true or false, not the text 'NO' | write false");
    CHECK(one(train, "loss: mse, threads: 0") == "'threads' is 0, but must lie between 1 and 256");
    CHECK(one(train, "loss: mse, threads: many") == "'threads' must be a number of threads or auto, not the text 'many'");
    CHECK(one(train, "loss: mse, precision: fp16") == "'precision' cannot be the text 'fp16' | known: fp32, tf32, bf16, auto");
    CHECK(one(train, "loss: mse, precision: [bf16]") == "'precision' must be fp32, tf32, bf16 or auto, not a list");
    CHECK(one(train, "loss: mse, device: gpu") == "'device' cannot be the text 'gpu' | known: cpu, cuda, auto");
    CHECK(one(train, "loss: mse, device: {cuda: 1}") == "'device' must be cpu, cuda or auto, not a map");
    CHECK(one(train, "loss: mse, epochs: 1000000") == "'epochs' is 1000000, but must lie between 1 and 100000 epochs");
}

TEST_CASE("a stage's name alone stands for its one output of the port's kind") {
    const std::string two = kNet +
                            "stages:\n  l: {kind: load, dataset: mnist}\n  n: {kind: normalise, in: {images: l.images}}\n"
                            "  a: {kind: train, in: {x: n, target: l.labels}, net: net, loss: cross_entropy}\n"
                            "  b: {kind: train, in: {x: n, target: l.labels}, net: net, loss: cross_entropy}\n";
    const Dag dag = build(two + "  j: {kind: judge, in: {one: a, other: b.metrics}}\n");
    CHECK(dag.find("j")->inputs.at(0).from_port == "metrics");
    CHECK(dag.find("j")->inputs.at(1).from_port == "metrics");
    CHECK(mistakes(two + "  j: {kind: judge, in: {one: a, other: l}}\n") ==
          Lines{"7:40 'l' has no output that is of the kind metrics, as 'other' is | its outputs: images, labels"});
}

TEST_CASE("an edge to something that does not exist is an error that lists what exists") {
    CHECK(
        mistakes(
            "stages:\n  l: {foreach: [train, test], do: {kind: load, dataset: mnist, split: \"${item}\"}}\n"
            "  a: {kind: normalise, in: {images: l@tarin.images}}\n  b: {kind: normalise, in: {images: l@train.imags}}\n"
            "  c: {kind: normalise, in: {images: l.images}}\n  d: {kind: normalise, in: {images: l@train}}\n"
            "  e: {kind: normalise, in: {images: 3}}\n  f: {kind: normalise, in: {images: [l]}}\n  g: {kind: normalise, in: "
            "l@train.images}\n") ==
        Lines{
            "3:37 there is no stage 'l@tarin' | did you mean 'l@train'?",
            "4:37 'l@train' (stage kind 'load') has no output 'imags' | did you mean 'images'?",
            "5:37 'l' is a group of stages | name one of them, such as l@train.port",
            "6:37 'l@train' has several outputs: images, labels | name one of them, such as l@train.images",
            "7:37 there is no stage '3' | known: l@train, l@test, a, b, c, d, e, f, g",
            "8:37 input 'images' must be stage.port, not a list",
            "9:28 'in' must be a map from port to stage.port, not the text 'l@train.images' | in: {port: stage.port, ...}"});
}

TEST_CASE("a cycle and a type error elsewhere are reported together") {
    CHECK(mistakes(kNet + "stages:\n  l: {kind: load, dataset: mnist}\n  n: {kind: normalise, in: {images: l.images}}\n"
                          "  a: {kind: normalise, in: {images: c}}\n  b: {kind: normalise, in: {images: a}}\n  c: {kind: "
                          "normalise, in: {images: b}}\n"
                          "  t: {kind: train, in: {x: l.images, target: l.labels}, net: net, loss: mse}\n  u: {kind: nix}\n")
              .size() == 3);
}

TEST_CASE("networks are checked once where they are written, even if no stage uses them") {
    CHECK(mistakes("networks: {bad: [{cnov: 3}], worse: 3}\nstages:\n  l: {kind: load, dataset: mnist}\n  n: {kind: "
                   "normalise, in: {images: l.images}}\n"
                   "  t: {kind: train, in: {x: n, target: l.labels}, net: bad, loss: mse}\n  u: {kind: train, in: {x: n, "
                   "target: l.labels}, net: bda, loss: mse}\n")
              .size() == 3);
    CHECK(mistakes("stages:\n  l: {kind: load, dataset: mnist}\n  n: {kind: normalise, in: {images: l.images}}\n"
                   "  t: {kind: train, in: {x: n, target: l.labels}, net: x, loss: mse}\n  u: {kind: train, in: {x: n, "
                   "target: l.labels}, net: {}, loss: mse}\n") ==
          Lines{"4:55 there is no network 'x' | write it under 'networks', as a list of layers",
                "5:55 'net' must be a network, not a map | a list of layers, or the name of one under 'networks'"});
}

TEST_CASE("sections of the file are checked") {
    CHECK(mistakes("- a\n") ==
          Lines{"1:1 a DAG file must be a map with 'stages', not a list | stages: {name: {kind: ...}, ...}; see docs/yaml.md"});
    CHECK(mistakes("name: x\n") == Lines{"1:1 the file has no stages | stages: {name: {kind: ...}, ...}; see docs/yaml.md"});
    CHECK(mistakes("name: a/b\nstage: {}\nparams: 3\nnumerics: fast\nstages: [x]\n") ==
          Lines{"1:7 this cannot be the name of a DAG | 1 to 64 characters without '/', not beginning with '.'",
                "2:1 a DAG file has no section 'stage' | did you mean 'stages'?",
                "3:9 'params' must be a map, not the number 3", "4:11 'numerics' must be exact or portable, not the text 'fast'",
                "5:9 'stages' must be a map, not a list"});
}

TEST_CASE("a file parameter is found beside the DAG file") {
    const auto folder = std::filesystem::temp_directory_path() / fmt::format("satdl_dag_yaml_test_{}", ::getpid());
    std::filesystem::create_directories(folder / "sub");
    std::ofstream(folder / "x.npy") << "x";
    std::ofstream(folder / "dag.yaml") << "stages:\n  a: {kind: read, file: x.npy}\n  b: {kind: read, file: "
                                       << (folder / "x.npy").string() << "}\n";
    static const Catalog catalog = small_catalog();
    const Dag dag = DagSource(folder / "dag.yaml").build({}, catalog, DatasetIndex({}));
    CHECK(dag.nodes[0].files[0].path == folder / "x.npy");
    CHECK(dag.nodes[1].files[0].path == folder / "x.npy");
    CHECK(dag.nodes[0].files[0].role == "file");
    std::ofstream(folder / "dag.yaml") << "stages:\n  a: {kind: read, file: sub}\n";
    CHECK_THROWS_WITH(DagSource(folder / "dag.yaml").build({}, catalog, DatasetIndex({})),
                      Catch::Contains("this is a folder, not a file: sub") && Catch::Contains("kind: read_images, folder: sub"));
    static const Catalog with_folders = [] {
        StageDescription read_all{.kind = "read_all", .help = "all files of a folder"};
        read_all.params = {{.name = "folder", .type = ParamType::Folder, .help = "a folder"}};
        LibraryManifest manifest;
        manifest.library = "libfolders_stages.so";
        manifest.stages = {read_all};
        Catalog made;
        made.add(std::move(manifest));
        return made;
    }();
    const auto read = [&](const std::string& path) {
        std::ofstream(folder / "dag.yaml") << "stages:\n  a: {kind: read_all, folder: " << path << "}\n";
        return DagSource(folder / "dag.yaml").build({}, with_folders, DatasetIndex({}));
    };
    CHECK(read("sub").nodes[0].files[0].path == folder / "sub");
    CHECK(read("sub").nodes[0].files[0].is_folder);
    CHECK_THROWS_WITH(read("nix"), Catch::Contains("there is no folder nix"));
    CHECK_THROWS_WITH(read("x.npy"), Catch::Contains("this is not a folder: x.npy") && Catch::Contains("kind: read, file: x.npy"));
    std::filesystem::remove_all(folder);
}

TEST_CASE("a metric that depends on an input can be named only if the input is connected") {
    const std::string start =
        "networks: {other: [{conv: 1}]}\nstages:\n  l: {kind: load, dataset: mnist}\n  u: {kind: normalise, in: {images: l.images}}\n"
        "  m: {kind: train, in: {x: u.images, target: u.images}, net: other, loss: mse}\n";
    const std::string end = "  b: {kind: judge, in: {one: a.metrics, other: a.metrics}, metric: q}\n";
    CHECK(mistakes(start + "  a: {kind: judge, in: {one: m.metrics, other: m.metrics, third: m.metrics}}\n" + end).empty());
    CHECK_THAT(mistakes(start + "  a: {kind: judge, in: {one: m.metrics, other: m.metrics}}\n" + end).at(0),
               Catch::Contains("no metric 'q'; a reports p"));
}
