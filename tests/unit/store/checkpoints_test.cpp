#include "pipeline/store/checkpoint_files.h"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "tests/support/faulty_file_system.h"
#include "tests/support/hdf5_writer.h"
#include "tests/support/sample_outcome.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::Fault;
using test::FaultyFileSystem;
using test::file_text;
using test::TempFolder;
using test::write_text;

namespace {

NamedArrays state_at(float number) {
    return {{"weights/conv_1.weight", test::array_of<float>({3}, {number, 2, 3})},
            {"history/val/loss", test::array_of<double>({2}, {0.5, 0.25})},
            {"position", test::array_of<std::int64_t>({2}, {7, 210})}};
}

bool same(const NamedArrays& one, const NamedArrays& other) { return port_digest(one) == port_digest(other); }

CheckpointPosition at(std::int64_t epoch, std::int64_t step) { return {epoch, 20, step, 469}; }

const Recipe kRecipe = test::sample_recipe(1);
const Digest kKey = key_of(kRecipe);

std::optional<Checkpoint> loaded(CheckpointStore& checkpoints) {
    std::vector<std::string> damaged;
    return checkpoints.load(kKey, damaged);
}

// A process with its view of a store's checkpoints.
struct Process {
    explicit Process(const std::filesystem::path& store) : faulty(*files), checkpoints(store, Retention::LastTwo, faulty, test::hdf5_writer) {}
    std::unique_ptr<FileSystem> files = real_file_system();
    FaultyFileSystem faulty;
    CheckpointFiles checkpoints;

    void keep(const CheckpointPosition& position, const NamedArrays& state, const Recipe& recipe = kRecipe) {
        checkpoints.write(recipe, key_of(recipe), position, state);
    }
};

// By a process that has just begun.
std::optional<Checkpoint> loaded_anew(const TempFolder& folder) {
    Process process(folder.path());
    return loaded(process.checkpoints);
}

std::vector<std::string> names_in(const std::filesystem::path& folder) { return real_file_system()->list(folder); }

std::filesystem::path newest_file(const std::filesystem::path& store) {
    return store / "checkpoints" / names_in(store / "checkpoints").back();
}

void overwrite(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::remove(path);
    write_text(path, text);
}

}  // namespace

TEST_CASE("a position is described in words") {
    CHECK(at(7, 210).text() == "epoch 7, step 210, 32 %");
    CHECK(at(7, 469).text() == "the end of epoch 7, 35 %");
    CHECK(position_of({.epoch = 7, .epochs = 20, .step = 0, .steps = 469, .epoch_ended = true, .metrics = {}}) == at(7, 469));
    CHECK(CheckpointPosition{}.share() == 0);
}

TEST_CASE("a stage starts at the farther checkpoint, at its own if both are as far, and at the beginning if there is none") {
    CHECK(choose_start(std::nullopt, std::nullopt) == Start::Beginning);
    CHECK(choose_start(at(1, 1), std::nullopt) == Start::Checkpoint);
    CHECK(choose_start(std::nullopt, at(1, 1)) == Start::FinalCheckpoint);
    CHECK(choose_start(at(3, 2), at(3, 2)) == Start::Checkpoint);
    CHECK(choose_start(at(3, 2), at(3, 3)) == Start::FinalCheckpoint);
    CHECK(choose_start(at(4, 0), at(3, 469)) == Start::Checkpoint);
    CHECK(choose_start(at(2, 100), CheckpointPosition{3, 3, 1, 469}) == Start::FinalCheckpoint);  // of a shorter training
}

TEST_CASE("the next process resumes from the last checkpoint of its key, and two are kept") {
    const TempFolder folder;
    {
        Process first(folder.path());
        CHECK_FALSE(first.checkpoints.newest(kKey));
        CHECK_FALSE(loaded(first.checkpoints));
        for (int epoch = 1; epoch <= 3; ++epoch) first.keep(at(epoch, 10), state_at(static_cast<float>(epoch)));
        first.keep(at(9, 9), state_at(9), test::sample_recipe(2));
    }
    Process next(folder.path());
    CHECK(next.checkpoints.newest(kKey) == at(3, 10));
    const auto found = loaded(next.checkpoints);
    REQUIRE(found);
    CHECK(found->position == at(3, 10));
    CHECK(same(found->state, state_at(3)));
    CHECK(names_in(folder.path() / "checkpoints").size() == 3);
    CHECK(names_in(folder.path() / "tmp").empty());

    next.checkpoints.remove(kKey);
    CHECK_FALSE(next.checkpoints.newest(kKey));
    CHECK(Process(folder.path()).checkpoints.newest(key_of(test::sample_recipe(2))) == at(9, 9));
}

TEST_CASE("two processes that compute the same key store checkpoints side by side") {
    const TempFolder folder;
    Process one(folder.path());
    Process other(folder.path());
    one.keep(at(1, 1), state_at(1));
    CHECK(other.checkpoints.newest(kKey) == at(1, 1));
    one.keep(at(1, 2), state_at(2));
    other.keep(at(1, 3), state_at(3));  // knows nothing of the second: takes the next free number
    const auto found = loaded_anew(folder);
    REQUIRE(found);
    CHECK(same(found->state, state_at(3)));
}

TEST_CASE("what another process has written is seen after a second look") {
    const TempFolder folder;
    Process one(folder.path());
    Process other(folder.path());
    CHECK_FALSE(other.checkpoints.newest(kKey));
    for (int epoch = 1; epoch <= 3; ++epoch) one.keep(at(epoch, 1), state_at(static_cast<float>(epoch)));
    CHECK_FALSE(other.checkpoints.newest(kKey));
    other.checkpoints.look_again();
    CHECK(other.checkpoints.newest(kKey) == at(3, 1));
    CHECK(same(loaded(other.checkpoints)->state, state_at(3)));
}

TEST_CASE("if any byte of the newest checkpoint is damaged, the one before it is used, and the damage is reported") {
    const TempFolder folder;
    {
        Process process(folder.path());
        process.keep(at(1, 10), state_at(1));
        process.keep(at(2, 10), state_at(2));
    }
    const auto path = newest_file(folder.path());
    const std::string whole = file_text(path);
    const auto taken = [&] {
        std::vector<std::string> damaged;
        const auto found = Process(folder.path()).checkpoints.load(kKey, damaged);
        REQUIRE(found);
        CHECK(found->position == at(1, 10));
        CHECK(same(found->state, state_at(1)));
        REQUIRE(damaged.size() == 1);
        CHECK_FALSE(std::filesystem::exists(path));  // in quarantine
    };
    for (std::size_t i = 0; i < whole.size(); i += i < 4096 ? 1 : 97) {
        std::string flipped = whole;
        flipped[i] = static_cast<char>(flipped[i] ^ 0x20);
        overwrite(path, flipped);
        taken();
    }
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
        overwrite(path, whole.substr(0, length));
        taken();
    }
    overwrite(path, whole + '\0');
    taken();
}

TEST_CASE("if all checkpoints are damaged there is none, and an artifact or another node's checkpoint is never taken for one") {
    const TempFolder folder;
    const auto store = folder.path();
    {
        Process process(store);
        process.keep(at(5, 5), state_at(5), test::sample_recipe(2));
    }
    const auto renamed = store / "checkpoints" / fmt::format("{}.1.h5", kKey.hex());
    std::filesystem::rename(newest_file(store), renamed);
    write_text(store / "checkpoints" / "notes.txt", "not ours");
    Process process(store);
    CHECK_FALSE(process.checkpoints.newest(kKey));
    std::vector<std::string> damaged;
    CHECK_FALSE(process.checkpoints.load(kKey, damaged));
    REQUIRE(damaged.size() == 1);
    CHECK_THAT(damaged.front(), Catch::Contains("it is a checkpoint of another key"));
}

TEST_CASE("whichever call fails while a checkpoint is stored, it or the one before it can be loaded") {
    for (const Fault fault : {Fault::Before, Fault::After}) {
        for (std::size_t call = 1;; ++call) {
            const TempFolder folder;
            Process process(folder.path());
            process.keep(at(1, 10), state_at(1));
            process.keep(at(2, 10), state_at(2));
            process.faulty.fail(call, EIO, 1, fault);
            bool failed = false;
            try {
                process.keep(at(3, 10), state_at(3));
            } catch (const FileError& error) {
                failed = true;
                CHECK(error.number() == EIO);
            }
            const bool reached = process.faulty.calls().size() >= call;
            process.faulty.heal();
            std::vector<std::string> damaged;
            const auto found = Process(folder.path()).checkpoints.load(kKey, damaged);
            REQUIRE(found);
            CHECK(damaged.empty());
            CHECK((same(found->state, state_at(3)) || (failed && same(found->state, state_at(2)))));
            process.keep(at(4, 10), state_at(4));  // the same process continues
            CHECK(same(loaded_anew(folder)->state, state_at(4)));
            if (!reached) break;
        }
    }
}

TEST_CASE("a folder that cannot be read has no checkpoint to resume from") {
    const TempFolder folder;
    {
        Process process(folder.path());
        process.keep(at(1, 10), state_at(1));
    }
    Process process(folder.path());
    process.faulty.fail(1, EACCES, FaultyFileSystem::kForEver);
    CHECK_FALSE(process.checkpoints.newest(kKey));
}

TEST_CASE("verification checks the checkpoints of all keys, names the damaged ones and moves them to quarantine") {
    const TempFolder folder;
    {
        Process process(folder.path());
        for (int epoch = 1; epoch <= 2; ++epoch) process.keep(at(epoch, 10), state_at(1));
        process.keep(at(9, 9), state_at(9), test::sample_recipe(2));
    }
    Process process(folder.path());
    const VerifiedFiles sound = process.checkpoints.verify();
    CHECK(sound.good == 3);
    CHECK(sound.bytes == 3 * std::filesystem::file_size(newest_file(folder.path())));
    CHECK(sound.damaged.empty());

    const auto path = newest_file(folder.path());
    std::string text = file_text(path);
    text.back() ^= 1;
    overwrite(path, text);
    const VerifiedFiles found = process.checkpoints.verify();
    CHECK(found.good == 2);
    REQUIRE(found.damaged.size() == 1);
    CHECK(found.damaged.front().find(path.string()) != std::string::npos);
    CHECK(names_in(folder.path() / "quarantine") == std::vector<std::string>{fmt::format("checkpoints-{}.1.h5", path.stem().string())});
    CHECK(process.checkpoints.verify().good == 2);
    CHECK(CheckpointFiles(folder.path() / "none", Retention::LastTwo, *process.files, test::hdf5_writer).verify().good == 0);
}

TEST_CASE("a checkpoint that is removed during verification is no damage, and one that cannot be read is an error") {
    const TempFolder folder;
    Process process(folder.path());
    process.keep(at(1, 10), state_at(1));
    for (const std::size_t call : {2, 3}) {  // after the list: the header, or the whole
        process.faulty.fail(call, ENOENT);
        const VerifiedFiles found = process.checkpoints.verify();
        CHECK(found.good == 0);
        CHECK(found.damaged.empty());
        process.faulty.fail(call, EIO);
        CHECK_THROWS_AS(process.checkpoints.verify(), FileError);
    }
}
