#include "pipeline/store/checkpoint_files.h"

#include <catch2/catch.hpp>

#include <cerrno>

#include "tests/support/faulty_file_system.h"
#include "tests/support/hdf5_writer.h"
#include "tests/support/sample_outcome.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using Catch::Matchers::Contains;
using test::Fault;
using test::FaultyFileSystem;
using test::file_text;
using test::TempFolder;
using test::write_text;

namespace {

Recipe base(int way = 1) { return test::sample_recipe(way); }

Digest key_with(std::int64_t goal) { return sha256("a training of " + std::to_string(goal)); }

CheckpointPosition end_of(std::int64_t reached, std::int64_t goal) { return {reached, goal, 469, 469}; }

NamedArrays state_after(std::int64_t epochs) {
    return {{"weights", test::array_of<float>({3}, {1, 2, static_cast<float>(epochs)})}, {"epoch", test::array_of<std::int64_t>({1}, {epochs})}};
}

// A process with its view of a store's ends.
struct Process {
    explicit Process(const TempFolder& folder) : faulty(*files), final_checkpoints(folder.path(), Retention::First, faulty, test::hdf5_writer) {}
    void keep(std::int64_t reached, std::int64_t goal, int way = 1) {
        final_checkpoints.write(base(way), key_with(goal), end_of(reached, goal), state_after(reached));
    }
    std::unique_ptr<FileSystem> files = real_file_system();
    FaultyFileSystem faulty;
    CheckpointFiles final_checkpoints;
    std::vector<std::string> damaged;
};

// How far the end is at which something of `goal` epochs would begin; 0: at the start.
std::int64_t begins_at(const TempFolder& folder, std::int64_t goal, int way = 1) {
    Process process(folder);
    const auto place = process.final_checkpoints.newest(key_of(base(way)), goal);
    const auto loaded = process.final_checkpoints.load(key_of(base(way)), process.damaged, goal);
    REQUIRE(place.has_value() == loaded.has_value());
    if (!place) return 0;
    CHECK(*place == loaded->position);
    CHECK(port_digest(loaded->state) == port_digest(state_after(place->epoch)));
    return place->epoch;
}

}  // namespace

TEST_CASE("the farthest final checkpoint within the requested epochs is used, and only one of the same training") {
    const TempFolder folder;
    CHECK(begins_at(folder, 50) == 0);
    {
        Process process(folder);
        process.keep(20, 20);
        process.keep(5, 5);
        process.keep(7, 30, 2);
    }
    CHECK(begins_at(folder, 50) == 20);
    CHECK(begins_at(folder, 20) == 20);
    CHECK(begins_at(folder, 19) == 5);
    CHECK(begins_at(folder, 4) == 0);
    CHECK(begins_at(folder, 50, 2) == 7);
    CHECK(begins_at(folder, 50, 3) == 0);
}

TEST_CASE("a final checkpoint is never changed, and the first writer wins") {
    const TempFolder folder;
    Process one(folder), other(folder);
    CHECK_FALSE(other.final_checkpoints.newest(key_of(base()), 20));
    one.keep(20, 20);
    const auto names = one.files->list(folder.path() / "ends");
    REQUIRE(names.size() == 1);
    const std::string before = file_text(folder.path() / "ends" / names[0]);
    one.keep(20, 30);
    other.keep(20, 30);  // knows nothing of the first
    CHECK(one.files->list(folder.path() / "ends") == names);
    CHECK(file_text(folder.path() / "ends" / names[0]) == before);
    CHECK(one.files->list(folder.path() / "tmp").empty());
}

TEST_CASE("a final checkpoint has the key of its artifact and can be removed") {
    const TempFolder folder;
    Process process(folder);
    process.keep(20, 20);
    process.keep(7, 30);
    write_text(folder.path() / "ends" / "notes.txt", "not ours");
    auto entries = process.final_checkpoints.entries();
    REQUIRE(entries.size() == 2);
    std::erase_if(entries, [](const CheckpointFiles::Entry& entry) { return entry.of != key_with(20); });
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].number == 20);
    CHECK(entries[0].bytes > 4096);
    process.final_checkpoints.erase(entries[0]);
    CHECK(process.final_checkpoints.newest(key_of(base()), 50)->epoch == 7);
    CHECK(begins_at(folder, 50) == 7);
}

TEST_CASE("a damaged final checkpoint is moved to quarantine and reported, and the one before it is used") {
    const TempFolder folder;
    {
        Process process(folder);
        process.keep(5, 5);
        process.keep(20, 20);
    }
    const auto path = folder.path() / "ends" / (key_of(base()).hex() + ".20.h5");
    std::string text = file_text(path);
    text.back() = static_cast<char>(text.back() ^ 1);
    std::filesystem::remove(path);
    write_text(path, text);
    Process process(folder);
    const auto loaded = process.final_checkpoints.load(key_of(base()), process.damaged, 50);
    REQUIRE(loaded);
    CHECK(loaded->position.epoch == 5);
    REQUIRE(process.damaged.size() == 1);
    CHECK_THAT(process.damaged[0], Contains("damaged"));
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(begins_at(folder, 50) == 5);
}

TEST_CASE("whichever call fails while a final checkpoint is stored, there is a complete one or none") {
    for (const Fault fault : {Fault::Before, Fault::After}) {
        for (std::size_t call = 1;; ++call) {
            const TempFolder folder;
            Process process(folder);
            process.faulty.fail(call, ENOSPC, 1, fault);
            bool failed = false;
            try {
                process.keep(20, 20);
            } catch (const FileError& error) {
                failed = true;
                CHECK(error.number() == ENOSPC);
            }
            const bool reached = process.faulty.calls().size() >= call;
            process.faulty.heal();
            const std::int64_t begins = begins_at(folder, 50);
            CHECK((begins == 20 || (failed && begins == 0)));
            process.keep(20, 20);
            CHECK(begins_at(folder, 50) == 20);
            if (!reached) break;
        }
    }
}
