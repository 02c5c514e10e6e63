#include "pipeline/records/link_results.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "pipeline/core/digest.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using satdl::test::TempFolder;
namespace fs = std::filesystem;

namespace {

fs::path artifact(const std::string& key) { return fs::path("objects") / sha256(key).hex().substr(0, 2) / (sha256(key).hex() + ".h5"); }

// A DAG of the stages a and b in results/full, and a store.
struct Scene {
    TempFolder folder;
    fs::path results = folder.path() / "results", links = results / "full", store = folder.path() / "store";
    std::unique_ptr<FileSystem> files = real_file_system();
    Dag dag;
    std::vector<std::string> warnings;

    Scene() {
        dag.name = "full";
        fs::create_directories(store);
        fs::create_directories(links);
        for (const char* name : {"a", "b"}) dag.nodes.emplace_back().name = name;
    }

    void link(const std::vector<std::string_view>& stages) {
        std::vector<CurrentArtifact> current;
        for (const std::string_view stage : stages) current.emplace_back(stage, store / artifact(std::string(stage)));
        warnings.clear();
        link_results(results, dag, current, store, *files, [this](const std::string& text) { warnings.push_back(text); });
    }
    void link() { link({"a", "b"}); }
    [[nodiscard]] bool leads_to(const std::string& name, const std::string& key) const {
        return fs::read_symlink(links / name) == "../../store" / artifact(key);
    }
};

}  // namespace

TEST_CASE("a link that is missing or leads to another store is replaced") {
    Scene scene;
    scene.link();
    fs::remove(scene.links / "a.h5");
    fs::remove(scene.links / "b.h5");
    fs::create_symlink("/elsewhere" / artifact("b"), scene.links / "b.h5");
    scene.link();
    CHECK(scene.leads_to("a.h5", "a"));
    CHECK(scene.leads_to("b.h5", "b"));
    CHECK(fs::read_symlink(scene.results / ".last") == "full");
    CHECK(scene.warnings.empty());
}

TEST_CASE("a file of the user's in the place of a link is kept, a warning names it, and the other links are made") {
    Scene scene;
    const fs::path taken = scene.links / "a.h5";
    const auto kind = GENERATE(fs::file_type::regular, fs::file_type::directory, fs::file_type::symlink);
    if (kind == fs::file_type::regular) std::ofstream(taken) << "my best model";
    if (kind == fs::file_type::directory) fs::create_directories(taken / "precious");
    if (kind == fs::file_type::symlink) fs::create_symlink("../my/model.h5", taken);
    scene.link();
    CHECK(fs::symlink_status(taken).type() == kind);
    CHECK(scene.leads_to("b.h5", "b"));
    REQUIRE(scene.warnings.size() == 1);
    CHECK_THAT(scene.warnings.front(), Catch::Contains("results/full/a.h5' is not a link that satdl made: it stays"));
    scene.link();
    CHECK(fs::symlink_status(taken).type() == kind);
}

TEST_CASE("only links of stages that the DAG no longer has are removed") {
    Scene scene;
    scene.dag.nodes.emplace_back().name = "gone";
    scene.link({"a", "b", "gone"});
    fs::copy(scene.links / "gone.h5", scene.links / "gone[seed=1].h5", fs::copy_options::copy_symlinks);
    fs::copy(scene.links / "a.h5", scene.links / "a[seed=1].h5", fs::copy_options::copy_symlinks);
    std::ofstream(scene.links / "mine.h5") << "mine";
    fs::create_symlink("b.h5", scene.links / "best.h5");
    scene.dag.nodes.pop_back();
    CHECK(links_of_gone_stages(scene.links, scene.dag, *scene.files) == std::vector<std::string>{"gone.h5", "gone[seed=1].h5"});
    scene.link({"a"});  // b did not run, and keeps its link
    CHECK(scene.files->list(scene.links) == std::vector<std::string>{".dag.json", "a.h5", "a[seed=1].h5", "b.h5", "best.h5", "mine.h5"});
}

TEST_CASE("a file, a folder or a link of the user's called .last stays, and a warning names it") {
    Scene scene;
    const fs::path last = scene.results / ".last";
    const auto kind = GENERATE(fs::file_type::regular, fs::file_type::directory, fs::file_type::symlink);
    if (kind == fs::file_type::regular) std::ofstream(last) << "mine";
    if (kind == fs::file_type::directory) fs::create_directories(last / "precious");
    if (kind == fs::file_type::symlink) fs::create_symlink("../elsewhere", last);
    CHECK_FALSE(last_folder(scene.results));
    scene.link();
    CHECK(fs::symlink_status(last).type() == kind);
    CHECK(scene.leads_to("a.h5", "a"));
    REQUIRE(scene.warnings.size() == 1);
    CHECK_THAT(scene.warnings.front(), Catch::Contains("results/.last' is not a link that satdl made: it stays"));
    fs::remove_all(last);
    scene.link();
    CHECK(scene.warnings.empty());
    CHECK(last_folder(scene.results) == "full");
}

TEST_CASE("links lead from and to folders that are links themselves") {
    Scene scene;
    fs::create_directories(scene.folder.path() / "disk/deep/results");
    fs::remove_all(scene.results);
    fs::create_directory_symlink("disk/deep/results", scene.results);
    scene.link();
    CHECK(fs::read_symlink(scene.links / "a.h5") == "../../../../store" / artifact("a"));
}

TEST_CASE("The file name of a stage cannot leave its folder") {
    CHECK(file_name_of("noisy@train") == "noisy@train");
    CHECK(file_name_of("m1[noise_factor=0.1]") == "m1[noise_factor=0.1]");
    CHECK(file_name_of("../x") == "%2E.%2Fx");
    CHECK(file_name_of("-rf") == "%2Drf");
    CHECK(file_name_of("a b\n\x7f%") == "a%20b%0A%7F%25");
    CHECK(file_name_of("größe") == "größe");
    const std::string long_name(400, 'x');
    CHECK(file_name_of(long_name).size() == 200);
    CHECK(file_name_of(long_name) != file_name_of(long_name + "y"));
}
