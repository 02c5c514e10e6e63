#include "pipeline/sweep/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "pipeline/core/digest.h"
#include "pipeline/dag/type_inference.h"
#include "pipeline/yaml/yaml_parser.h"
#include "tests/support/small_catalog.h"
#include "tests/support/types_text.h"

using namespace satdl;

namespace {

using Lines = std::vector<std::string>;

std::shared_ptr<const SourceText> source_of(std::string text) {
    return std::make_shared<const SourceText>(SourceText{"a.yaml", std::move(text)});
}

std::string values(const std::string& text) {
    std::string all;
    for (const ConfigValue& value : parse_axis(text).values) all += value.canonical() + " ";
    return all;
}

Sweep sweep(std::string text, const Lines& axes, const Settings& settings = {}) {
    static const Catalog catalog = small_catalog();  // the DAG points into it
    const DatasetIndex datasets({std::filesystem::path(SATDL_SOURCE_DIR) / "data"});
    std::vector<SweepAxis> parsed;
    for (const std::string& axis : axes) parsed.push_back(parse_axis(axis));
    return make_sweep(DagSource("a.yaml", parse_yaml(source_of(std::move(text)))), settings, product_of(std::move(parsed)), catalog, datasets);
}

// Of the file's own section.
Sweep own_sweep(std::string text, const Settings& settings = {}) {
    static const Catalog catalog = small_catalog();
    const DatasetIndex datasets({std::filesystem::path(SATDL_SOURCE_DIR) / "data"});
    const DagSource source("a.yaml", parse_yaml(source_of(std::move(text))));
    return make_sweep(source, settings, design_from_yaml(*source.document().find("sweep")), catalog, datasets);
}

SweepDesign design(std::string section) { return design_from_yaml(parse_yaml(source_of(std::move(section)))); }

// Every point in a line: "noise=0.1 seed=2"; "-" for what it does not set.
Lines points(const SweepDesign& design) {
    Lines all;
    for (const SweepDesign::Point& point : design.points) {
        std::string line;
        for (std::size_t axis = 0; axis < design.axes.size(); ++axis)
            line += fmt::format("{}{}={}", line.empty() ? "" : " ", design.axes[axis].name,
                                point.at[axis] ? design.axes[axis].values[*point.at[axis]].canonical() : "-");
        all.push_back(line);
    }
    return all;
}

Lines points(const Sweep& sweep) {
    Lines all;
    for (const SweepPoint& point : sweep.points) {
        std::string line;
        for (const auto& [name, value] : point.values) line += fmt::format("{}{}={}", line.empty() ? "" : " ", name, value);
        all.push_back(line);
    }
    return all;
}

Lines names(const Dag& dag) {
    Lines all;
    for (const Node& node : dag.nodes) all.push_back(node.name);
    return all;
}

const std::string kSeeds =
    "params: {s: 7, noise: 0.4, both: 1, idle: 0}\n"
    "stages:\n"
    "  data: {kind: load, dataset: mnist, split: test}\n"
    "  unit: {kind: normalise, in: {images: data.images}, scale: 255}\n"
    "  noisy: {kind: add_noise, in: {images: unit.images}, noise_factor: \"${noise}\", seed: \"${s}\"}\n"
    "  other: {kind: add_noise, in: {images: noisy.images}, noise_factor: \"${both}\", seed: \"${both}\"}\n";

// Two noises over a shared prefix; the last stage depends on both parameters.
const std::string kPipeline =
    "params: {noise: 0.4, seed: 7, limit: null}\n"
    "stages:\n"
    "  mnist: {kind: load, dataset: mnist, limit: ${limit}}\n"
    "  unit: {kind: normalise, in: {images: mnist.images}}\n"
    "  noisy: {kind: add_noise, in: {images: unit}, noise_factor: ${noise}}\n"
    "  again: {kind: add_noise, in: {images: noisy}, noise_factor: 0.1, seed: ${seed}}\n";

}  // namespace

TEST_CASE("an axis is a list of values, as YAML reads them") {
    CHECK(parse_axis("noise_factor=0.1,0.2").name == "noise_factor");
    CHECK(values("a=0.1,0.20,4e-1") == "0.1 0.2 0.4 ");
    CHECK(values("a=x,'y,z',[1, 2],{b: [3, 4]},true,null") == "\"x\" \"y,z\" [1,2] {\"b\":[3,4]} true null ");
    CHECK(values("a=choice(1,2),3") == "1 2 3 ");
    CHECK(values("a= 1 , 2 ") == "1 2 ");
    CHECK(values("a=1") == "1 ");
    CHECK(parse_axis("ab=1,[2]").values[1].place().text() == "--sweep:1:6");
}

TEST_CASE("an argument is an override, of one value or of several as it is written") {
    CHECK(is_override("a=1"));
    CHECK(is_override("a.b=[1]"));
    CHECK(is_override("=1"));  // to be told
    CHECK_FALSE(is_override("m1"));
    CHECK_FALSE(is_override("m1[noise=0.1]"));
    CHECK_FALSE(is_override("grid@1,x[noise=0.1,b=2]"));
    for (const char* one : {"a=1", "a= 1", "a=[1, 2]", "a={b: 1, c: 2}", "a='1,2'", "a=\"range(1,3)\"", "a=x=y", "a=don't", "a=null",
                            "a=f(x) y", "a=:)", "a=${b}"})
        CHECK_FALSE(parse_override(one, "override").several);
    for (const char* several : {"a=1,2", "a=choice(1)", "a=range(1)", "a=range(1,3),7", "a=don't,won't", "a='x',\"y\""})
        CHECK(parse_override(several, "override").several);
    CHECK(values("a=don't,won't") == "\"don't\" \"won't\" ");
    CHECK(values("a=['x,y', z],{k: \"a,b\"}") == "[\"x,y\",\"z\"] {\"k\":\"a,b\"} ");
    CHECK(values("a=\"\",1") == "\"\" 1 ");
}

TEST_CASE("the text after '=' is taken as it is, or refused") {
    const auto read = [](const std::string& typed) {
        try {
            const Override got = parse_override("s=" + typed, "override");
            std::string all;
            for (const ConfigValue& value : got.values) all += (all.empty() ? "" : " ") + value.canonical();
            return all;
        } catch (const Error& error) {
            return fmt::format("{}: {}", error.diagnostics()[0].place.column, error.diagnostics()[0].message);
        }
    };
    const std::pair<const char*, const char*> kTexts[] = {
        // What means something in YAML is text here.
        {"#", R"_("#")_"}, {"a#b", R"_("a#b")_"}, {"run #1", R"_("run #1")_"}, {"a b # c", R"_("a b # c")_"},
        {"|", R"_("|")_"}, {">", R"_(">")_"}, {"|,>", R"_("|" ">")_"},
        {"- a", R"_("- a")_"}, {"? a", R"_("? a")_"}, {": a", R"_(": a")_"},
        {"a: b", R"_("a: b")_"}, {"a:b", R"_("a:b")_"}, {"%x", R"_("%x")_"}, {"@x", R"_("@x")_"}, {"`x", R"_("`x")_"}, {"*x", R"_("*x")_"},
        {"&x", R"_("&x")_"}, {"!x", R"_("!x")_"}, {"---", R"_("---")_"}, {"...", R"_("...")_"},
        {"-", R"_("-")_"}, {"%YAML 1.2", R"_("%YAML 1.2")_"},
        // Scalars as in a YAML file.
        {"null", "null"}, {"~", "null"}, {"nULL", R"_("nULL")_"}, {"true", "true"}, {"yes", R"_("yes")_"}, {"0x10", R"_("0x10")_"},
        {"1_0", R"_("1_0")_"}, {".5", R"_(".5")_"}, {"+1", R"_("+1")_"}, {"007", R"_("007")_"},
        {"1e3", "1000"}, {"12:30:00", R"_("12:30:00")_"},
        {"2024-01-01", R"_("2024-01-01")_"}, {"'1'", R"_("1")_"}, {"'null'", R"_("null")_"}, {"''", R"_("")_"},
        // Spaces around a value do not count, in it they do.
        {" lead", R"_("lead")_"}, {"trail ", R"_("trail")_"}, {"x  y", R"_("x  y")_"}, {"tab\there", R"_("tab\u0009here")_"},
        {"a\\ ", R"_("a ")_"}, {"' a '", R"_(" a ")_"}, {"é", R"_("é")_"},
        // Escapes without quotes.
        {"a\\,b", R"_("a,b")_"}, {"a\\,b,c", R"_("a,b" "c")_"}, {"1\\,5", R"_("1,5")_"}, {"a\\\\,b", R"_("a\\" "b")_"},
        {"a\\", R"_("a\\")_"},
        {"a\\d+", R"_("a\\d+")_"}, {"\\[a", R"_("[a")_"}, {"f\\(x\\)", R"_("f(x)")_"}, {"it's", R"_("it's")_"}, {"it\\'s", R"_("it's")_"},
        {"\\'a", R"_("'a")_"}, {"a\\=b", R"_("a=b")_"}, {"a=b", R"_("a=b")_"}, {"1\\ ", R"_("1 ")_"},
        // Quotes.
        {"'a,b'", R"_("a,b")_"}, {"'it''s, b'", R"_("it's, b")_"}, {"'it\\'s, b'", R"_("it's, b")_"}, {"'a'',b'", R"_("a',b")_"},
        {"\"a\\\",b\"", R"_("a\",b")_"}, {"\"a\\\\\",b", R"_("a\\" "b")_"}, {"'a\\\\'", R"_("a\\")_"}, {"\"a\\nb\"", R"_("a\\nb")_"},
        {"\"it's\"", R"_("it's")_"}, {"'''',b", R"_("'" "b")_"}, {"'a,b','c,d'", R"_("a,b" "c,d")_"}, {"'a' , 'b'", R"_("a" "b")_"},
        {"'a'b", "6: unexpected text after the closing quote"}, {"\"a\"\"b\"", "6: unexpected text after the closing quote"},
        {"'a,b", "3: this quote is not closed"}, {"'a\\'", "3: this quote is not closed"}, {"'", "3: this quote is not closed"},
        // Lists and maps.
        {"[a,'b,c']", R"_(["a","b,c"])_"}, {"[]", "[]"}, {"{}", "{}"}, {"[[1, 2],[3]]", "[[1,2],[3]]"},
        {"[run #1, |]", R"_(["run #1","|"])_"},
        {"{a: 'b,c'}", R"_({"a":"b,c"})_"}, {"{a:1,b: x:y}", R"_({"a":1,"b":"x:y"})_"}, {"{'a,b': 1}", R"_({"a,b":1})_"},
        {"[{conv: 3, activation: relu}, flatten]", R"_([{"activation":"relu","conv":3},"flatten"])_"}, {"[a\\]b]", R"_(["a]b"])_"},
        {"[${a.${b}}, 1]", R"_(["${a.${b}}",1])_"}, {"{a: ${b}}", R"_({"a":"${b}"})_"}, {"[1],[2]", "[1] [2]"},
        {"[a", "3: this '[' has no ']'"}, {"{", "3: this '{' has no '}'"}, {"[a}", "3: this '[' has no ']'"},
        {"[a]b", "6: unexpected text after ']'"}, {"[a,]", "6: a value is missing here"}, {"[,]", "4: a value is missing here"},
        {"{a}", "4: 'a' has no value"}, {"{a: 1, a: 2}", "10: 'a' stands twice"}, {"{a:}", "6: a value is missing here"},
        {"[a: 1]", "4: a map stands in braces"}, {"{: 1}", "4: a value is missing here"},
        // Functions, and what only looks like one.
        {"range", R"_("range")_"}, {"choice", R"_("choice")_"}, {"f(x) y", R"_("f(x) y")_"}, {"'range(3)'", R"_("range(3)")_"},
        {"choice('a,b',c)", R"_("a,b" "c")_"}, {"choice(range(2),7)", "0 1 7"}, {":)", R"_(":)")_"}, {"a(b,c", "4: this '(' has no ')'"},
        {"range(3", "3: this '(' has no ')'"}, {"f(x)", "3: there is no f(...), but range(...) and choice(...)"},
        {"range(3)x", "11: unexpected text after ')'"}, {"[range(3)]", "4: range(...) cannot stand within brackets"},
        {"choice(choice(1))", "10: choice(...) cannot stand within brackets"},
        // What no text of ours holds.
        {"new\nline", "6: a value cannot contain a line break"}, {"'new\nline'", "7: a value cannot contain a line break"},
        {"a\x01", "4: the control character \\x01 in the text"}, {"a\xff", "4: this is not UTF-8"},
    };
    for (const auto& [typed, arrives] : kTexts) {
        INFO(typed);
        CHECK(read(typed) == arrives);
    }
    CHECK(read(std::string(100, '[')) == "67: over 64 brackets within each other");
}

TEST_CASE("ranges step in decimal, and leave their stop out") {
    CHECK(values("a=range(0.1,0.6,0.1)") == "0.1 0.2 0.3 0.4 0.5 ");
    CHECK(values("a=range(3)") == "0 1 2 ");
    CHECK(values("a=range(2,5)") == "2 3 4 ");
    CHECK(values("a=1,range(2,5),7.5") == "1 2 3 4 7.5 ");
    CHECK(values("a=range(1,0,-0.25)") == "1 0.75 0.5 0.25 ");
    CHECK(values("a=range(-0.1,0.15,0.1)") == "-0.1 0 0.1 ");
    CHECK(values("a=range(1e-3,5e-3,2e-3)") == "0.001 0.003 ");
    CHECK(values("a=range( 0, 2e3, 1e+3 )") == "0 1000 ");
    CHECK(values("a=range(0,1,0.3)") == "0 0.3 0.6 0.9 ");
    CHECK(values("a=range(0.1,0.10000000000003,0.00000000000001)") == "0.1 0.10000000000001 0.10000000000002 ");
    const SweepAxis thousand = parse_axis("a=range(0,1,0.001)");
    REQUIRE(thousand.values.size() == 1000);
    for (int i = 0; i < 1000; ++i) CHECK(thousand.values[static_cast<std::size_t>(i)].as_number() == i / 1000.0);
}

TEST_CASE("a text that is no axis is an error with a caret") {
    const auto mistake = [](const std::string& text) {
        try {
            (void)parse_axis(text);
        } catch (const Error& error) {
            REQUIRE(error.diagnostics().size() == 1);
            CHECK(error.diagnostics()[0].place.source->text == text);
            return fmt::format("{} {}", error.diagnostics()[0].place.column, error.diagnostics()[0].message);
        }
        return std::string();
    };
    CHECK(mistake("a") == "1 this is not 'parameter=value'");
    CHECK(mistake("=1") == "1 this is not 'parameter=value'");
    CHECK(mistake("a=") == "3 a value is missing here");
    CHECK(mistake("a=1,,2") == "5 a value is missing here");
    CHECK(mistake("a=1,") == "5 a value is missing here");
    CHECK(mistake("a=1,2,1.0") == "7 the number 1.0 stands twice");
    CHECK(mistake("a=range(1,1)") == "3 this range is empty");
    CHECK(mistake("a=range(2,1)") == "3 this range is empty");
    CHECK(mistake("a=range(0,1,-1)") == "3 this range is empty");
    CHECK(mistake("a=range(0,1,0)") == "3 the step of this range is zero");
    CHECK(mistake("a=range(0,1,0.1,2)") == "3 a range has one to three numbers");
    CHECK(mistake("a=range(0,x)") == "11 a range is made of numbers");
    CHECK(mistake("a=range()") == "9 a range is made of numbers");
    CHECK(mistake("a=range(0,1") == "3 this '(' has no ')'");
    CHECK(mistake("a=0.5,range(0,1e9)") == "7 over 10000 values");
    CHECK(mistake("a=range(0,1e300)") == "11 this number has too many digits for a range");
    CHECK(mistake("a=range(0,1,0.0000000000000001)") == "13 this number has too many digits for a range");
    CHECK(mistake("a=range(999999999999999,0.0000000000000001)") == "25 this number has too many digits for a range");
    CHECK(mistake("a=1,rnage(1,5)") == "5 there is no rnage(...), but range(...) and choice(...)");
    CHECK(mistake("a=interval(1,5)") == "3 there is no interval(...), but range(...) and choice(...)");
    CHECK(mistake("a=  ") == "3 a value is missing here");
    CHECK(mistake("a=[1") == "3 this '[' has no ']'");
    CHECK_THROWS_WITH(parse_axis("a=range(2,1)"),
                      "--sweep:1:3: error: this range is empty\n    1 | a=range(2,1)\n      |   ^\n"
                      "      = its step leads away from its stop");
}

TEST_CASE("an axis is a repetition by its name, or because it is said to be one") {
    const auto repeated = [](const Lines& texts, const std::optional<Lines>& named) {
        std::vector<SweepAxis> axes;
        for (const std::string& text : texts) axes.push_back(parse_axis(text));
        std::vector<ConfigValue> names;
        for (const std::string& name : named.value_or(Lines())) names.push_back(ConfigValue::of_text(name));
        mark_repetitions(axes, named ? std::optional(names) : std::nullopt);
        Lines all;
        for (const SweepAxis& axis : axes)
            if (axis.repeats) all.push_back(axis.name);
        return all;
    };
    const Lines axes{"seed=1,2", "noise.seed=1,2", "data_seed=1", "reseed=1,2", "fold=1,2"};
    CHECK(repeated(axes, std::nullopt) == Lines{"seed", "noise.seed", "data_seed"});
    CHECK(repeated(axes, Lines{"fold"}) == Lines{"fold"});
    CHECK(repeated(axes, Lines{"none"}).empty());
    CHECK_THROWS_WITH(repeated(axes, Lines{"fodl"}),
                      Catch::Contains("'fodl' is named as a repetition, but is not swept") && Catch::Contains("did you mean 'fold'?"));
}

TEST_CASE("a key of a stage is swept as a parameter is") {
    const Sweep swept = sweep(kPipeline, {"noisy.noise_factor=0.1,0.2", "again.seed=1,2"});
    CHECK(names(swept.dag) == Lines{"mnist", "unit", "noisy[noisy.noise_factor=0.1]", "noisy[noisy.noise_factor=0.2]",
                                    "again[noisy.noise_factor=0.1,again.seed=1]", "again[noisy.noise_factor=0.1,again.seed=2]",
                                    "again[noisy.noise_factor=0.2,again.seed=1]", "again[noisy.noise_factor=0.2,again.seed=2]"});
    CHECK_THROWS_WITH(sweep(kPipeline, {"nosiy.seed=1,2"}), Catch::Contains("there is no parameter 'nosiy.seed' to sweep"));
    CHECK_THROWS_WITH(sweep(kPipeline, {"noisy.sede=1,2"}),
                      Catch::Contains("no parameter 'sede'") && Catch::Contains("did you mean 'seed'?"));
    CHECK_THROWS_WITH(own_sweep(kPipeline + "sweep: {matrix: {noise: [0.1]}, include: [{noise: 0.1, again.seed: 1}, {noise: 0.3}]}\n"),
                      Catch::Contains("a point of this sweep does not set 'again.seed'"));
}

TEST_CASE("the short form of the file's own sweep is its matrix, and its mistakes have places in the file") {
    const SweepDesign read = design("{noise: [0.1, 0.2], train.epochs: \"range(1,3)\", seed: 4}");
    CHECK(points(read) == Lines{"noise=0.1 train.epochs=1 seed=4", "noise=0.1 train.epochs=2 seed=4",
                                "noise=0.2 train.epochs=1 seed=4", "noise=0.2 train.epochs=2 seed=4"});
    CHECK(points(read) == points(design("{matrix: {noise: [0.1, 0.2], train.epochs: \"range(1,3)\", seed: 4}}")));
    CHECK(read.axes[1].place.text() == "a.yaml:1:21");
    CHECK_FALSE(read.repeat);
    CHECK_THROWS_WITH(design("{a: \"range(1,1)\"}"), Catch::Contains("a.yaml:1:5: error: this range is empty"));
    CHECK_THROWS_WITH(design("{a: []}"), Catch::Contains("a.yaml:1:5: error: an axis needs 1 to 10000 values"));
    CHECK_THROWS_WITH(design("{a: [1, 1]}"), Catch::Contains("a.yaml:1:9: error: the number 1 is duplicated"));
    CHECK_THROWS_WITH(design("{a: {b: 1}}"), Catch::Contains("'a' needs a list of values, not a map"));
    CHECK_THROWS_WITH(design("[a]"), Catch::Contains("'sweep' must be a map"));
    CHECK_THROWS_WITH(design("{}"), Catch::Contains("'sweep' must be a map"));
}

TEST_CASE("exclude leaves out the points of the matrix that have all that an entry names") {
    CHECK(points(design("{matrix: {a: [1, 2, 3], b: [x, y]}, exclude: [{a: 1}, {b: x, a: 3.0}]}")) ==
          Lines{"a=2 b=\"x\"", "a=2 b=\"y\"", "a=3 b=\"y\""});
}

TEST_CASE("include lays over the points of the matrix that it fits, and is a point of its own where it fits none") {
    // The example of GitHub's documentation of strategy.matrix.
    CHECK(points(design("{matrix: {fruit: [apple, pear], animal: [cat, dog]},\n"
                        " include: [{color: green}, {color: pink, animal: cat}, {fruit: apple, shape: circle},\n"
                        "           {fruit: banana}, {fruit: banana, animal: cat}]}")) ==
          Lines{"fruit=\"apple\" animal=\"cat\" color=\"pink\" shape=\"circle\"",
                "fruit=\"apple\" animal=\"dog\" color=\"green\" shape=\"circle\"",
                "fruit=\"pear\" animal=\"cat\" color=\"pink\" shape=-", "fruit=\"pear\" animal=\"dog\" color=\"green\" shape=-",
                "fruit=\"banana\" animal=- color=- shape=-", "fruit=\"banana\" animal=\"cat\" color=- shape=-"});
    CHECK(points(design("{include: [{a: 1, b: 2}, {a: 3}]}")) == Lines{"a=1 b=2", "a=3 b=-"});
    // A point that was left out can be put back with another setting.
    CHECK(points(design("{matrix: {a: [1, 2]}, exclude: [{a: 1}], include: [{a: 1, b: 5}]}")) == Lines{"a=2 b=-", "a=1 b=5"});
}

TEST_CASE("parameters that a point does not set keep their values, and the nodes' names distinguish the points") {
    const Sweep done = own_sweep(kPipeline + "sweep: {matrix: {noise: [0.1, 0.2]}, include: [{noise: 0.3, seed: 8}]}\n");
    CHECK(points(done) == Lines{"noise=0.1 seed=7", "noise=0.2 seed=7", "noise=0.3 seed=8"});
    CHECK(names(done.dag) == Lines{"mnist", "unit", "noisy[noise=0.1]", "noisy[noise=0.2]", "noisy[noise=0.3]",
                                   "again[noise=0.1]", "again[noise=0.2]", "again[noise=0.3]"});
    CHECK(done.dag.nodes[7].params.integer("seed") == 8);
    CHECK(done.axes[1].values.size() == 2);
    CHECK(done.axes[1].values[1].as_integer() == 7);
    // Nothing says which of the two parameters a stage depends on.
    const Sweep diagonal = own_sweep(kPipeline + "sweep: {include: [{noise: 0.1, seed: 1}, {noise: 0.2, seed: 2}]}\n");
    CHECK(names(diagonal.dag) == Lines{"mnist", "unit", "noisy[noise=0.1,seed=1]", "noisy[noise=0.2,seed=2]",
                                       "again[noise=0.1,seed=1]", "again[noise=0.2,seed=2]"});
    // Under --set, and where one parameter is made of another.
    const std::string linked = "params: {a: 1, b: \"${a}\"}\nsweep: {include: [{a: 2}, {b: 5}]}\n"
                               "stages: {l: {kind: load, dataset: mnist, limit: \"${b}\"}}\n";
    CHECK(points(own_sweep(linked)) == Lines{"a=2 b=2", "a=1 b=5"});
    CHECK(points(own_sweep(linked, {.profile = "", .set = {parse_setting("a=3")}})) == Lines{"a=2 b=2", "a=3 b=5"});
}

TEST_CASE("axes of the command line multiply the points of the file") {
    const SweepDesign both = product_of(design("{matrix: {a: [1, 2]}, exclude: [{a: 1}], include: [{b: 4, a: 5}], repeat: c}"),
                                        product_of({parse_axis("c=1,2")}));
    CHECK(points(both) == Lines{"a=2 b=- c=1", "a=2 b=- c=2", "a=5 b=4 c=1", "a=5 b=4 c=2"});
    REQUIRE(both.repeat);
    CHECK(both.repeat->front().text() == "c");
    CHECK_THROWS_WITH(product_of(design("{a: [1]}"), product_of({parse_axis("a=1,2")})),
                      Catch::Contains("--sweep:1:1: error: 'a' is swept twice"));
    CHECK_THROWS_WITH(product_of(design("{a: range(200)}"), product_of({parse_axis("b=range(200)")})),
                      Catch::Contains("more than 10000 points"));
}

TEST_CASE("too many points or values are refused before they are made") {
    std::string text = "{include: [";
    for (int i = 0; i < 101; ++i) text += fmt::format("{{p{}: 1}},", i);
    CHECK_THROWS_WITH(design(text + "]}"), Catch::Contains("more than 100 parameters are swept"));
    text = "{include: [";
    for (int i = 0; i < 10'001; ++i) text += fmt::format("{{p: {}}},", i);
    CHECK_THROWS_WITH(design(text + "]}"), Catch::Contains("'include' has more than 10000 entries"));
    text = "{matrix: {q: range(9999)}, include: [";
    for (int i = 0; i < 9'000; ++i) text += fmt::format("{{q: {}}},", 10'000 + i);
    CHECK_THROWS_WITH(design(text + "]}"), Catch::Contains("more than 10000 points"));
}

TEST_CASE("nodes that all points share have their plain name, and the others name the axes that they depend on") {
    const Sweep done = sweep(kPipeline, {"noise=0.1,0.2", "seed=1,2"});
    CHECK(names(done.dag) == Lines{"mnist", "unit", "noisy[noise=0.1]", "noisy[noise=0.2]", "again[noise=0.1,seed=1]",
                                   "again[noise=0.1,seed=2]", "again[noise=0.2,seed=1]", "again[noise=0.2,seed=2]"});
    REQUIRE(done.points.size() == 4);
    CHECK(done.points[1].values == std::vector<std::pair<std::string, std::string>>{{"noise", "0.1"}, {"seed", "2"}});
    CHECK(done.points[1].names == Lines{"mnist", "unit", "noisy", "again"});
    CHECK(done.points[1].nodes == std::vector<NodeId>{0, 1, 2, 5});
    CHECK(done.points[2].nodes == std::vector<NodeId>{0, 1, 3, 6});
    CHECK(done.dag.groups.at("noisy") == std::vector<NodeId>{2, 3});
    CHECK(done.dag.groups.at("again").size() == 4);
    CHECK(done.dag.groups.count("mnist") == 0);
    CHECK(done.dag.nodes[7].inputs[0].from == 3);
    CHECK(done.dag.nodes[7].params.integer("seed") == 2);
    CHECK(only_points(done) == std::vector<std::optional<std::size_t>>{{}, {}, {}, {}, 0, 1, 2, 3});
}

TEST_CASE("a node that does not depend on an axis does not name it") {
    const Sweep done = sweep(kPipeline, {"limit=5,6", "seed=1,2"});
    CHECK(names(done.dag) == Lines{"mnist[limit=5]", "mnist[limit=6]", "unit[limit=5]", "unit[limit=6]", "noisy[limit=5]",
                                   "noisy[limit=6]", "again[limit=5,seed=1]", "again[limit=5,seed=2]",
                                   "again[limit=6,seed=1]", "again[limit=6,seed=2]"});
    CHECK(names(sweep(kPipeline, {"seed=1"}).dag) == Lines{"mnist", "unit", "noisy", "again"});
    CHECK(sweep(kPipeline, {}).points.size() == 1);
}

TEST_CASE("groups stay groups, of all their points") {
    const Sweep done = sweep(
        "params: {noise: 0.4}\nstages:\n  l: {foreach: [train, test], do: {kind: load, dataset: mnist, split: "
        "\"${item}\"}}\n"
        "  u: {foreach: [train, test], do: {kind: normalise, in: {images: \"l@${item}.images\"}}}\n"
        "  n: {foreach: [train, test], do: {kind: add_noise, in: {images: \"u@${item}\"}, noise_factor: ${noise}}}\n",
        {"noise=0.1,0.2"});
    CHECK(names(done.dag) == Lines{"l@train", "l@test", "u@train", "u@test", "n@train[noise=0.1]", "n@train[noise=0.2]",
                                   "n@test[noise=0.1]", "n@test[noise=0.2]"});
    CHECK(done.dag.groups.at("n") == std::vector<NodeId>{4, 5, 6, 7});
    CHECK(done.dag.groups.at("n@test") == std::vector<NodeId>{6, 7});
    CHECK(done.dag.groups.at("l") == std::vector<NodeId>{0, 1});
}

TEST_CASE("values that do not fit into a name are shortened, and have the same name in every sweep") {
    const auto names_of = [&](const std::string& layers) {
        return names(sweep("params: {layers: []}\nstages:\n  l: {kind: load, dataset: mnist}\n"
                           "  u: {kind: normalise, in: {images: l.images}}\n"
                           "  t: {kind: train, in: {x: u, target: u}, net: \"${layers}\", loss: mse}\n",
                           {"layers=" + layers}).dag);
    };
    const std::string small = "t[layers=batch_norm-~" + sha256("[\"batch_norm\"]").short_hex() + "]";
    const Lines one = names_of("[batch_norm],[batch_norm, {conv: 1}]");
    const Lines other = names_of("[{conv: 1}],[batch_norm, {conv: 1}],[batch_norm]");
    CHECK(one[2] == small);
    CHECK(other == Lines{"l", "u", other[2], one[3], small});
}

TEST_CASE("a name that is too long is shortened, and depends on the values alone") {
    const std::string seed(200, 's');
    const auto names_of = [&](const std::string& seeds) {
        return names(sweep("params: {" + seed + ": 0}\nstages:\n  l: {kind: load, dataset: mnist}\n"
                           "  u: {kind: normalise, in: {images: l.images}}\n"
                           "  n: {kind: add_noise, in: {images: u}, noise_factor: 0.1, seed: ${" + seed + "}}\n",
                           {seed + "=" + seeds}).dag);
    };
    const Lines one = names_of("1,2"), other = names_of("3,2,1");
    CHECK(one == Lines{"l", "u", other[4], other[3]});
    CHECK(one[2] == "n[" + std::string(22, 's') + "-1~" + sha256(seed + "=1").short_hex() + "]");
}

TEST_CASE("a foreach over a swept list merges what the points share") {
    const Sweep done = sweep(
        "params: {splits: [train]}\nstages:\n  l: {foreach: \"${splits}\", do: {kind: load, dataset: mnist, split: "
        "\"${item}\"}}\n",
        {"splits=[train],[train, test]"});
    CHECK(names(done.dag) == Lines{"l@train", "l@test"});
    CHECK(done.points[0].nodes == std::vector<NodeId>{0});
    CHECK(done.points[1].nodes == std::vector<NodeId>{0, 1});
}

TEST_CASE("an axis that cannot be swept is an error") {
    CHECK_THROWS_WITH(sweep(kPipeline, {"nosie=1,2"}),
                      Catch::Contains("--sweep:1:1: error: there is no parameter 'nosie' to sweep") &&
                          Catch::Contains("did you mean 'noise'?"));
    CHECK_THROWS_WITH(sweep(kPipeline, {"seed=1,2", "seed=3"}), Catch::Contains("'seed' is swept twice"));
    CHECK_THROWS_WITH(sweep(kPipeline, {"seed=range(200)", "noise=range(200)"}),
                      Catch::Contains("this sweep has more than 10000 points"));
    CHECK_THROWS_WITH(sweep(kPipeline, {"noise=0.1,11"}),
                      Catch::Contains("'noise_factor' is 11, but must lie between 0 and 10") &&
                          Catch::Contains("the value comes from --sweep:1:11") && Catch::Contains("at sweep point noise=11"));
}

TEST_CASE("the merged DAG carries the types that would be inferred for it") {
    const Sweep done = sweep(
        "params: {limit: 10, width: 4}\nnetworks: {net: [flatten, {dense: \"${width}\"}, {dense: 10, activation: softmax}]}\nstages:\n"
        "  m: {kind: train, in: {x: unit.images, target: data.labels}, net: net, loss: cross_entropy}\n"
        "  data: {kind: load, dataset: mnist, limit: \"${limit}\"}\n  unit: {kind: normalise, in: {images: data.images}}\n",
        {"limit=10,20", "width=4,8"});
    REQUIRE(done.dag.nodes.size() == 8);
    Diagnostics none;
    CHECK(test::types_text(done.dag.types) == test::types_text(infer_types(done.dag, none)));
    CHECK(done.dag.types.back().network_cost == 28 * 28 * 8 + 8 * 10);
}

TEST_CASE("every point of a random sweep, taken alone, is the DAG that its settings make") {
    std::mt19937 random(3);
    for (int round = 0; round < 20; ++round) {
        std::string text =
            "params: {a: 1, b: 2, c: 0.5}\nstages:\n  l: {kind: load, dataset: mnist, limit: ${a}}\n  s0: {kind: normalise, "
            "in: {images: l.images}}\n";
        const int stages = 1 + static_cast<int>(random() % 6);
        for (int i = 1; i <= stages; ++i)
            text +=
                fmt::format("  s{}: {{kind: add_noise, in: {{images: s{}}}, noise_factor: {}, seed: {}}}\n", i,
                            random() % static_cast<unsigned>(i), random() % 2 ? "${c}" : "0.1", random() % 2 ? "${b}" : "3");
        const Lines axes{"a=1,2", "b=3,4,5", "c=0.1,0.5"};
        const Sweep done = sweep(text, axes);
        REQUIRE(done.points.size() == 12);
        std::set<std::string> unique;
        for (NodeId id = 0; id < done.dag.nodes.size(); ++id) {
            CHECK(unique.insert(done.dag.nodes[id].name).second);
            for (const Input& input : done.dag.nodes[id].inputs) CHECK(input.from < id);
        }
        for (const SweepPoint& point : done.points) {
            Settings settings;
            for (const auto& [name, value] : point.values) settings.set.push_back(parse_setting(name + "=" + value));
            const Dag alone = sweep(text, {}, settings).dag;
            REQUIRE(alone.nodes.size() == point.nodes.size());
            for (std::size_t i = 0; i < alone.nodes.size(); ++i) {
                const Node& merged = done.dag.nodes[point.nodes[i]];
                CHECK(alone.nodes[i].name == point.names[i]);
                CHECK(test::types_text(done.dag.types[point.nodes[i]]) == test::types_text(alone.types[i]));
                CHECK(merged.name.substr(0, merged.name.find('[')) == point.names[i]);
                for (const auto& [name, value] : alone.nodes[i].params.values())
                    CHECK(merged.params.value(name).canonical() == value.canonical());
                for (std::size_t k = 0; k < merged.inputs.size(); ++k)
                    CHECK(merged.inputs[k].from == point.nodes[alone.nodes[i].inputs[k].from]);
            }
        }
    }
}

TEST_CASE("An axis that stages use only as their seed is a repetition, whatever it is called") {
    Sweep mixed = sweep(kSeeds, {"s=1,2", "noise=0.1,0.2", "both=1,2"});
    mark_seeds(mixed);
    CHECK(mixed.axes[0].repeats);
    CHECK(!mixed.axes[1].repeats);
    CHECK(!mixed.axes[2].repeats);  // also a noise factor
}

TEST_CASE("Values that no stage tells apart are one value twice") {
    CHECK_THROWS_WITH(sweep(kSeeds, {"noise=0.1,0.2", "idle='7',8,7"}),
                      Catch::Contains("'idle' has one value twice: no stage tells the number 7 from the text '7'"));
}

TEST_CASE("An axis that makes no difference to what runs is unused") {
    Sweep mixed = sweep(kSeeds, {"s=1,2", "noise=0.1,0.2", "idle=1,2"});
    mark_unused_axes(mixed, [](NodeId) { return true; });
    CHECK(!mixed.axes[0].unused);
    CHECK(!mixed.axes[1].unused);
    CHECK(mixed.axes[2].unused);
    mark_unused_axes(mixed, [&](NodeId node) { return mixed.dag.nodes[node].name == "data"; });
    CHECK(mixed.axes[0].unused);
    mark_seeds(mixed);
    CHECK(!mixed.axes[2].repeats);  // it is no stage's seed
}
