#include "pipeline/store/garbage.h"

#include <catch2/catch.hpp>
#include <ctime>

#include "pipeline/core/error.h"
#include "pipeline/store/results_folders.h"
#include "tests/support/sample_outcome.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::file_text;
using test::sample_description;
using test::sample_key;
using test::sample_outcome;
using test::sample_recipe;
using test::TempFolder;
using test::write_text;

namespace {

UnusedArtifact artifact(int number, std::uint64_t bytes, std::optional<double> seconds, double age_days = 10) {
    return {.key = sample_key(number), .kind = "sample", .bytes = bytes, .age_days = age_days, .seconds = seconds};
}

std::vector<Digest> keys_of(const std::vector<UnusedArtifact>& artifacts) {
    std::vector<Digest> keys;
    for (const UnusedArtifact& one : artifacts) keys.push_back(one.key);
    return keys;
}

constexpr double kYear = 365.0 * 86400;

double now() { return static_cast<double>(std::time(nullptr)) + 1; }  // files have fractions of seconds

// A store with the artifacts 1, 2 and 3.
struct SmallStore {
    SmallStore() : open(folder.path() / ".satdl", Access::ReadWrite) {
        for (const int number : {1, 2, 3}) (void)open.store().publish(sample_recipe(number), sample_description(), sample_outcome());
    }
    void write(const std::string& name) {
        std::filesystem::create_directories((open.folder() / name).parent_path());
        write_text(open.folder() / name, "0123456789");
    }
    TempFolder folder;
    OpenStore open;
};

}  // namespace

TEST_CASE("artifacts are removed in the order of their cost per byte, and those of unknown cost last") {
    const auto going = choose_garbage({artifact(1, 1, std::nullopt), artifact(2, 100, 1000), artifact(3, 1000, 1000), artifact(4, 10, 1)}, 1111, {});
    CHECK(keys_of(going) == std::vector{sample_key(4), sample_key(3), sample_key(2), sample_key(1)});
}

TEST_CASE("an empty artifact has a place in the order of removal") {
    const auto going = choose_garbage({artifact(1, 0, 5), artifact(2, 10, 5)}, 10, {});
    CHECK(keys_of(going) == std::vector{sample_key(2), sample_key(1)});
}

TEST_CASE("only artifacts that are old enough are removed") {
    const auto going = choose_garbage({artifact(1, 10, 1, 6.9), artifact(2, 10, 1, 7)}, 20, {.older_days = 7});
    CHECK(keys_of(going) == std::vector{sample_key(2)});
}

TEST_CASE("with a target size no more is removed than necessary") {
    const std::vector unused{artifact(1, 100, 1), artifact(2, 100, 2), artifact(3, 100, 3)};
    CHECK(keys_of(choose_garbage(unused, 1000, {.to_bytes = 900})) == std::vector{sample_key(1)});
    CHECK(keys_of(choose_garbage(unused, 1000, {.to_bytes = 899})) == std::vector{sample_key(1), sample_key(2)});
    CHECK(choose_garbage(unused, 1000, {.to_bytes = 1000}).empty());
    CHECK(choose_garbage(unused, 1000, {.to_bytes = 1}).size() == 3);  // used ones take the rest
}

TEST_CASE("an artifact in use is kept, and an unused one is removed") {
    SmallStore store;
    const Garbage garbage = find_garbage(store.open, {sample_key(2)}, {}, now());
    CHECK(garbage.artifacts.size() == 2);
    CHECK(garbage.kept == 1);
    CHECK(garbage.kept_bytes == store.open.files().stamp(store.open.store().path_of(sample_key(2)))->bytes);
    CHECK(garbage.artifacts.front().kind == "sample");
    CHECK(store.open.store().keys().size() == 3);  // nothing is removed yet
    remove_garbage(store.open, garbage);
    CHECK(store.open.store().keys() == std::vector{sample_key(2)});
    CHECK(find_garbage(store.open, {}, {.older_days = 1}, now()).artifacts.empty());
    CHECK(find_garbage(store.open, {}, {.older_days = 1}, now() + kYear).artifacts.size() == 1);
}

TEST_CASE("a final checkpoint is removed with its artifact") {
    SmallStore store;
    for (const int number : {1, 2})
        store.open.final_checkpoints().write(sample_recipe(10 + number), sample_key(number), {3, 3, 1, 1},
                                             {{"x", test::array_of<float>({1}, {1})}});
    const Garbage garbage = find_garbage(store.open, {sample_key(2)}, {}, now());
    REQUIRE(garbage.final_checkpoints.size() == 1);
    CHECK(garbage.final_checkpoints.front().of == sample_key(1));
    remove_garbage(store.open, garbage);
    REQUIRE(store.open.final_checkpoints().entries().size() == 1);
    CHECK(store.open.final_checkpoints().entries().front().of == sample_key(2));
}

TEST_CASE("leftovers are removed unless they belong to an artifact in use") {
    SmallStore store;
    const std::string used = sample_key(1).hex(), unused = sample_key(2).hex(), lost = sample_key(7).hex();
    for (const std::string& name : {"checkpoints/" + used + ".1.h5", "checkpoints/" + unused + ".1.h5", "quarantine/" + used + ".1.h5",
                                    "quarantine/" + lost + ".1.h5", std::string("index.sqlite.damaged-1")})
        store.write(name);
    const std::set<Digest> in_use{sample_key(1), sample_key(7)};
    CHECK(find_garbage(store.open, in_use, {.older_days = 1}, now()).leftovers.empty());
    remove_garbage(store.open, find_garbage(store.open, in_use, {}, now() + 1));
    CHECK(store.open.files().list(store.open.folder() / "checkpoints") == std::vector{used + ".1.h5"});
    CHECK(store.open.files().list(store.open.folder() / "quarantine") == std::vector{lost + ".1.h5"});  // it may be recomputed
    CHECK_FALSE(std::filesystem::exists(store.open.folder() / "index.sqlite.damaged-1"));
}

TEST_CASE("the links of results/ name the current artifacts, and without them none is removed") {
    const TempFolder folder;
    std::filesystem::create_directories(folder.path() / "results" / "dag");
    std::filesystem::create_symlink("../../.satdl/objects/" + sample_key(1).hex() + ".h5", folder.path() / "results" / "dag" / "a.h5");
    write_text(folder.path() / "results" / "dag" / (sample_key(2).hex() + ".h5"), "no link");
    CHECK(linked_artifacts(folder.path() / "results") == std::set{sample_key(1)});
    CHECK_THROWS_AS(linked_artifacts(folder.path() / "elsewhere"), Error);
}

TEST_CASE("links count by where they lead, through other links and folders, and in a circle") {
    const TempFolder folder;
    const auto results = folder.path() / "results";
    std::filesystem::create_directories(results / "dag");
    std::filesystem::create_directories(folder.path() / "kept");
    std::filesystem::create_directories(folder.path() / "store/objects");
    const auto object = [&](int number) { return folder.path() / "store/objects" / (sample_key(number).hex() + ".h5"); };
    write_text(object(1), "artifact");
    std::filesystem::create_symlink(object(1), folder.path() / "kept/best.h5");
    std::filesystem::create_symlink(folder.path() / "kept/best.h5", results / "dag/mine.h5");
    CHECK(linked_artifacts(results) == std::set{sample_key(1)});
    std::filesystem::remove(results / "dag/mine.h5");
    std::filesystem::create_directory_symlink(folder.path() / "kept", results / "more");
    std::filesystem::create_directory_symlink(results, folder.path() / "kept/circle");
    std::filesystem::create_symlink("itself", results / "itself");
    CHECK(linked_artifacts(results) == std::set{sample_key(1)});
}

TEST_CASE("artifacts that were just written are kept, and a time in the future counts like one in the past") {
    SmallStore store;
    const GarbagePolicy policy{.older_days = 1};
    const double day = 86400;
    for (const double shift : {-0.9 * day, 0.0, 0.9 * day}) CHECK(find_garbage(store.open, {}, policy, now() + shift).artifacts.empty());
    for (const double shift : {-1.1 * day, 1.1 * day}) CHECK(find_garbage(store.open, {}, policy, now() + shift).artifacts.size() == 3);
}

TEST_CASE("a store knows the results folders that link to it, by paths that move with them") {
    const TempFolder folder;
    const auto files = real_file_system();
    for (const char* name : {"a/store", "a/results", "b/results"}) std::filesystem::create_directories(folder.path() / name);
    for (const char* name : {"a/results", "b/results", "a/results"})
        remember_results_folder(folder.path() / "a/store", folder.path() / name, *files);
    CHECK(file_text(folder.path() / "a/store/results-folders") == "../results\n../../b/results\n");
    std::filesystem::rename(folder.path() / "a", folder.path() / "c");
    const auto known = known_results_folders(folder.path() / "c/store", *files);
    REQUIRE(known.size() == 2);
    CHECK(known[0].lexically_normal() == folder.path() / "c/results");
}
