#include "pipeline/store/memory_store.h"
#include "pipeline/store/store.h"

#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include "tests/support/faulty_file_system.h"
#include "tests/support/hdf5_writer.h"
#include "tests/support/sample_outcome.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::Fault;
using test::FaultyFileSystem;
using test::file_text;
using test::sample_description;
using test::sample_key;
using test::sample_outcome;
using test::sample_recipe;
using test::TempFolder;
using test::write_text;

namespace {

// A store as a process opens it: index, files, store.
struct Process {
    explicit Process(const std::filesystem::path& folder)
        : index(folder / "index.sqlite"), faulty(*files), store(folder, faulty, index, test::hdf5_writer) {}

    Published publish(int number, float first = 1.5F) {
        return store.publish(sample_recipe(number), sample_description(), sample_outcome(first));
    }

    std::vector<PublishResult> publish_together(const std::vector<int>& numbers) {
        const StageOutput outcome = sample_outcome();
        const StageDescription description = sample_description();
        std::vector<Recipe> recipes;
        std::vector<NewArtifact> artifacts;
        for (const int number : numbers) recipes.push_back(sample_recipe(number));
        for (const Recipe& recipe : recipes) artifacts.push_back({recipe, description, outcome});
        return store.publish_all(artifacts);
    }

    std::unique_ptr<FileSystem> files = real_file_system();
    Index index;
    FaultyFileSystem faulty;
    DiskStore store;
};

void overwrite(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::remove(path);
    write_text(path, text);
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
    return real_file_system()->list(folder);
}

}  // namespace

TEST_CASE("a published artifact can be found, described and loaded, by the next process too") {
    const TempFolder folder;
    const auto store_folder = folder.path() / ".satdl";
    {
        Process open(store_folder);
        CHECK_FALSE(open.store.find(sample_key(1)));
        CHECK_FALSE(open.store.header(sample_key(1)));
        CHECK_FALSE(open.store.load(sample_key(1)));
        CHECK(open.publish(1) == Published::New);
        CHECK(test::equal(*open.store.load(sample_key(1)), sample_outcome()));
    }
    Process open(store_folder);
    CHECK(open.store.find(sample_key(1)).value().ports == port_digests(sample_outcome()));
    CHECK(open.store.header(sample_key(1))->recipe == sample_recipe(1));
    CHECK(test::equal(*open.store.load(sample_key(1)), sample_outcome()));
    CHECK(open.store.keys() == std::vector{sample_key(1)});
    const auto permissions = std::filesystem::status(open.store.path_of(sample_key(1))).permissions();
    CHECK((permissions & std::filesystem::perms::mask) == std::filesystem::perms(0444));
    CHECK(names_in(store_folder / "tmp").empty());
}

TEST_CASE("an artifact of another store is found as if it had been made here, and replaces none") {
    const TempFolder folder;
    Process here(folder.path() / "here"), there(folder.path() / "there"), other(folder.path() / "other");
    (void)there.publish(1);
    (void)other.publish(1, 2.5F);
    const auto adopt = [&](const Process& from) {
        const auto staged = folder.path() / "here/tmp/staged";
        std::filesystem::create_directories(staged.parent_path());
        std::filesystem::copy_file(from.store.path_of(sample_key(1)), staged);
        const ArtifactHeader header = read_header(*here.files, staged);
        return here.store.adopt(header, staged);
    };
    CHECK(adopt(there) == Published::New);
    CHECK(here.store.find(sample_key(1)).value().ports == port_digests(sample_outcome()));
    CHECK(adopt(there) == Published::Same);
    CHECK(adopt(other) == Published::Different);
    CHECK(test::equal(*here.store.load(sample_key(1)), sample_outcome()));
    CHECK(names_in(folder.path() / "here/tmp").empty());
}

TEST_CASE("what a stage warned of is told by the store, also when its index was lost") {
    const TempFolder folder;
    StageOutput warned = sample_outcome();
    warned.warnings = {"class 3 is missing"};
    {
        Process open(folder.path());
        CHECK(open.store.publish(sample_recipe(1), sample_description(), warned) == Published::New);
        open.publish(2);
        CHECK(open.store.find(sample_key(1)).value().warnings == warned.warnings);
    }
    std::filesystem::remove(folder.path() / "index.sqlite");
    Process open(folder.path());
    CHECK(open.store.find(sample_key(1)).value().warnings == warned.warnings);
    CHECK(open.store.find(sample_key(2)).value().warnings.empty());
    MemoryStore memory;
    CHECK(memory.publish(sample_recipe(1), sample_description(), warned) == Published::New);
    CHECK(memory.find(sample_key(1)).value().warnings == warned.warnings);
}

TEST_CASE("reading a store that does not exist creates no file") {
    const TempFolder folder;
    {
        Process open(folder.path() / ".satdl");
        CHECK_FALSE(open.store.find(sample_key(1)));
        CHECK(open.store.keys().empty());
    }
    CHECK(names_in(folder.path()).empty());
}

TEST_CASE("an artifact is opened once, and every further read uses the open file") {
    const TempFolder folder;
    Process(folder.path()).publish(1);
    Process open(folder.path());
    const std::string name = sample_key(1).hex() + ".h5";
    std::vector<std::string> expected;
    for (const char* call : {"open ", "identity ", "read ", "map "}) expected.push_back(call + name);
    for (int loads = 0; loads < 2; ++loads) {  // the second does not verify again
        open.faulty.heal();
        CHECK(open.store.load(sample_key(1)));
        CHECK(open.faulty.calls() == expected);
    }
}

TEST_CASE("an object is published in the order that makes it durable before it is known") {
    const TempFolder folder;
    Process open(folder.path());
    open.publish(1);
    open.faulty.heal();  // forgets the calls so far
    open.publish(2);
    std::vector<std::string> order;
    for (const std::string& call : open.faulty.calls()) {
        const std::string name = call.substr(0, call.find(' '));
        if (name == "write_new" || name == "link_new" || name == "sync_folder" || name == "remove") order.push_back(name);
    }
    const std::string two = sample_key(2).hex().substr(0, 2);
    if (two == sample_key(1).hex().substr(0, 2)) return;
    CHECK(order == std::vector<std::string>{"sync_folder", "sync_folder", "write_new", "link_new", "remove", "sync_folder"});
    CHECK(open.faulty.calls().back() == "sync_folder " + two);
}

TEST_CASE("artifacts that are published together are all durable before any has its name, and named before any is indexed") {
    const TempFolder folder;
    Process open(folder.path());
    for (const PublishResult& result : open.publish_together({1, 2, 3})) CHECK(std::get<Published>(result) == Published::New);
    std::vector<std::string> order;
    for (const std::string& call : open.faulty.calls()) {
        const std::string name = call.substr(0, call.find(' '));
        if (name == "write_new" || name == "link_new") order.push_back(name);
    }
    CHECK(order == std::vector<std::string>{"write_new", "write_new", "write_new", "link_new", "link_new", "link_new"});
    CHECK(open.faulty.calls().back().starts_with("sync_folder "));
    for (const int number : {1, 2, 3}) CHECK(Process(folder.path()).store.find(sample_key(number)).has_value());
}

TEST_CASE("of artifacts that are published together, one that cannot be written, named or read costs no other") {
    struct Fails {
        const char* call;
        std::size_t kept;  // of three, if the call fails once
    };
    const auto [call, kept] = GENERATE(values<Fails>({{"write_new", 2}, {"link_new", 2}, {"sync_folder ", 2}, {"identity", 2}}));
    const auto fault = GENERATE(Fault::Before, Fault::After);
    INFO(call);
    const TempFolder folder;
    Process open(folder.path());
    for (const int number : {11, 12, 13}) open.publish(number);  // the store's folders are there
    open.faulty.heal();
    std::size_t place = 0;
    {
        const TempFolder trial;
        Process counting(trial.path());
        for (const int number : {11, 12, 13}) counting.publish(number);
        counting.faulty.heal();
        (void)counting.publish_together({1, 2, 3});
        const std::vector<std::string> calls = counting.faulty.calls();
        const auto last = std::find_if(calls.rbegin(), calls.rend(), [&](const std::string& one) { return one.starts_with(call); });
        REQUIRE(last != calls.rend());
        place = static_cast<std::size_t>(calls.rend() - last);
    }
    open.faulty.fail(place, EIO, 1, fault);
    std::size_t there = 0;
    const std::vector<PublishResult> results = open.publish_together({1, 2, 3});
    open.faulty.heal();
    for (std::size_t i = 0; i < 3; ++i) {
        const int number = static_cast<int>(i) + 1;
        Process other(folder.path());
        if (std::holds_alternative<Published>(results[i])) {
            ++there;
            REQUIRE(other.store.load(sample_key(number)).has_value());
            CHECK(test::equal(*other.store.load(sample_key(number)), sample_outcome()));
        }
        CHECK(open.publish(number) != Published::Different);
    }
    CHECK(there == kept);
    if (fault == Fault::Before) CHECK(names_in(folder.path() / "tmp").empty());
}

TEST_CASE("two artifacts of one key that are published together: the second learns whether it is the same") {
    const TempFolder folder;
    Process open(folder.path());
    const StageOutput one = sample_outcome(), other = sample_outcome(9.0F);
    const Recipe recipe = sample_recipe(1);
    const StageDescription description = sample_description();
    const std::vector<NewArtifact> twins{{recipe, description, one}, {recipe, description, one}, {recipe, description, other}};
    const std::vector<PublishResult> results = open.store.publish_all(twins);
    CHECK(std::get<Published>(results[0]) == Published::New);
    CHECK(std::get<Published>(results[1]) == Published::Same);
    CHECK(std::get<Published>(results[2]) == Published::Different);
    CHECK(test::equal(*open.store.load(sample_key(1)), one));
}

TEST_CASE("the second writer learns whether the bytes are the same, and the first artifact is kept") {
    const TempFolder folder;
    Process open(folder.path());
    CHECK(open.publish(1) == Published::New);
    const std::string text = file_text(open.store.path_of(sample_key(1)));
    CHECK(open.publish(1) == Published::Same);
    CHECK(open.publish(1, 99.0F) == Published::Different);
    CHECK(file_text(open.store.path_of(sample_key(1))) == text);
    CHECK(names_in(folder.path() / "tmp").empty());
}

TEST_CASE("threads and processes that publish one key at once: one is New, the others Same") {
    const TempFolder folder;
    std::vector<pid_t> children;
    for (int process = 0; process < 3; ++process) {
        const pid_t child = ::fork();
        if (child == 0) {
            std::atomic<int> fresh{0};
            {
                Process open(folder.path() / ".satdl");
                std::vector<std::thread> threads;
                for (int i = 0; i < 2; ++i) {
                    threads.emplace_back([&] {
                        for (int number = 0; number < 4; ++number) {
                            const Published published = open.publish(number);
                            if (published == Published::New) ++fresh;
                            if (published == Published::Different) fresh += 100;
                        }
                    });
                }
                for (auto& thread : threads) thread.join();
            }
            ::_exit(fresh);
        }
        children.push_back(child);
    }
    int fresh = 0;
    for (const pid_t child : children) {
        int status = -1;
        ::waitpid(child, &status, 0);
        CHECK(WIFEXITED(status));
        fresh += WEXITSTATUS(status);
    }
    CHECK(fresh == 4);
    Process open(folder.path() / ".satdl");
    for (int number = 0; number < 4; ++number) CHECK(test::equal(*open.store.load(sample_key(number)), sample_outcome()));
    CHECK(names_in(folder.path() / ".satdl" / "tmp").empty());
}

TEST_CASE("whichever call of publishing fails, the object is absent or whole, and trying again works") {
    const auto fault = GENERATE(Fault::Before, Fault::After);
    const auto times = GENERATE(std::size_t{1}, FaultyFileSystem::kForEver);
    const int error = GENERATE(ENOSPC, EIO);
    bool passed = false;
    std::size_t n = 1;
    for (; !passed; ++n) {
        REQUIRE(n < 100);
        const TempFolder folder;
        Process open(folder.path() / ".satdl");
        open.faulty.fail(n, error, times, fault);
        bool threw = false;
        try {
            const Published published = open.publish(1);
            CHECK(published == Published::New);
        } catch (const FileError& failure) {
            threw = true;
            CHECK(failure.number() == error);
        }
        passed = !threw && open.faulty.calls().size() < n;
        open.faulty.heal();
        {
            Process other(folder.path() / ".satdl");
            const auto seen = other.store.load(sample_key(1));
            if (!threw) CHECK(seen);
            if (seen) CHECK(test::equal(*seen, sample_outcome()));
        }
        CHECK(open.publish(1) != Published::Different);
        CHECK(test::equal(*open.store.load(sample_key(1)), sample_outcome()));
        CHECK(open.store.find(sample_key(1)).value().ports == port_digests(sample_outcome()));
    }
    CHECK(n > 8);
}

TEST_CASE("whichever call of reading fails, no wrong byte is returned, and trying again works") {
    const TempFolder folder;
    Process(folder.path()).publish(1);
    for (std::size_t n = 1; n < 12; ++n) {
        Process open(folder.path());
        open.faulty.fail(n, EIO);
        try {
            const auto outcome = open.store.load(sample_key(1));
            if (outcome) CHECK(test::equal(*outcome, sample_outcome()));
        } catch (const FileError& failure) {
            CHECK(failure.number() == EIO);
        }
        open.faulty.heal();
        REQUIRE(open.store.load(sample_key(1)));
    }
}

TEST_CASE("a damaged object is refused, moved to quarantine, and can be published again") {
    const TempFolder folder;
    Process open(folder.path());
    open.publish(1);
    const auto path = open.store.path_of(sample_key(1));
    const std::string whole = file_text(path);
    for (int n = 1; n <= 2; ++n) {
        std::string text = whole;
        text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 1);
        overwrite(path, text);
        Process other(folder.path());
        CHECK(other.store.find(sample_key(1)));  // the index believes it: nothing was read yet
        CHECK_THROWS_AS(other.store.load(sample_key(1)), DamagedArtifact);
        CHECK_FALSE(std::filesystem::exists(path));
        CHECK(file_text(folder.path() / "quarantine" / fmt::format("{}.{}.h5", sample_key(1).hex(), n)) == text);
        CHECK_FALSE(other.store.find(sample_key(1)));
        CHECK_FALSE(other.store.load(sample_key(1)));
        CHECK(other.publish(1) == Published::New);
        CHECK(file_text(path) == whole);
    }
}

TEST_CASE("two artifacts that were swapped are detected") {
    const TempFolder folder;
    Process open(folder.path());
    open.publish(1);
    open.publish(2, 9.0F);
    const auto one = open.store.path_of(sample_key(1));
    const auto two = open.store.path_of(sample_key(2));
    std::filesystem::rename(one, folder.path() / "aside");
    std::filesystem::rename(two, one);
    std::filesystem::rename(folder.path() / "aside", two);
    Process other(folder.path());
    CHECK_THROWS_WITH(other.store.load(sample_key(1)), Catch::Contains("another key"));
    CHECK_THROWS_AS(other.store.header(sample_key(2)), DamagedArtifact);
}

TEST_CASE("a damaged artifact is replaced by a new one") {
    const TempFolder folder;
    Process open(folder.path());
    open.publish(1);
    overwrite(open.store.path_of(sample_key(1)), "garbage");
    CHECK(open.publish(1) == Published::New);
    CHECK(test::equal(*open.store.load(sample_key(1)), sample_outcome()));
}

TEST_CASE("an object that is replaced after it was verified is verified again") {
    const TempFolder folder;
    Process open(folder.path());
    open.publish(1);
    const auto path = open.store.path_of(sample_key(1));
    CHECK(open.store.load(sample_key(1)));
    std::string text = file_text(path);
    text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 1);
    overwrite(path, text);
    CHECK_THROWS_AS(open.store.load(sample_key(1)), DamagedArtifact);
}

TEST_CASE("the index may be deleted, damaged or behind: the objects decide") {
    const TempFolder folder;
    const auto index = folder.path() / "index.sqlite";
    {
        Process open(folder.path());
        open.publish(1);
    }
    const std::string yesterday = file_text(index);
    {
        Process open(folder.path());
        open.publish(2);
    }
    SECTION("deleted") { std::filesystem::remove(index); }
    SECTION("garbage") { overwrite(index, std::string(9000, 'g')); }
    SECTION("yesterday's copy") { overwrite(index, yesterday); }
    SECTION("a row without its object") {
        Process open(folder.path());
        std::filesystem::remove(open.store.path_of(sample_key(1)));
        CHECK_FALSE(open.store.find(sample_key(1)));
        CHECK_FALSE(open.index.artifact(sample_key(1)));
        CHECK(open.publish(1) == Published::New);
    }
    SECTION("an object without its row") {
        Process open(folder.path());
        open.index.remove_artifact(sample_key(1));
        CHECK(open.store.find(sample_key(1)));
        CHECK(open.index.artifact(sample_key(1)));
    }
    SECTION("an object of another size than its row says") {
        Process open(folder.path());
        overwrite(open.store.path_of(sample_key(1)), "short");
        CHECK_FALSE(open.store.find(sample_key(1)));
        CHECK(open.publish(1) == Published::New);
    }
    Process open(folder.path());
    CHECK(open.store.find(sample_key(1)).value().ports == port_digests(sample_outcome()));
    CHECK(open.store.find(sample_key(2)).value().ports == port_digests(sample_outcome()));
}

TEST_CASE("a new index is filled from the objects, the damaged ones left out") {
    const TempFolder folder;
    {
        Process open(folder.path());
        for (int number = 0; number < 3; ++number) open.publish(number);
        overwrite(open.store.path_of(sample_key(1)), "garbage");
    }
    std::filesystem::remove(folder.path() / "index.sqlite");
    Process open(folder.path());
    CHECK(open.index.artifact(sample_key(0)));
    CHECK_FALSE(open.index.artifact(sample_key(1)));
    CHECK(open.index.artifact(sample_key(2)));
    CHECK(open.store.reindex() == 2);
}

TEST_CASE("leftovers of dead processes in tmp are removed, and files of live ones are kept") {
    const TempFolder folder;
    const auto tmp = folder.path() / "tmp";
    std::string own;
    {
        // The name that this process gives to its files, taken from a publish that cannot clean up.
        Process open(folder.path());
        for (std::size_t n = 1; own.empty(); ++n) {
            open.faulty.fail(n, EIO, FaultyFileSystem::kForEver, Fault::Before);
            try {
                open.publish(static_cast<int>(n));
            } catch (const FileError&) {
            }
            for (const auto& call : open.faulty.calls()) {
                if (call.starts_with("write_new ")) own = call.substr(10);
            }
        }
    }
    const std::string pid = fmt::format(".{}.", ::getpid());
    const std::size_t at = own.find(pid);
    REQUIRE(at != std::string::npos);
    const pid_t dead = ::fork();
    if (dead == 0) ::_exit(0);
    ::waitpid(dead, nullptr, 0);
    const std::string left_behind = std::string(own).replace(at, pid.size(), fmt::format(".{}.", dead));
    write_text(tmp / left_behind, "half");
    write_text(tmp / own, "being written");
    write_text(tmp / "of.another.host.0", "fresh");
    write_text(tmp / "of.another.host.1", "old");
    // Of another host whose first PID namespace has, as everywhere, the number of this one's: a dead process here may be a living one there.
    const std::string space = std::filesystem::read_symlink("/proc/self/ns/pid").string();
    const std::string elsewhere = fmt::format("of.{}.{}.0", sha256(space).hex().substr(0, 16), dead);
    write_text(tmp / elsewhere, "fresh");
    const auto yesterday = std::filesystem::file_time_type::clock::now() - std::chrono::hours(25);
    std::filesystem::last_write_time(tmp / "of.another.host.1", yesterday);
    Process open(folder.path());
    open.publish(100);
    const auto names = names_in(tmp);
    CHECK(std::ranges::find(names, left_behind) == names.end());
    CHECK(std::ranges::find(names, "of.another.host.1") == names.end());
    CHECK(std::ranges::find(names, own) != names.end());
    CHECK(std::ranges::find(names, "of.another.host.0") != names.end());
    CHECK(std::ranges::find(names, elsewhere) != names.end());
}

TEST_CASE("a leftover in tmp of a dead process with the same process id does no harm") {
    const TempFolder folder;
    const auto files = real_file_system();
    FaultyFileSystem faulty(*files);
    Staging dead(folder.path() / "tmp", faulty), living(folder.path() / "tmp", faulty);
    dead.prepare();
    faulty.fail(3, EIO);  // removing it from tmp, after writing and linking it
    CHECK(dead.write_and_link(0, {}, folder.path() / "one.h5") == LinkResult::Linked);
    REQUIRE(names_in(folder.path() / "tmp").size() == 1);
    std::filesystem::remove(folder.path() / "one.h5");
    CHECK(living.write_and_link(0, {}, folder.path() / "one.h5") == LinkResult::Linked);
}

TEST_CASE("the store in memory keeps the same promises") {
    MemoryStore store;
    CHECK_FALSE(store.find(sample_key(1)));
    CHECK(store.publish(sample_recipe(1), sample_description(), sample_outcome()) == Published::New);
    CHECK(store.publish(sample_recipe(1), sample_description(), sample_outcome()) == Published::Same);
    CHECK(store.publish(sample_recipe(1), sample_description(), sample_outcome(9.0F)) == Published::Different);
    CHECK(store.find(sample_key(1)).value().ports == port_digests(sample_outcome()));
    CHECK(store.header(sample_key(1))->key == sample_key(1));
    CHECK(store.header(sample_key(1))->metrics.at("metrics").at("accuracy") == 0.1);
    CHECK(test::equal(*store.load(sample_key(1)), sample_outcome()));
    CHECK(store.keys() == std::vector{sample_key(1)});
    store.erase(sample_key(1));
    CHECK_FALSE(store.find(sample_key(1)));
    CHECK_FALSE(store.load(sample_key(1)));
}
