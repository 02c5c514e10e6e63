#include "pipeline/records/results_note.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "pipeline/core/digest.h"
#include "pipeline/records/link_results.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using satdl::test::TempFolder;
namespace fs = std::filesystem;

namespace {

using Inputs = ResultsNote::Inputs;

// The DAG of a file dags/full.yaml, in which b reads a; and the folder results/full.
struct Scene {
    TempFolder folder;
    fs::path links = folder.path() / "results/full";
    std::unique_ptr<FileSystem> files = real_file_system();
    Dag dag;

    Scene() {
        fs::create_directories(links);
        dag.name = "full";
        dag.file = file("dags/full.yaml");
        dag.nodes.emplace_back().name = "a";
        dag.nodes.emplace_back().name = "b";
        dag.nodes[1].inputs.push_back({.port = "x", .from = 0, .from_port = "out", .place = {}});
    }

    fs::path file(const std::string& name) {
        const fs::path path = folder.path() / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path) << "stages: {}";
        return path;
    }
};

}  // namespace

TEST_CASE("a note says which DAG file the links are of, and what each stage reads") {
    Scene scene;
    CHECK_FALSE(read_results_note(scene.links, *scene.files));
    CHECK(write_results_note(scene.links, scene.dag, *scene.files));
    const auto note = read_results_note(scene.links, *scene.files);
    REQUIRE(note);
    CHECK(note->dag_file == "../../dags/full.yaml");
    CHECK(note->stages == std::map<std::string, Inputs>{{"a", {}}, {"b", {{"x", "a.out"}}}});
    CHECK(scene.files->list(scene.links) == std::vector<std::string>{".dag.json"});
}

TEST_CASE("a note is JSON as the library writes it, whatever the names") {
    Scene scene;
    const std::string odd = "q\"b\\s/{}\n\x7f\x01 \u00e9";
    scene.dag.nodes[0].name = odd;
    scene.dag.nodes.emplace_back().name = "not UTF-8 \xff";
    scene.dag.nodes[1].inputs.push_back({.port = "y", .from = 0, .from_port = "{", .place = {}});
    CHECK(write_results_note(scene.links, scene.dag, *scene.files));
    const std::map<std::string, Inputs> stages{{odd, {}}, {"b", {{"x", odd + ".out"}, {"y", odd + ".{"}}}, {"not UTF-8 \xff", {}}};
    const nlohmann::json json = {{"satdl_results", 1}, {"dag", "../../dags/full.yaml"}, {"inputs", stages}};
    CHECK(test::file_text(note_path(scene.links)) == json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n');
}

TEST_CASE("a note that is up to date is not written again") {
    Scene scene;
    CHECK(write_results_note(scene.links, scene.dag, *scene.files));
    const auto before = scene.files->stamp(note_path(scene.links));
    CHECK(write_results_note(scene.links, scene.dag, *scene.files));
    CHECK(scene.files->stamp(note_path(scene.links)) == before);
}

TEST_CASE("a note keeps the stages that the DAG does not have as long as they have a link") {
    Scene scene;
    CHECK(write_results_note(scene.links, scene.dag, *scene.files));
    fs::create_symlink("/store/objects/ab" / fs::path(sha256("b").hex() + ".h5"), scene.links / link_name_of("b"));
    scene.dag.nodes = {Node{}, Node{}};
    scene.dag.nodes[0].name = "a[seed=1]";
    scene.dag.nodes[1].name = "b[seed=1]";
    scene.dag.nodes[1].inputs.push_back({.port = "x", .from = 0, .from_port = "out", .place = {}});
    CHECK(write_results_note(scene.links, scene.dag, *scene.files));
    CHECK(read_results_note(scene.links, *scene.files)->stages ==
          std::map<std::string, Inputs>{{"a[seed=1]", {}}, {"b", {{"x", "a.out"}}}, {"b[seed=1]", {{"x", "a[seed=1].out"}}}});
}

TEST_CASE("a file of the user's in the place of the note stays, and is no note") {
    Scene scene;
    const auto* text = GENERATE("my notes", "{}", "[1]", R"({"satdl_results":2,"dag":"x","inputs":{}})", R"({"satdl_results":1,"dag":7})");
    std::ofstream(note_path(scene.links)) << text;
    CHECK_FALSE(read_results_note(scene.links, *scene.files));
    CHECK_FALSE(write_results_note(scene.links, scene.dag, *scene.files));
    CHECK(scene.files->read(note_path(scene.links), 0, 100) == text);
}

TEST_CASE("links are another file's if it is there and is not the same file") {
    Scene scene;
    Dag other = scene.dag;
    other.file = scene.file("other/full.yaml");
    CHECK_FALSE(other_dag_file(scene.links, other, *scene.files));
    CHECK(write_results_note(scene.links, scene.dag, *scene.files));
    CHECK_FALSE(other_dag_file(scene.links, scene.dag, *scene.files));
    CHECK(other_dag_file(scene.links, other, *scene.files) == fs::canonical(scene.dag.file));
    fs::remove(scene.dag.file);
    CHECK_FALSE(other_dag_file(scene.links, other, *scene.files));
    fs::create_hard_link(other.file, scene.dag.file);
    CHECK_FALSE(other_dag_file(scene.links, other, *scene.files));
}
