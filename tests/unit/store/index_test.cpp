#include "pipeline/store/index.h"
#include "pipeline/store/source_digest.h"

#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "tests/support/temp_folder.h"

using namespace satdl;
using test::file_text;
using test::TempFolder;
using test::write_text;

namespace {

Digest digest_of(int number) {
    return sha256(fmt::format("number {}", number));
}

IndexedArtifact object_of(int number) {
    const PortDigests ports{{"model", digest_of(number + 1000)}, {"metrics", digest_of(number + 2000)}};
    return {ports, static_cast<std::uint64_t>(number)};
}

bool has(Index& index, int number) {
    const auto found = index.artifact(digest_of(number));
    return found && found->ports == object_of(number).ports && found->file_bytes == static_cast<std::uint64_t>(number);
}

void fill(const std::filesystem::path& file, int count) {
    Index index(file);
    const Index::Batch batch(index);
    for (int i = 0; i < count; ++i) index.put_artifact(digest_of(i), object_of(i));
}

void with_sqlite(const std::filesystem::path& file, const std::string& sql) {
    sqlite3* connection = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &connection) == SQLITE_OK);
    REQUIRE(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(connection);
}

}  // namespace

TEST_CASE("the next process sees what was put and not what was removed") {
    const TempFolder folder;
    {
        Index index(folder.path() / "deep" / "index.sqlite");
        CHECK(index.rebuilt());
        index.put_artifact(digest_of(1), object_of(1));
        index.put_artifact(digest_of(2), object_of(2));
        index.put_artifact(digest_of(2), object_of(3));
        index.put_artifact(digest_of(4), object_of(4));
        index.remove_artifact(digest_of(4));
        index.remove_artifact(digest_of(5));
    }
    Index index(folder.path() / "deep" / "index.sqlite");
    CHECK_FALSE(index.rebuilt());
    CHECK_FALSE(index.problem());
    CHECK(has(index, 1));
    CHECK(index.artifact(digest_of(2))->file_bytes == 3);
    CHECK_FALSE(index.artifact(digest_of(4)));
}

TEST_CASE("the warnings of an artifact are kept, whatever they say") {
    const TempFolder folder;
    const std::vector<std::string> warnings{"", "5:model,64:", "two\nlines"};
    {
        Index index(folder.path() / "index.sqlite");
        IndexedArtifact warned = object_of(1);
        warned.warnings = warnings;
        index.put_artifact(digest_of(1), warned);
        index.put_artifact(digest_of(2), object_of(2));
    }
    Index index(folder.path() / "index.sqlite");
    CHECK(has(index, 1));
    CHECK(index.artifact(digest_of(1))->warnings == warnings);
    CHECK(index.artifact(digest_of(2))->warnings.empty());
}

TEST_CASE("reading an index that does not exist creates no file") {
    const TempFolder folder;
    {
        Index index(folder.path() / "store" / "index.sqlite");
        CHECK_FALSE(index.artifact(digest_of(1)));
        CHECK_FALSE(index.history("dag", "stage"));
        CHECK_FALSE(index.seconds(digest_of(1), "train"));
        const Index::Batch batch(index);
        CHECK_FALSE(index.artifact(digest_of(1)));
    }
    CHECK_FALSE(std::filesystem::exists(folder.path() / "store"));
}

TEST_CASE("putting an existing entry writes nothing") {
    const TempFolder folder;
    const auto file = folder.path() / "index.sqlite";
    fill(file, 3);
    const auto before = real_file_system()->stamp(file);
    fill(file, 3);
    CHECK(real_file_system()->stamp(file) == before);
}

TEST_CASE("a digest of a file holds only for the very same stat") {
    const TempFolder folder;
    Index index(folder.path() / "index.sqlite");
    const FileStamp identity{1, 2, 3, 4, 5};
    index.put_file_digest("data/x", identity, digest_of(1));
    CHECK(index.file_digest("data/x", identity) == digest_of(1));
    CHECK(index.file_digest("data/../data/x", identity) == digest_of(1));
    CHECK_FALSE(index.file_digest("data/y", identity));
    for (const FileStamp other : {FileStamp{9, 2, 3, 4, 5}, FileStamp{1, 9, 3, 4, 5}, FileStamp{1, 2, 9, 4, 5},
                                     FileStamp{1, 2, 3, 9, 5}, FileStamp{1, 2, 3, 4, 9}}) {
        CHECK_FALSE(index.file_digest("data/x", other));
    }
}

TEST_CASE("the history of a stage is read back and gives the duration of its kind") {
    const TempFolder folder;
    Index index(folder.path() / "index.sqlite");
    const Recipe recipe{{"kind", "train"}, {"param net", "[\"a\",\n\"b\"]"}, {"empty", ""}};
    const StageHistory history{digest_of(1), recipe, 1.25, 4096};
    index.put_history("full", "m1", history);
    const auto found = index.history("full", "m1");
    REQUIRE(found);
    CHECK(found->key == history.key);
    CHECK(found->recipe == history.recipe);
    CHECK(found->seconds == 1.25);
    CHECK(found->peak_bytes == 4096);
    CHECK_FALSE(index.history("full", "m2"));
    CHECK_FALSE(index.history("fullm", "1"));

    index.put_history("other", "m9", {digest_of(2), {{"kind", "train"}}, 7.5, 0});
    index.put_history("other", "never ran", {digest_of(3), {{"kind", "load"}}, 0, 0});
    CHECK(index.seconds(digest_of(1), "train") == 1.25);
    CHECK(index.seconds(digest_of(9), "train") == 7.5);
    CHECK_FALSE(index.seconds(digest_of(9), "load"));
}

TEST_CASE("whatever happened to its file, an index is empty or right, and works") {
    const TempFolder folder;
    const auto file = folder.path() / "index.sqlite";
    fill(file, 200);
    const std::string whole = file_text(file);
    const auto damage = GENERATE(0, 1, 2, 3, 4, 5, 6, 7);
    INFO("damage " << damage);
    const bool is_damage = damage != 0 && damage != 7;
    switch (damage) {
        case 0: std::filesystem::remove(file); break;
        case 1: write_text(file, std::string(5000, 'g')); break;
        case 2: write_text(file, whole.substr(0, whole.size() / 2)); break;
        case 3: write_text(file, whole.substr(0, 4096) + std::string(whole.size() - 4096, '\x55')); break;
        case 4: with_sqlite(file, "PRAGMA user_version=999"); break;
        case 5: with_sqlite(file, "DROP TABLE objects"); break;
        case 6: with_sqlite(file, "UPDATE objects SET value=replace(value,'model','modem')"); break;
        case 7: write_text(file, ""); break;
    }
    Index index(file);
    for (int i = 0; i < 200; ++i) {
        const auto found = index.artifact(digest_of(i));
        if (found) CHECK(has(index, i));
    }
    CHECK(index.rebuilt());
    CHECK(index.problem().has_value() == is_damage);
    CHECK(std::filesystem::exists(folder.path() / "index.sqlite.damaged-1") == is_damage);
    index.put_artifact(digest_of(7), object_of(7));
    CHECK(has(index, 7));
    Index again(file);
    CHECK_FALSE(again.rebuilt());
    CHECK(has(again, 7));
}

TEST_CASE("a flipped byte anywhere in the file never gives a wrong answer") {
    const TempFolder folder;
    const auto file = folder.path() / "index.sqlite";
    fill(file, 12);
    const std::string whole = file_text(file);
    for (std::size_t at = 0; at < whole.size(); at += 37) {
        std::string flipped = whole;
        flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
        write_text(file, flipped);
        Index index(file);
        for (int i = 0; i < 12; ++i) {
            const auto found = index.artifact(digest_of(i));
            if (found && found->ports != object_of(i).ports) FAIL("byte " << at << " gave a wrong answer");
        }
    }
}

TEST_CASE("a cut at any place never gives a wrong answer") {
    const TempFolder folder;
    const auto file = folder.path() / "index.sqlite";
    fill(file, 12);
    const std::string whole = file_text(file);
    for (std::size_t at = 0; at < whole.size(); at += 501) {
        write_text(file, whole.substr(0, at));
        Index index(file);
        for (int i = 0; i < 12; ++i) {
            const auto found = index.artifact(digest_of(i));
            if (found && found->ports != object_of(i).ports) FAIL("a cut at " << at << " gave a wrong answer");
        }
        index.put_artifact(digest_of(1), object_of(1));
        CHECK(has(index, 1));
    }
}

TEST_CASE("a place that cannot be written is served from memory, and says so") {
    const TempFolder folder;
    write_text(folder.path() / "file", "");
    Index index(folder.path() / "file" / "index.sqlite");  // below a file, no folder can be made
    index.put_artifact(digest_of(1), object_of(1));
    CHECK(has(index, 1));
    CHECK(index.problem());
}

TEST_CASE("a batch is one transaction, whether it reads, writes or both") {
    const TempFolder folder;
    const auto file = folder.path() / "index.sqlite";
    Index index(file);
    Index other(file);
    {
        const Index::Batch outer(index);
        CHECK_FALSE(index.artifact(digest_of(1)));
        {
            const Index::Batch inner(index);
            index.put_artifact(digest_of(1), object_of(1));
        }
        CHECK(has(index, 1));
    }
    Index third(file);
    CHECK(has(third, 1));
}

TEST_CASE("threads and processes share one index without an error") {
    const TempFolder folder;
    const auto file = folder.path() / "index.sqlite";
    constexpr int kProcesses = 3;
    constexpr int kEach = 12;
    std::vector<pid_t> children;
    for (int process = 0; process < kProcesses; ++process) {
        const pid_t child = ::fork();
        if (child == 0) {
            int exit_code = 0;
            {
                Index index(file);
                std::vector<std::thread> threads;
                for (int thread = 0; thread < 2; ++thread) {
                    threads.emplace_back([&index, process, thread] {
                        for (int i = thread; i < kEach; i += 2) {
                            const Index::Batch batch(index);
                            (void)index.artifact(digest_of(process * kEach + i));
                            index.put_artifact(digest_of(process * kEach + i), object_of(process * kEach + i));
                        }
                    });
                }
                for (auto& thread : threads) thread.join();
                if (index.problem()) exit_code = 1;
            }
            ::_exit(exit_code);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = -1;
        ::waitpid(child, &status, 0);
        CHECK(status == 0);
    }
    Index index(file);
    CHECK_FALSE(index.rebuilt());
    for (int i = 0; i < kProcesses * kEach; ++i) CHECK(has(index, i));
}

TEST_CASE("a source file is read once, and again only when stat says that it changed") {
    const TempFolder folder;
    const auto files = real_file_system();
    Index index(folder.path() / "index.sqlite");
    SourceFile file;
    file.path = folder.path() / "data";
    write_text(file.path, "content");
    // Made long ago, so that it is remembered: only its ctime is young, so a first answer always reads.
    CHECK(source_digest(file, index, *files) == sha256("content"));
    const auto identity = files->stamp(file.path);
    CHECK_FALSE(index.file_digest(file.path, *identity));  // young: a later edit could look the same
    index.put_file_digest(file.path, *identity, digest_of(1));
    CHECK(source_digest(file, index, *files) == digest_of(1));  // not read
    write_text(file.path, "changed");
    CHECK(source_digest(file, index, *files) == sha256("changed"));
}

TEST_CASE("the digest of a folder is one of the names and contents of all its files but the hidden, and its stamp is one of theirs") {
    const TempFolder folder;
    const auto files = real_file_system();
    Index index(folder.path() / "index.sqlite");
    SourceFile data;
    data.path = folder.path() / "data";
    data.is_folder = true;
    std::filesystem::create_directories(data.path / "a");
    std::filesystem::create_directories(data.path / "b");
    write_text(data.path / "a/1", "one");
    write_text(data.path / "b/2", "two");
    const Digest first = source_digest(data, index, *files);
    CHECK(source_digest(data, *files) == first);
    const auto stamp = source_stamp(data, *files);
    REQUIRE(stamp);
    CHECK(stamp->bytes == files->stamp(data.path)->bytes + 6);
    std::set<Digest> seen{first};
    const auto changes = [&] { return seen.insert(source_digest(data, index, *files)).second; };
    write_text(data.path / ".hidden", "x");
    write_text(data.path / "a/.hidden", "x");
    CHECK_FALSE(changes());
    write_text(data.path / "b/2", "2.0");
    CHECK(changes());
    CHECK(source_stamp(data, *files) != stamp);
    std::filesystem::rename(data.path / "b/2", data.path / "b/3");
    CHECK(changes());
    std::filesystem::rename(data.path / "b/3", data.path / "a/3");
    CHECK(changes());
    std::filesystem::remove(data.path / "b");
    CHECK(changes());
    write_text(data.path / "a/4", "");
    CHECK(changes());
    std::filesystem::remove_all(data.path);
    CHECK_FALSE(source_stamp(data, *files));
    CHECK_THROWS_WITH(source_digest(data, index, *files), Catch::Contains("cannot be listed: No such file"));
}

TEST_CASE("a dataset's file that is missing or altered is refused by name, with both digests") {
    const TempFolder folder;
    const auto files = real_file_system();
    Index index(folder.path() / "index.sqlite");
    SourceFile file;
    file.path = folder.path() / "train-images";
    file.dataset = "mnist";
    file.expected = sha256("right");
    CHECK_THROWS_WITH(source_digest(file, index, *files), Catch::Contains("train-images") && Catch::Contains("does not exist") &&
                                                              Catch::Contains("satdl data fetch mnist"));
    write_text(file.path, "wrong");
    CHECK_THROWS_WITH(source_digest(file, index, *files), Catch::Contains(sha256("right").hex()) &&
                                                              Catch::Contains(sha256("wrong").hex()) &&
                                                              Catch::Contains("mnist"));
    write_text(file.path, "right");
    CHECK(source_digest(file, index, *files) == sha256("right"));
    CHECK(source_digest(file, *files) == sha256("right"));
}
