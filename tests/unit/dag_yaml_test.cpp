#include "pipeline/dag_yaml.h"

#include <fmt/format.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "pipeline/yaml.h"
#include "small_catalog.h"

using namespace satdl;

namespace {

using Lines = std::vector<std::string>;

Dag build(std::string text, const Settings& settings = {}) {
    const auto source = std::make_shared<const SourceText>(SourceText{"a.yaml", std::move(text)});
    const DatasetIndex datasets({std::filesystem::path(SATDL_SOURCE_DIR) / "data"});
    static const Catalog catalog = small_catalog();  // the DAG points into it
    return DagSource("folder/a.yaml", parse_yaml(source)).build(settings, catalog, datasets);
}

// Each mistake as "line:column message | hint".
Lines mistakes(std::string text, const Settings& settings = {}) {
    Lines found;
    try {
        (void)build(std::move(text), settings);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        for (const Diagnostic& one : error.diagnostics())
            found.push_back(fmt::format("{}:{} {}{}{}", one.place.line, one.place.column, one.message,
                                        one.hint.empty() ? "" : " | ", one.hint));
    }
    return found;
}

Lines names(const Dag& dag) {
    Lines all;
    for (const Node& node : dag.nodes) all.push_back(node.name);
    return all;
}

// The canonical value of a parameter of the one stage.
std::string param(const std::string& params, const std::string& written, const Settings& settings = {}) {
    const Dag dag = build(
        fmt::format("params: {}\nstages:\n  s: {{kind: load, dataset: mnist, limit: {}}}\n", params, written), settings);
    return dag.nodes[0].params.value("limit").canonical();
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

TEST_CASE("${...} takes a parameter's value with its type, and is pasted within text") {
    CHECK(param("{a: 5}", "${a}") == "5");
    CHECK(param("{a: 5}", "\"${a}\"") == "5");
    CHECK(param("{a: {b: {c: 7}}}", "${ a.b.c }") == "7");
    CHECK(param("{a: null}", "${a}") == "null");
    CHECK(param("{a: ${b}, b: ${c.d}, c: {d: 3}}", "${a}") == "3");
    CHECK(param("{base: {x: 1}, a: ${base}}", "${a.x}") == "1");
    CHECK(param("{a: {x: ${a.y}, y: 2}}", "${a.x}") == "2");
}

TEST_CASE("text, networks and lists are interpolated too") {
    const Dag dag = build(
        "params: {n: mn, layers: [flatten, {dense: ${units}}], units: 3, e: st}\n"
        "networks: {net: \"${layers}\"}\n"
        "stages:\n"
        "  s: {kind: load, dataset: \"${n}ist\", split: te${e}, about: \"$${n} is $5\"}\n"
        "  u: {kind: normalise, in: {images: s.images}}\n"
        "  t: {kind: train, in: {x: u, target: s.images}, net: net, loss: mse}\n"
        "  v: {kind: train, in: {x: u, target: s.images}, net: \"${layers}\", loss: mse}\n");
    CHECK(dag.nodes[0].params.text("dataset") == "mnist");
    CHECK(dag.nodes[0].params.text("split") == "test");
    CHECK(dag.nodes[0].about == "${n} is $5");
    CHECK(dag.nodes[2].params.network("net").layers.size() == 2);
    CHECK(dag.nodes[2].params.value("net").canonical() == dag.nodes[3].params.value("net").canonical());
}

TEST_CASE("what is wrong with a ${...} is told at its place") {
    const auto one = [](const std::string& params, const std::string& written) {
        const Lines found =
            mistakes(fmt::format("params: {}\nstages: {{s: {{kind: load, dataset: mnist, limit: {}}}}}\n", params, written));
        return found.size() == 1 ? found[0] : fmt::format("{} mistakes: {}", found.size(), fmt::join(found, "; "));
    };
    CHECK(one("{limit: 5}", "${limti}") == "2:49 '${limti}' is not defined | did you mean 'limit'?");
    CHECK(one("{a: {b: 5}}", "${a.c}") == "2:49 '${a.c}' is not defined | did you mean 'a.b'?");
    CHECK(one("{a: 5}", "${item}") == "2:49 '${item}' holds only within the 'do' of a 'foreach' or 'matrix'");
    CHECK(one("{a: 5}", "\"${a\"") ==
          "2:50 '${a' is not '${name of a parameter}' | write '$${' for the two characters themselves");
    CHECK(one("{a: 5}", "\"${}\"") ==
          "2:50 '${}' is not '${name of a parameter}' | write '$${' for the two characters themselves");
    CHECK(one("{a: [1]}", "x${a}") == "2:50 '${a}' is a list, and so must stand alone");
    CHECK(one("{a: ${b}, b: ${c}, c: x${a}}", "1") ==
          "1:32 these parameters refer to each other in a circle: a -> b -> c -> a");
    CHECK(one("{a: ${a}}", "${a}") == "1:13 these parameters refer to each other in a circle: a -> a");
    CHECK(one("{a: {b: ${a}}}", "1") == "1:17 these parameters refer to each other in a circle: a -> a");
    CHECK(one("{a: ${nix}}", "${a}") == "1:13 '${nix}' is not defined | known: a");
    CHECK(one("{item: 3}", "1") == "1:10 'item' is no name for a parameter | within a 'foreach', ${item} is the item's");
    CHECK(one("{a: x}", "${a}") == "2:49 'limit' must be a whole number, not the text 'x' | limit: at most so many");
}

TEST_CASE("references that grow into a bomb are refused") {
    std::string lists = "params:\n  a0: [x, x, x, x, x, x, x, x, x]\n", texts = "params:\n  a0: xxxxxxxxx\n",
                chain = "params:\n  a0: 1\n";
    for (int i = 1; i < 12; ++i) {
        const std::string reference = fmt::format("${{a{}}}", i - 1);
        lists += fmt::format("  a{0}: [{1}, {1}, {1}, {1}, {1}, {1}, {1}, {1}, {1}]\n", i, reference);
        texts += fmt::format("  a{0}: {1}{1}{1}{1}{1}{1}{1}{1}{1}\n", i, reference);
    }
    for (int i = 1; i < 20'000; ++i) chain += fmt::format("  a{}: ${{a{}}}\n", i, i - 1);
    const std::string stages = "stages: {s: {kind: load, dataset: mnist}}\n";
    CHECK_THAT(mistakes(lists + stages).at(0), Catch::Contains("grow to more than 1000000 values"));
    CHECK_THAT(mistakes(texts + stages).at(0), Catch::Contains("this text grows longer than 64 KiB"));
    CHECK(mistakes(chain + stages).empty());
    std::string backwards = "params:\n";
    for (int i = 1; i < 20'000; ++i) backwards += fmt::format("  a{}: ${{a{}}}\n", i, i + 1);
    CHECK_THAT(mistakes(backwards + "  a20000: 1\n" + stages).at(0),
               Catch::Contains("more than 100 parameters refer to each other"));
}

TEST_CASE("a profile is laid over the parameters, and --set over both") {
    const std::string text =
        "params: {limit: null, train: {a: 1, b: 2}}\nprofiles: {quick: {limit: 10, train: {b: 3}}, other: {limit: 5}}\n"
        "stages: {s: {kind: load, dataset: mnist, limit: ${limit}}, t: {kind: load, dataset: mnist, limit: ${train.b}},\n"
        "         u: {kind: load, dataset: mnist, limit: ${train.a}}}\n";
    const auto limits = [&](const Settings& settings) {
        std::string all;
        for (const Node& node : build(text, settings).nodes) all += node.params.value("limit").canonical() + " ";
        return all;
    };
    CHECK(limits({}) == "null 2 1 ");
    CHECK(limits({.profile = "quick", .set = {}}) == "10 3 1 ");
    CHECK(limits({.profile = "quick",
                  .set = {parse_setting("limit=20"), parse_setting("train.b=4"), parse_setting("limit=30")}}) == "30 4 1 ");
    CHECK(limits({.profile = "", .set = {parse_setting("train={a: 9}"), parse_setting("limit=${train.a}")}}) == "9 2 9 ");
}

TEST_CASE("what a profile or --set names must be there") {
    const std::string text =
        "params: {limit: 1, train: {a: 1}}\nprofiles: {quick: {limti: 10, train: {c: 3}}, bad: 3, worse: {train: 4}}\n"
        "stages: {s: {kind: load, dataset: mnist}}\n";
    CHECK(mistakes(text) == Lines{"2:20 there is no parameter 'limti' | did you mean 'limit'?",
                                  "2:39 there is no parameter 'train.c' | known: a",
                                  "2:52 a profile is a map of parameters, not the number 3",
                                  "2:70 'train' is a map of parameters, not the number 4 | name one of them, as train.a"});
    const std::string good =
        "params: {limit: 1}\nprofiles: {quick: {limit: 2}}\nstages: {s: {kind: load, dataset: mnist}}\n";
    CHECK(mistakes(good, {.profile = "quikc", .set = {}}) ==
          Lines{"0:0 there is no profile 'quikc' | did you mean 'quick'?"});
    CHECK(mistakes(good, {.profile = "", .set = {parse_setting("limti=3")}}) ==
          Lines{"1:1 there is no parameter 'limti' | did you mean 'limit'?"});
    CHECK(mistakes("stages: {s: {kind: load, dataset: mnist}}\n", {.profile = "q", .set = {parse_setting("a=3")}}) ==
          Lines{"1:1 there is no parameter 'a' | it must stand under 'params'",
                "0:0 there is no profile 'q' | the file has no profiles"});
}

TEST_CASE("a setting is name=value, its value YAML, its place on the command line") {
    const auto [name, value] = parse_setting("a.b=[1, {c: x}]");
    CHECK(name == "a.b");
    CHECK(value.items()[1].find("c")->place().text() == "--set:1:13");
    CHECK(value.items()[1].find("c")->place().source->text == "a.b=[1, {c: x}]");
    CHECK(parse_setting("a=x=y").second.text() == "x=y");
    CHECK_THROWS_WITH(parse_setting("a"), Catch::Contains("--set:1:1: error: this is not 'parameter=value'"));
    CHECK_THROWS_WITH(parse_setting("a="), Catch::Contains("--set:1:3: error: a value is missing here"));
    CHECK_THROWS_WITH(parse_setting("a=1,2"), Catch::Contains("--set:1:5: error: 'a' is to have one value here"));
    CHECK_THROWS_WITH(parse_setting("a=range(3)"), Catch::Contains("'a' is to have one value here"));
    CHECK(parse_setting("a='1,2'").second.text() == "1,2");
    CHECK(parse_setting("a=[1,2]").second.items().size() == 2);
    CHECK(parse_setting("a={b: 1, c: 2}").second.entries().size() == 2);
    CHECK_THROWS_WITH(parse_setting("=1"), Catch::Contains("this is not 'parameter=value'"));
    CHECK_THROWS_WITH(parse_setting("a=[1"), Catch::Contains("--set:1:3: error: this '[' has no ']'\n    1 | a=[1"));
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

TEST_CASE("what is wrong with foreach and matrix is told once, not once an item") {
    CHECK(
        mistakes("stages:\n  a: {foreach: [x, y], do: {kind: laod}}\n  b: {foreach: [x, x/y, [1], x], do: {kind: load, "
                 "dataset: mnist}}\n"
                 "  c: {foreach: [x]}\n  d: {foreach: 3, do: {kind: load}}\n  e: {matrix: [1], do: {kind: load, dataset: "
                 "mnist}}\n"
                 "  f: {foreach: [x], seed: 1, do: {kind: load, dataset: mnist}}\n  g: {foreach: [], do: {kind: load}}\n") ==
        Lines{"2:35 there is no stage kind 'laod' | did you mean 'load'?",
              "3:20 'x/y' cannot be part of a stage's name | letters, digits and _ . + -, at most 64; else give the items "
              "names: {name: item}",
              "3:25 an item of this list must be a text or a number, not a list | give the items names: {name: item, ...}",
              "3:30 the item 'x' stands twice",
              "4:3 'foreach' and 'matrix' need a 'do' that describes the stage | do: {kind: ..., in: {...}, ...}",
              "5:16 here a list, or a map by name, is needed, not the number 3",
              "6:15 a matrix is a map from a name to its items, not a list | matrix: {a: [1, 2], b: [x, y]}",
              "7:21 'seed' cannot stand beside 'foreach' | what describes the stage stands within 'do'",
              "8:16 there are no items here"});
    std::string huge = "stages: {a: {matrix: {";
    for (int axis = 0; axis < 9; ++axis) huge += fmt::format("a{}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], ", axis);
    CHECK_THAT(mistakes(huge + "}, do: {kind: load, dataset: mnist}}}").at(0),
               Catch::Contains("this matrix has more than 100000 stages"));
}

TEST_CASE("a parameter chooses from a map by its name") {
    const std::string choices = "{size: small, sizes: {small: {n: 3}, large: {n: 9}}}";
    CHECK(param(choices, "\"${sizes.${size}.n}\"") == "3");
    CHECK(param(choices, "\"${ sizes.${ size }.n }\"", {.profile = "", .set = {parse_setting("size=large")}}) == "9");
    const std::string text = "params: {size: lagre, sizes: {large: 9}}\nstages: {l: {kind: load, dataset: mnist, limit: ";
    CHECK(mistakes(text + "\"${sizes.${size}}\"}}\n") ==
          Lines{"2:50 '${sizes.${size}}', which stands for 'sizes.lagre', is not defined | did you mean 'sizes.large'?"});
    CHECK(mistakes(text + "\"${.${size}}\"}}\n") ==
          Lines{"2:50 '${.${size}}' is not '${name of a parameter}' | write '$${' for the two characters themselves"});
    CHECK(mistakes(text + "\"${sizes.${sizes}}\"}}\n").at(0).starts_with("2:"));
    CHECK(mistakes(text + "\"${sizes.${size}\"}}\n").at(0).starts_with("2:"));
}

TEST_CASE("what is said of one parameter's value is told where it is used first, once") {
    const std::string limits = "  a: {kind: load, dataset: mnist, limit: \"${n}\"}\n  b: {kind: load, dataset: mnist, limit: \"${m}\"}\n";
    CHECK(mistakes("params: {n: 0, m: \"${n}\"}\nstages:\n" + limits) ==
          Lines{"3:42 'limit' is 0, but must be at least 1 | limit: at most so many"});
    CHECK(mistakes("params: {n: 0, m: 0}\nstages:\n" + limits).size() == 2);
    const std::string choices = "params: {n: c, of: {a: {x: 1, y: {z: 2}}, b: {x: 3}}}\nstages:\n";
    CHECK(mistakes(choices + "  a: {kind: load, dataset: mnist, limit: \"${of.${n}.x}\"}\n"
                             "  b: {kind: load, dataset: mnist, limit: \"${of.${n}.y.z}\"}\n") ==
          Lines{"3:43 '${of.${n}.x}', which stands for 'of.c.x', is not defined | did you mean 'of.a.x'?"});
    // Not the value is wrong, but what follows it.
    CHECK(mistakes(choices + "  a: {kind: load, dataset: mnist, limit: \"${of.${of.a.x}.x}\"}\n"
                             "  b: {kind: load, dataset: mnist, limit: \"${of.b.${n}}\"}\n"
                             "  c: {kind: load, dataset: mnist, split: \"${of.a.y.${n}x}\"}\n").size() == 3);
}

TEST_CASE("a group whose items are wrong is not told to lack stages") {
    const std::string text =
        "stages:\n  l: {foreach: \"${nix}\", do: {kind: load, dataset: mnist}}\n  k: {foreach: [x, y/y], do: {kind: load, dataset: mnist}}\n";
    CHECK(mistakes(text + "  m: {kind: normalise, in: {images: l@x.images}}\n  n: {kind: normalise, in: {images: k@y.images}}\n").size() == 2);
    CHECK(mistakes(text + "  m: {kind: normalise, in: {images: j@x.images}}\n").size() == 3);
}

TEST_CASE("a list from a parameter may be empty: there are no such stages, and none can be read from") {
    const std::string text =
        "params: {which: []}\nstages:\n  l: {kind: load, dataset: mnist}\n  n: {foreach: \"${which}\", do: {kind: normalise, "
        "in: {images: l.images}}}\n";
    CHECK(names(build(text)) == Lines{"l"});
    CHECK(mistakes(text + "  m: {kind: normalise, in: {images: n}}\n") ==
          Lines{"5:37 the group 'n' has no stages here | the parameter that lists them is empty"});
    CHECK(mistakes(text + "  m: {kind: normalise, in: {images: n@x.images}}\n") ==
          Lines{"5:37 the group 'n' has no stages here | the parameter that lists them is empty"});
}

TEST_CASE("what is wrong with a stage is told with what to do") {
    CHECK(mistakes("stages:\n  a: {kind: load}\n  b: {dataset: mnist}\n  c: 3\n  1d: {kind: load, dataset: mnist}\n  e: "
                   "{kind: [load]}\n"
                   "  f: {kind: normalise, images: a.images}\n  g: {kind: normalise, in: {scale: 3}}\n  h: {kind: load, "
                   "dataset: mnsit, split: x}\n"
                   "  i: {kind: load, dataset: mnist, split: tets}\n  j: {kind: read, file: nix.npy}\n") ==
          Lines{"2:3 stage kind 'load' needs the parameter 'dataset' | dataset: which dataset",
                "3:3 stage 'b' has no kind | write 'kind: ...'; `satdl stages` lists what there is",
                "4:6 stage 'c' must be a map, not the number 3 | c: {kind: ..., in: {...}, ...}",
                "5:3 '1d' is no name for a stage | letters, digits, '_' and '-', beginning with a letter or '_', at most 64",
                "6:13 'kind' must be text, not a list | known: add_noise, judge, load, normalise, read, train",
                "7:24 stage kind 'normalise' has no parameter 'images' | 'images' is an input: write it under 'in', as in: "
                "{images: stage.port}",
                "8:28 stage kind 'normalise' needs the input 'images' | in: {images: stage.port}\nimages: raw images",
                "8:29 stage kind 'normalise' has no input 'scale' | 'scale' is a parameter: write it beside 'kind', not "
                "under 'in'",
                "9:28 there is no dataset 'mnsit' | did you mean 'mnist'?",
                "10:42 dataset 'mnist' has no split 'tets' | did you mean 'test'?",
                "11:25 there is no file nix.npy | relative paths begin at folder"});
}

TEST_CASE("a value of the wrong type, range or choice is told with what to write") {
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
    CHECK(one(train, "loss: mse, precision: fp16") == "'precision' cannot be the text 'fp16' | known: fp32, bf16, auto");
    CHECK(one(train, "loss: mse, precision: [bf16]") == "'precision' must be fp32, bf16 or auto, not a list");
    CHECK(one(train, "loss: mse, device: gpu") == "'device' cannot be the text 'gpu' | known: cpu, cuda, auto");
    CHECK(one(train, "loss: mse, device: {cuda: 1}") == "'device' must be cpu, cuda or auto, not a map");
    CHECK(one(train, "loss: mse, epochs: 1000000") == "'epochs' is 1000000, but must lie between 1 and 100000 epochs");
}

TEST_CASE("an edge that leads nowhere is told with what there is") {
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
            "5:37 'l' is a group of stages | name one of them, as l@train.port",
            "6:37 'l@train' has several outputs: images, labels | say which: l@train.images",
            "7:37 there is no stage '3' | known: l@train, l@test, a, b, c, d, e, f, g",
            "8:37 input 'images' must be stage.port, not a list",
            "9:28 'in' must be a map from port to stage.port, not the text 'l@train.images' | in: {port: stage.port, ...}"});
}

TEST_CASE("a cycle, and a mistake of types elsewhere, are told in the same run") {
    CHECK(mistakes(kNet + "stages:\n  l: {kind: load, dataset: mnist}\n  n: {kind: normalise, in: {images: l.images}}\n"
                          "  a: {kind: normalise, in: {images: c}}\n  b: {kind: normalise, in: {images: a}}\n  c: {kind: "
                          "normalise, in: {images: b}}\n"
                          "  t: {kind: train, in: {x: l.images, target: l.labels}, net: net, loss: mse}\n  u: {kind: nix}\n")
              .size() == 3);
}

TEST_CASE("networks are checked where they are written, once, also those that nobody uses") {
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
          Lines{"1:1 a DAG file is a map with 'stages', not a list | stages: {name: {kind: ...}, ...}; see docs/yaml.md"});
    CHECK(mistakes("name: x\n") == Lines{"1:1 the file has no stages | stages: {name: {kind: ...}, ...}; see docs/yaml.md"});
    CHECK(mistakes("name: a/b\nstage: {}\nparams: 3\nnumerics: fast\nstages: [x]\n") ==
          Lines{"1:7 this cannot be the name of a DAG | 1 to 64 characters without '/', not beginning with '.'",
                "2:1 a DAG file has no section 'stage' | did you mean 'stages'?",
                "3:9 'params' must be a map, not the number 3", "4:11 'numerics' is exact or portable, not the text 'fast'",
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
                      Catch::Contains("this is a folder, not a file: sub"));
    std::filesystem::remove_all(folder);
}

TEST_CASE("the parameters come flattened and resolved, for sweeps and reports") {
    const auto source =
        std::make_shared<const SourceText>(SourceText{"a.yaml", "params: {b: {c: 1, d: ${a}}, a: [1, 2], e: {}}\n"});
    const auto found = DagSource("a.yaml", parse_yaml(source)).parameters({.profile = "", .set = {parse_setting("b.c=5")}});
    REQUIRE(found.size() == 4);
    CHECK(found[0].first == "b.c");
    CHECK(found[0].second.canonical() == "5");
    CHECK(found[1].first == "b.d");
    CHECK(found[1].second.canonical() == "[1,2]");
    CHECK(found[3].first == "e");
}

TEST_CASE("a metric that is there where an input is connected can be named there alone") {
    const std::string start =
        "networks: {other: [{conv: 1}]}\nstages:\n  l: {kind: load, dataset: mnist}\n  u: {kind: normalise, in: {images: l.images}}\n"
        "  m: {kind: train, in: {x: u.images, target: u.images}, net: other, loss: mse}\n";
    const std::string end = "  b: {kind: judge, in: {one: a.metrics, other: a.metrics}, metric: q}\n";
    CHECK(mistakes(start + "  a: {kind: judge, in: {one: m.metrics, other: m.metrics, third: m.metrics}}\n" + end).empty());
    CHECK_THAT(mistakes(start + "  a: {kind: judge, in: {one: m.metrics, other: m.metrics}}\n" + end).at(0),
               Catch::Contains("no metric 'q'; a reports p"));
}

TEST_CASE("two spellings of one value are one") {
    const auto canonical = [](const std::string& written) {
        const Dag dag = build(
            "stages:\n  l: {kind: load, dataset: mnist}\n  n: {kind: normalise, in: {images: l.images}}\n"
            "  s: {kind: add_noise, in: {images: n}, " +
            written + "}\n");
        std::string all;
        for (const auto& [name, value] : dag.nodes[2].params.values()) all += name + "=" + value.canonical() + " ";
        return all;
    };
    CHECK(canonical("noise_factor: 0.40, seed: 0") == canonical("noise_factor: 4e-1"));
    CHECK(canonical("noise_factor: 1.0") == canonical("noise_factor: 1"));
}
