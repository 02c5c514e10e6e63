// Stages of kind `command`: their ports, placeholders and files, and what is wrong with them, before anything runs.
#include <catch2/catch.hpp>
#include <fstream>

#include "pipeline/catalog/command_kind.h"
#include "pipeline/dag_file/dag_source.h"
#include "pipeline/dag_file/placeholders.h"
#include "pipeline/yaml/yaml_parser.h"
#include "tests/support/small_catalog.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using satdl::test::TempFolder;
using Catch::Matchers::Contains;

namespace {

class Project {
public:
    Project() {
        for (const char* name : {"prep.py", "lib/a.py", "lib/b.py", "raw/x.csv", "raw/y.csv"}) {
            std::filesystem::create_directories((folder_.path() / name).parent_path());
            std::ofstream(folder_.path() / name) << name;
        }
    }

    // The DAG of these stages.
    Dag dag(const std::string& stages) const {
        const auto file = folder_.path() / "dag.yaml";
        return DagSource(file, parse_yaml(std::make_shared<const SourceText>(SourceText{"dag.yaml", "stages:\n" + stages})))
            .build({}, catalog_, DatasetIndex({}));
    }
    // What is wrong with the stage `s` of this map; "" if nothing is.
    std::string mistake(const std::string& map) const {
        try {
            (void)dag("  s: {kind: command, " + map + "}\n");
        } catch (const Error& error) {
            CHECK(error.code() == ExitCode::Usage);
            return error.what();
        }
        return {};
    }

private:
    TempFolder folder_;
    const Catalog catalog_ = [] {
        Catalog catalog = small_catalog();
        catalog.add({.stages = {command_kind()}});
        return catalog;
    }();
};

std::string parsed(const std::string& text) {
    const auto argument = parse_argument(text);
    const auto* const mistake = std::get_if<PlaceholderMistake>(&argument);
    return mistake != nullptr ? "mistake: " + mistake->message : text_of(std::get<Argument>(argument));
}

}  // namespace

TEST_CASE("placeholders are parsed, and printed as they were written") {
    for (const char* good :
         {"", "plain", "{in.x}", "--x={in.x:npy}", "{out.model:tar.gz}", "{files.raw}", "{work}/tmp", "{lr}", "a{{b}}c", "{{{lr}}}"})
        CHECK(parsed(good) == good);
    CHECK(parsed("{") == "mistake: this '{' has no counterpart");
    CHECK(parsed("a}") == "mistake: this '}' has no counterpart");
    for (const char* bad : {"{}", "{a b}", "{in.}", "{in.x:}", "{in.x:../y}", "{lr:npy}", "{other.x}", "{0}", "{in.x.y}"})
        CHECK_THAT(parsed(bad), Contains("is not a placeholder") || Contains("mistake"));
}

TEST_CASE("a command stage has the ports, parameters and files that its map gives") {
    const Dag dag = Project().dag(R"(
  prep: {kind: command, run: [./prep.py, "{files.raw}", "{out.data}"], files: {raw: raw/*.csv}, sources: [prep.py, "lib/**"], out: {data: array}}
  train: {kind: command, run: "t --x {in.x} {lr}", in: {x: prep.data}, with: {lr: 0.1, n: 3, ok: true, name: "1"}, out: {m: metrics, f: folder}}
  next: {kind: command, run: "n {in.f} {in.m:csv} {in.x:npy}", in: {f: train.f, m: train.m, x: prep}, out: {a: arrays}}
)");
    const Node& prep = *dag.find("prep");
    REQUIRE(prep.command);
    std::vector<std::string> files;
    for (const SourceFile& file : prep.files) files.push_back(file.role + " " + file.member);
    CHECK(files == std::vector<std::string>{"raw raw/x.csv", "raw raw/y.csv", "source prep.py", "source lib/a.py", "source lib/b.py"});
    const Node& train = *dag.find("train");
    CHECK(train.params.value("lr").canonical() == "0.1");
    CHECK(train.params.value("n").canonical() == "3");
    CHECK(train.params.value("ok").canonical() == "true");
    CHECK(train.params.value("name").canonical() == "\"1\"");
    CHECK(train.params.text("run") == "t --x {in.x} {lr}");
    CHECK(train.params.text("out") == "f: folder, m: metrics");  // a record has no order of names
    const StageDescription& next = dag.find("next")->stage->description;
    CHECK(next.input("f")->kind == PortKind::Folder);
    CHECK(next.input("m")->kind == PortKind::Metrics);
    CHECK(next.input("x")->kind == PortKind::Array);
    CHECK(next.output("a")->kind == PortKind::Arrays);
}

TEST_CASE("a built-in stage takes what a program makes, and refuses another kind") {
    const Project project;
    const std::string stage = "  a: {kind: command, run: p, out: {x: array, m: metrics}}\n  n: {kind: normalise, in: {images: a.%}}\n";
    const auto reading = [&](const std::string& port) {
        std::string text = stage;
        return text.replace(text.find('%'), 1, port);
    };
    CHECK(project.dag(reading("x")).nodes.size() == 2);
    CHECK_THROWS_WITH(project.dag(reading("m")), Contains("wants float32") || Contains("is metrics"));
}

TEST_CASE("what is wrong with a command stage is reported at its place, with what to do") {
    const Project project;
    const std::string out = "out: {a: file}, ";
    const std::vector<std::pair<std::string, std::string>> all{
        {"run: p", "needs the parameter 'out'"},
        {"run: p, out: {}", "'out' is empty: a stage has at least one output"},
        {"run: p, out: {a: aray}", "did you mean 'array'?"},
        {"run: p, out: {a-b: file}", "'a-b' cannot be the name of an output"},
        {"out: {a: file}", "needs the parameter 'run'"},
        {out + "run: []", "'run' must be a program with its arguments"},
        {out + "run: \"p 'x\"", "a quote in 'run' is not closed"},
        {out + "run: [p, [x]]", "an argument must be a text, not a list"},
        {out + "run: [p], shell: true", "with 'shell', 'run' is a text"},
        {out + "run: \"p {in.x}\"", "there is no input 'x'"},
        {out + "run: \"p {out.b}\"", "there is no output 'b'"},
        {out + "run: \"p {files.raw}\"", "there are no files 'raw'"},
        {out + "run: \"p {lr}\", with: {lx: 1}", "did you mean 'lx'?"},
        {out + "run: \"p {lr}\", with: {lr: null}", "the value 'lr' is null, which is no text"},
        {out + "run: \"p {lr}\", with: {lr: [1]}", "'lr' must be a number, a boolean or a text, not a list"},
        {out + "run: p, with: {run: 1}", "'run' cannot be the name of a value"},
        {out + "run: p, epochs: 3", "a value for the program stands under 'with': with: {epochs: ...}"},
        {out + "run: p, files: {raw: raw/z.csv}", "there is no file raw/z.csv"},
        {out + "run: p, files: {raw: raw/*.txt}", "no file matches raw/*.txt"},
        {out + "run: p, files: {raw: ../x}", "../x is outside the project"},
        {out + "run: p, files: {a: raw, b: raw}", "raw has two names"},
        {out + "run: \"p x{files.raw}\", files: {raw: raw/*}", "it must be an argument of its own"},
        {out + "run: p, sources: ../x.py", "../x.py is outside the project"},
        {out + "run: p, sources: /etc/passwd", "/etc/passwd is outside the project"},
        {out + "run: p, sources: [no/*.py]", "no file matches no/*.py"},
        {out + "run: [python3, prep.py]", "prep.py is a file of the project that the stage does not declare"},
        {out + "run: ./prep.py", "is a file of the project that the stage does not declare"},
        {out + "run: p, env: {\"A B\": x}", "'A B' cannot be an environment variable"},
        {out + "run: p, env: {A: x}, pass: [A]", "'A' stands under 'env', too"},
        {out + "run: p, versions: python3", "'versions' must be a list of commands"},
        {out + "run: p, versions: [[]]", "this is not a command"},
        {out + "run: p, paths: {b: x}", "there is no input or output 'b'"},
        {out + "run: p, paths: {a: ../x}", "must be a relative path"},
        {"out: {a: file, b: file}, run: p, paths: {a: x, b: ./x}", "'a' and 'b' have the same path"},
        {"out: {a: file}, run: p, paths: {a: raw/x.csv}, files: {r: raw/x.csv}", "the path of 'a', raw/x.csv, is taken"},
        {"out: {a: folder}, run: p, paths: {a: raw}, files: {r: raw/*.csv}", "the path of 'a', raw, is taken"},
        {out + "run: p, paths: {a: lib/a.py}, sources: lib", "the path of 'a', lib/a.py, is taken"},
        {out + "run: p, paths: {a: .satdl/progress}", "the path of 'a', .satdl/progress, is taken"},
        {out + "run: \"p '{out.a}'\", shell: true", "a placeholder stands within quotes"},
        {out + "run: p, folder: nowhere", "there is no folder nowhere"},
        {out + "run: p, folder: /tmp", "'folder' must be a folder of the project"},
        {out + "run: p, threads: many", "'threads' must be a whole number from 1 to 256 or auto"},
        {"out: {a: metrics}, run: \"p {out.a:csv}\"", "it cannot be read from csv"},
    };
    for (const auto& [map, message] : all) {
        INFO(map);
        const std::string mistake = project.mistake(map);
        CHECK_THAT(mistake, Contains(message));
        CHECK_THAT(mistake, Contains("dag.yaml:2:"));
    }
    CHECK(project.mistake(out + "run: [python3, prep.py, no-file.txt, -c], sources: prep.py") == "");
}
