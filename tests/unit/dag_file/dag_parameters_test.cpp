// Parameters of a DAG file: ${...}, profiles, --set.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "pipeline/dag_file/dag_source.h"
#include "tests/support/small_dag.h"

using namespace satdl;

namespace {

// The canonical value of a parameter of the one stage.
std::string param(const std::string& params, const std::string& written, const Settings& settings = {}) {
    const Dag dag = build(
        fmt::format("params: {}\nstages:\n  s: {{kind: load, dataset: mnist, limit: {}}}\n", params, written), settings);
    return dag.nodes[0].params.value("limit").canonical();
}

}  // namespace

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
        "  t: {kind: train, in: {x: u, target: s.labels}, net: net, loss: cross_entropy}\n"
        "  v: {kind: train, in: {x: u, target: s.labels}, net: \"${layers}\", loss: cross_entropy}\n");
    CHECK(dag.nodes[0].params.text("dataset") == "mnist");
    CHECK(dag.nodes[0].params.text("split") == "test");
    CHECK(dag.nodes[0].about == "${n} is $5");
    CHECK(dag.nodes[2].params.network("net").layers.size() == 2);
    CHECK(dag.nodes[2].params.value("net").canonical() == dag.nodes[3].params.value("net").canonical());
}

TEST_CASE("an error in a ${...} is reported at its place") {
    const auto one = [](const std::string& params, const std::string& written) {
        const Lines found =
            mistakes(fmt::format("params: {}\nstages: {{s: {{kind: load, dataset: mnist, limit: {}}}}}\n", params, written));
        return found.size() == 1 ? found[0] : fmt::format("{} mistakes: {}", found.size(), fmt::join(found, "; "));
    };
    CHECK(one("{limit: 5}", "${limti}") == "2:49 '${limti}' is not defined | did you mean 'limit'?");
    CHECK(one("{a: {b: 5}}", "${a.c}") == "2:49 '${a.c}' is not defined | did you mean 'a.b'?");
    CHECK(one("{a: 5}", "${item}") == "2:49 '${item}' is defined only in the 'do' of a 'foreach' or 'matrix'");
    CHECK(one("{a: 5}", "\"${a\"") ==
          "2:50 '${a' is not of the form '${parameter}' | write '$${' for a literal '${'");
    CHECK(one("{a: 5}", "\"${}\"") ==
          "2:50 '${}' is not of the form '${parameter}' | write '$${' for a literal '${'");
    CHECK(one("{a: [1]}", "x${a}") == "2:50 '${a}' is a list, which cannot be part of a text");
    CHECK(one("{a: ${b}, b: ${c}, c: x${a}}", "1") ==
          "1:32 these parameters refer to each other in a cycle: a -> b -> c -> a");
    CHECK(one("{a: ${a}}", "${a}") == "1:13 these parameters refer to each other in a cycle: a -> a");
    CHECK(one("{a: {b: ${a}}}", "1") == "1:17 these parameters refer to each other in a cycle: a -> a");
    CHECK(one("{a: ${nix}}", "${a}") == "1:13 '${nix}' is not defined | known: a");
    CHECK(one("{item: 3}", "1") == "1:10 'item' is not a valid parameter name | ${item} is defined by 'foreach' and 'matrix'");
    CHECK(one("{a: x}", "${a}") == "2:49 'limit' must be a whole number, not the text 'x' | limit: at most so many");
}

TEST_CASE("references that expand exponentially are refused") {
    std::string lists = "params:\n  a0: [x, x, x, x, x, x, x, x, x]\n", texts = "params:\n  a0: xxxxxxxxx\n",
                chain = "params:\n  a0: 1\n";
    for (int i = 1; i < 12; ++i) {
        const std::string reference = fmt::format("${{a{}}}", i - 1);
        lists += fmt::format("  a{0}: [{1}, {1}, {1}, {1}, {1}, {1}, {1}, {1}, {1}]\n", i, reference);
        texts += fmt::format("  a{0}: {1}{1}{1}{1}{1}{1}{1}{1}{1}\n", i, reference);
    }
    for (int i = 1; i < 20'000; ++i) chain += fmt::format("  a{}: ${{a{}}}\n", i, i - 1);
    const std::string stages = "stages: {s: {kind: load, dataset: mnist}}\n";
    CHECK_THAT(mistakes(lists + stages).at(0), Catch::Contains("expand to more than 1000000 values"));
    CHECK_THAT(mistakes(texts + stages).at(0), Catch::Contains("this text expands to more than 64 KiB"));
    CHECK(mistakes(chain + stages).empty());
    std::string backwards = "params:\n";
    for (int i = 1; i < 20'000; ++i) backwards += fmt::format("  a{}: ${{a{}}}\n", i, i + 1);
    CHECK_THAT(mistakes(backwards + "  a20000: 1\n" + stages).at(0),
               Catch::Contains("references are nested more than 100 parameters deep"));
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

TEST_CASE("a profile and --set can only name parameters that exist") {
    const std::string text =
        "params: {limit: 1, train: {a: 1}}\nprofiles: {quick: {limti: 10, train: {c: 3}}, bad: 3, worse: {train: 4}}\n"
        "stages: {s: {kind: load, dataset: mnist}}\n";
    CHECK(mistakes(text) == Lines{"2:20 there is no parameter 'limti' | did you mean 'limit'?",
                                  "2:39 there is no parameter 'train.c' | known: a",
                                  "2:52 a profile must be a map of parameters, not the number 3",
                                  "2:70 'train' must be a map of parameters, not the number 4 | set one of them, such as train.a"});
    const std::string good =
        "params: {limit: 1}\nprofiles: {quick: {limit: 2}}\nstages: {s: {kind: load, dataset: mnist}}\n";
    CHECK(mistakes(good, {.profile = "quikc", .set = {}}) ==
          Lines{"0:0 there is no profile 'quikc' | did you mean 'quick'?"});
    CHECK(mistakes(good, {.profile = "", .set = {parse_setting("limti=3")}}) ==
          Lines{"1:1 there is no parameter 'limti' | did you mean 'limit'?"});
    CHECK(mistakes("stages: {s: {kind: load, dataset: mnist}}\n", {.profile = "q", .set = {parse_setting("a=3")}}) ==
          Lines{"1:1 there is no parameter 'a' | declare it under 'params', or set it in one stage: STAGE.a=VALUE",
                "0:0 there is no profile 'q' | the file has no profiles"});
}

TEST_CASE("STAGE.KEY=VALUE sets what the stage's map says, unless it is a parameter") {
    const std::string text =
        "params: {b: {limit: 5}, empty: {}}\nstages:\n  a: {kind: load, dataset: mnist}\n"
        "  b: {kind: load, dataset: mnist, limit: \"${b.limit}\"}\n"
        "  g: {foreach: [train, test], do: {kind: load, dataset: mnist, split: \"${item}\", limit: 1}}\n";
    const auto limits = [&](const Lines& texts) {
        Settings settings;
        for (const std::string& one : texts) settings.set.push_back(parse_setting(one));
        const Lines wrong = mistakes(text, settings);
        if (!wrong.empty()) return wrong.front();
        std::string all;
        for (const Node& node : build(text, settings).nodes) all += node.params.value("limit").canonical() + " ";
        return all;
    };
    CHECK(limits({}) == "null 5 1 1 ");
    CHECK(limits({"a.limit=2"}) == "2 5 1 1 ");
    CHECK(limits({"a.limit=2", "a.limit=3", "a.split=test"}) == "3 5 1 1 ");
    CHECK(limits({"a.limit=${b.limit}"}) == "5 5 1 1 ");
    CHECK(limits({"b.limit=7"}) == "null 7 1 1 ");                      // the parameter, which b takes
    CHECK(limits({"b.split=test", "g.limit=9"}) == "null 5 9 9 ");      // params has no b.split
    CHECK(limits({"a.limti=2"}) == "1:1 stage kind 'load' has no parameter 'limti' | did you mean 'limit'?");
    CHECK(limits({"a.limit=0"}).starts_with("1:9 'limit' is 0, but must be at least 1"));
    CHECK(limits({"x.limit=2"}) == "1:1 there is no parameter 'x' | known: b, empty");
}

TEST_CASE("a setting is name=value, its place on the command line") {
    const Override setting = parse_setting("a.b=[1, {c: x}]");
    const ConfigValue& value = setting.value();
    CHECK(setting.name == "a.b");
    CHECK(value.items()[1].find("c")->place().text() == "--set:1:13");
    CHECK(value.items()[1].find("c")->place().source->text == "a.b=[1, {c: x}]");
    CHECK(parse_setting("a=x=y").value().text() == "x=y");
    CHECK_THROWS_WITH(parse_setting("a"), Catch::Contains("--set:1:1: error: this is not 'parameter=value'"));
    CHECK_THROWS_WITH(parse_setting("a="), Catch::Contains("--set:1:3: error: a value is missing here"));
    CHECK_THROWS_WITH(parse_setting("a=1,2"), Catch::Contains("--set:1:5: error: 'a' takes one value here"));
    CHECK_THROWS_WITH(parse_setting("a=range(3)"), Catch::Contains("'a' takes one value here"));
    CHECK(parse_setting("a='1,2'").value().text() == "1,2");
    CHECK(parse_setting("a=[1,2]").value().items().size() == 2);
    CHECK(parse_setting("a={b: 1, c: 2}").value().entries().size() == 2);
    CHECK_THROWS_WITH(parse_setting("=1"), Catch::Contains("this is not 'parameter=value'"));
    CHECK_THROWS_WITH(parse_setting("a=[1"), Catch::Contains("--set:1:3: error: this '[' has no ']'\n    1 | a=[1"));
}

TEST_CASE("a parameter chooses from a map by its name") {
    const std::string choices = "{size: small, sizes: {small: {n: 3}, large: {n: 9}}}";
    CHECK(param(choices, "\"${sizes.${size}.n}\"") == "3");
    CHECK(param(choices, "\"${ sizes.${ size }.n }\"", {.profile = "", .set = {parse_setting("size=large")}}) == "9");
    const std::string text = "params: {size: lagre, sizes: {large: 9}}\nstages: {l: {kind: load, dataset: mnist, limit: ";
    CHECK(mistakes(text + "\"${sizes.${size}}\"}}\n") ==
          Lines{"2:50 '${sizes.${size}}', which expands to 'sizes.lagre', is not defined | did you mean 'sizes.large'?"});
    CHECK(mistakes(text + "\"${.${size}}\"}}\n") ==
          Lines{"2:50 '${.${size}}' is not of the form '${parameter}' | write '$${' for a literal '${'"});
    CHECK(mistakes(text + "\"${sizes.${sizes}}\"}}\n").at(0).starts_with("2:"));
    CHECK(mistakes(text + "\"${sizes.${size}\"}}\n").at(0).starts_with("2:"));
}

TEST_CASE("an error in a parameter's value is reported once, at the first use") {
    const std::string limits = "  a: {kind: load, dataset: mnist, limit: \"${n}\"}\n  b: {kind: load, dataset: mnist, limit: \"${m}\"}\n";
    CHECK(mistakes("params: {n: 0, m: \"${n}\"}\nstages:\n" + limits) ==
          Lines{"3:42 'limit' is 0, but must be at least 1 | limit: at most so many"});
    CHECK(mistakes("params: {n: 0, m: 0}\nstages:\n" + limits).size() == 2);
    const std::string choices = "params: {n: c, of: {a: {x: 1, y: {z: 2}}, b: {x: 3}}}\nstages:\n";
    CHECK(mistakes(choices + "  a: {kind: load, dataset: mnist, limit: \"${of.${n}.x}\"}\n"
                             "  b: {kind: load, dataset: mnist, limit: \"${of.${n}.y.z}\"}\n") ==
          Lines{"3:43 '${of.${n}.x}', which expands to 'of.c.x', is not defined | did you mean 'of.a.x'?"});
    // Not the value is wrong, but what follows it.
    CHECK(mistakes(choices + "  a: {kind: load, dataset: mnist, limit: \"${of.${of.a.x}.x}\"}\n"
                             "  b: {kind: load, dataset: mnist, limit: \"${of.b.${n}}\"}\n"
                             "  c: {kind: load, dataset: mnist, split: \"${of.a.y.${n}x}\"}\n").size() == 3);
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
