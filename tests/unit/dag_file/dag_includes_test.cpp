#include "pipeline/dag_file/dag_includes.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "pipeline/dag_file/dag_source.h"
#include "pipeline/yaml/yaml_parser.h"
#include "tests/support/small_catalog.h"
#include "tests/support/temp_folder.h"

using namespace satdl;

namespace {

using Lines = std::vector<std::string>;
using Files = std::map<std::string, std::string>;

// The files as they would lie on a disk.
DocumentReader reader(const Files& files) {
    return [&files](const std::filesystem::path& path) {
        const auto found = files.find(path.lexically_normal().string());
        if (found == files.end()) throw Error(ExitCode::Usage, "cannot read " + path.string());
        return parse_yaml(std::make_shared<const SourceText>(SourceText{found->first, found->second}));
    };
}

// Without links, a normal path is a file.
std::string identity(const std::filesystem::path& path) { return path.lexically_normal().string(); }

// The DAG of dags/a.yaml.
Dag build(const Files& files, const Settings& settings = {}) {
    const DatasetIndex datasets({std::filesystem::path(SATDL_SOURCE_DIR) / "data"});
    static const Catalog catalog = small_catalog();  // the DAG points into it
    const DocumentReader read = reader(files);
    return DagSource("dags/a.yaml", read("dags/a.yaml"), read, identity).build(settings, catalog, datasets);
}

// Each mistake as "file:line:column message | hint".
Lines mistakes(const Files& files) {
    try {
        (void)build(files);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        Lines found;
        for (const Diagnostic& one : error.diagnostics())
            found.push_back(one.place.text() + " " + one.message + (one.hint.empty() ? "" : " | " + one.hint));
        return found;
    }
    return {};
}

const std::string kLoad = "stages: {mnist: {kind: load, dataset: mnist, limit: \"${limit}\"}}\n";
const std::string kUnit = "  unit: {kind: normalise, in: {images: mnist.images}}\n";

}  // namespace

TEST_CASE("a DAG is the same whether it stands in one file or in several") {
    const std::string params = "params: {limit: 7, factor: 0.2}\n";
    const std::string noisy = "  noisy: {kind: add_noise, in: {images: unit}, noise_factor: \"${factor}\"}\n";
    const Dag one = build({{"dags/a.yaml", params + "stages:\n  mnist: {kind: load, dataset: mnist, limit: \"${limit}\"}\n" +
                                               kUnit + noisy}});
    const Dag several = build({{"dags/a.yaml", "include: [common/b.yaml, ../c.yaml]\nstages:\n" + noisy},
                               {"dags/common/b.yaml", "include: d.yaml\nstages:\n" + kUnit},
                               {"dags/common/d.yaml", "params: {limit: 7}\n" + kLoad},
                               {"c.yaml", "params: {factor: 0.2}\n"}});
    REQUIRE(several.nodes.size() == one.nodes.size());
    CHECK(several.name == one.name);
    for (NodeId id = 0; id < one.nodes.size(); ++id) {
        CHECK(several.nodes[id].name == one.nodes[id].name);
        CHECK(several.nodes[id].params.values().size() == one.nodes[id].params.values().size());
        for (const auto& [name, value] : one.nodes[id].params.values())
            CHECK(several.nodes[id].params.value(name).canonical() == value.canonical());
    }
    CHECK(several.nodes[0].place.text() == "dags/common/d.yaml:2:10");
}

TEST_CASE("a file overrides the parameters and profiles of the files that it includes, and adds to them") {
    const Files files{{"dags/a.yaml",
                       "include: b.yaml\nparams: {limit: 5, deep: {y: 3}}\nprofiles: {quick: {deep: {y: 9}}}\n"
                       "stages: {n: {kind: add_noise, in: {images: u}, noise_factor: \"${deep.x}\", "
                       "seed: \"${deep.y}\"}, "
                       "u: {kind: normalise, in: {images: mnist.images}}}\n"},
                      {"dags/b.yaml", "params: {limit: 1, deep: {x: 1, y: 2}}\nprofiles: {quick: {limit: 2}}\n" + kLoad}};
    const Dag dag = build(files);
    CHECK(dag.find("mnist")->params.integer("limit") == 5);
    const Dag quick = build(files, {.profile = "quick", .set = {}});
    CHECK(quick.find("mnist")->params.integer("limit") == 2);
    CHECK(dag.find("n")->params.number("noise_factor") == 1);
    CHECK(dag.find("n")->params.integer("seed") == 3);
    CHECK(quick.find("n")->params.integer("seed") == 9);
}

TEST_CASE("a file that is included in two ways is taken once") {
    CHECK(build({{"dags/a.yaml", "include: [b.yaml, c.yaml, b.yaml]\n"},
                 {"dags/b.yaml", "include: d.yaml\n"},
                 {"dags/c.yaml", "include: ./d.yaml\nparams: {limit: 3}\n"},
                 {"dags/d.yaml", "params: {limit: 1}\n" + kLoad}})
              .nodes.at(0)
              .params.integer("limit") == 3);
}

TEST_CASE("two paths are one file if they lead to the same file, however they are written") {
    const test::TempFolder folder;
    const auto write = [&](const std::string& name, const std::string& text) {
        std::filesystem::create_directories((folder.path() / name).parent_path());
        std::ofstream(folder.path() / name) << text;
    };
    const auto limit = [&](const std::string& include) {
        write("a.yaml", "include: [" + include + "]\n");
        const DatasetIndex datasets({std::filesystem::path(SATDL_SOURCE_DIR) / "data"});
        const Catalog catalog = small_catalog();
        try {
            return std::to_string(DagSource(folder.path() / "a.yaml").build({}, catalog, datasets).nodes.at(0).params.integer("limit"));
        } catch (const Error& error) {
            return error.diagnostics().front().message;
        }
    };
    write("b.yaml", "params: {limit: 1}\n" + kLoad);
    std::filesystem::create_symlink("b.yaml", folder.path() / "link.yaml");
    std::filesystem::create_hard_link(folder.path() / "b.yaml", folder.path() / "hard.yaml");
    CHECK(limit("b.yaml, ./b.yaml, link.yaml, hard.yaml, " + (folder.path() / "b.yaml").string()) == "1");

    // near/.. is far, and not this folder.
    write("up.yaml", "params: {limit: 2}\n");
    write("far/up.yaml", kLoad);
    write("far/away/none.yaml", "");
    std::filesystem::create_directory_symlink("far/away", folder.path() / "near");
    CHECK(limit("up.yaml, near/../up.yaml") == "2");
    write("near/../a.yaml", "include: ../b.yaml\n");  // far/a.yaml: no cycle
    CHECK(limit("near/../a.yaml") == "1");
    std::filesystem::create_symlink("a.yaml", folder.path() / "me.yaml");
    CHECK(limit("me.yaml").starts_with("these files include each other in a cycle: "));
}

TEST_CASE("what two files define is a mistake that names both places") {
    CHECK(mistakes({{"dags/a.yaml", "include: b.yaml\nparams: {limit: 2}\n" + kLoad},
                    {"dags/b.yaml", "params: {limit: 1}\nnetworks: {net: [relu]}\n" + kLoad}}) ==
          Lines{"dags/a.yaml:3:10 'mnist' is defined twice | first defined at dags/b.yaml:3:10"});
    CHECK(mistakes({{"dags/a.yaml", "include: [b.yaml, c.yaml]\n" + kLoad},
                    {"dags/b.yaml", "params: {limit: 1}\nnetworks: {net: [relu]}\n"},
                    {"dags/c.yaml", "params: {limit: 1}\nnetworks: {net: [relu]}\n"}}) ==
          Lines{"dags/c.yaml:1:10 'limit' is defined twice | first defined at dags/b.yaml:1:10\nneither file "
                "includes the other: set it in only one of them",
                "dags/c.yaml:2:12 'net' is defined twice | first defined at dags/b.yaml:2:12"});
}

TEST_CASE("errors of an included file are reported at its own lines, together with those of the others") {
    CHECK(mistakes({{"dags/a.yaml", "include: b.yaml\nstage: 1\n"},
                    {"dags/b.yaml", "networks: 3\nstages: {x: {kind: laod}}\n"}}) ==
          Lines{"dags/b.yaml:1:11 'networks' must be a map, not the number 3",
                "dags/b.yaml:2:20 there is no stage kind 'laod' | did you mean 'load'?",
                "dags/a.yaml:2:1 a DAG file has no section 'stage' | did you mean 'stages'?"});
    CHECK(mistakes({{"dags/a.yaml", "include: b.yaml\n"}, {"dags/b.yaml", "a: {\n"}}).at(0).starts_with("dags/b.yaml:1:4 "));
    CHECK(mistakes({{"dags/a.yaml", "include: b.yaml\n"}, {"dags/b.yaml", "- 1\n"}}) ==
          Lines{"dags/b.yaml:1:1 an included file must be a map of sections, not a list | see docs/yaml.md"});
}

TEST_CASE("a missing file, a circular include and a value that is no path are errors at the including line") {
    CHECK(mistakes({{"dags/a.yaml", "include: [b.yaml]\n"}}) == Lines{"dags/a.yaml:1:11 cannot read dags/b.yaml"});
    CHECK(mistakes({{"dags/a.yaml", "include: b.yaml\n"}, {"dags/b.yaml", "include: ../dags/a.yaml\n"}}) ==
          Lines{"dags/b.yaml:1:10 these files include each other in a cycle: dags/a.yaml -> dags/b.yaml -> dags/a.yaml"});
    CHECK(mistakes({{"dags/a.yaml", "include: {x: 1}\n"}}) ==
          Lines{"dags/a.yaml:1:10 'include' must be a path or a list of paths, not a map | include: "
                "[common/data.yaml]"});
    CHECK(mistakes({{"dags/a.yaml", "include: \"${x}.yaml\"\n"}}) ==
          Lines{"dags/a.yaml:1:10 a path in 'include' cannot contain '${...}' | files are included before parameters "
                "are known"});
}

TEST_CASE("the number of the files and their size are bounded") {
    Files files{{"dags/a.yaml", "include: 1.yaml\n"}};
    for (int i = 1; i < 200; ++i) files[fmt::format("dags/{}.yaml", i)] = fmt::format("include: {}.yaml\n", i + 1);
    CHECK(mistakes(files) == Lines{"dags/99.yaml:1:10 more than 100 files are included"});
    const DocumentReader read = reader(files);
    CHECK_THROWS_WITH(join_includes("dags/a.yaml", read("dags/a.yaml"), read, identity, {.files = 100, .bytes = 40}),
                      Catch::Contains("are larger than"));
}

TEST_CASE("a file's name within an included file begins at the folder of that file") {
    const std::filesystem::path folder = std::filesystem::path(SATDL_SOURCE_DIR) / "tests";
    const Files files{{(folder / "a.yaml").string(), "include: golden/b.yaml\nparams: {file: empty.yaml}\n"},
                      {(folder / "golden/b.yaml").string(),
                       "params: {file: none}\nstages: {x: {kind: read, file: \"${file}\"}, y: {kind: read, file: README.md}}\n"}};
    const DatasetIndex datasets({});
    const Catalog catalog = small_catalog();
    const DocumentReader read = reader(files);
    const Dag dag = DagSource(folder / "a.yaml", read(folder / "a.yaml"), read, identity).build({}, catalog, datasets);
    CHECK(dag.find("x")->files.at(0).path == folder / "golden/empty.yaml");
    CHECK(dag.find("y")->files.at(0).path == folder / "golden/README.md");
}

TEST_CASE("an included file with a byte changed or dropped is part of a DAG, or an error") {
    const std::string good = "include: [c.yaml]\nparams: {limit: 1, deep: {x: [1]}}\nprofiles: {q: {limit: 2}}\n" + kLoad;
    const auto survives = [&](const std::string& text) {
        try {
            return !build({{"dags/a.yaml", "include: b.yaml\nparams: {limit: 5}\n" + std::string("stages:\n") + kUnit},
                           {"dags/b.yaml", text},
                           {"dags/c.yaml", "networks: {n: [relu]}\n"}})
                        .nodes.empty();
        } catch (const Error& error) {
            return error.code() == ExitCode::Usage && !error.diagnostics().empty();
        }
    };
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (const char c : {' ', '\n', ':', ',', '{', '}', '[', ']', '"', '$', '~', '0'}) {
            std::string changed = good;
            changed[i] = c;
            CHECK(survives(changed));
        }
        CHECK(survives(good.substr(0, i) + good.substr(i + 1)));
        CHECK(survives(good.substr(0, i)));
    }
}
