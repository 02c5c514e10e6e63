#include "commands/store/server_gc.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <string>

using namespace satdl;
using Indices = std::vector<std::size_t>;

namespace {

constexpr double kNow = 1'800'000'000;

std::string name_of(int number) { return fmt::format("{:064x}", number); }

FolderFile file(int number, std::uint64_t bytes, double seconds_ago) {
    return {.name = name_of(number), .bytes = bytes, .written = kNow - 1e6, .read = kNow - seconds_ago};
}

ServerContents::Record record(int number, double seconds_ago, Indices blobs) { return {file(number, 1, seconds_ago), std::move(blobs)}; }

}  // namespace

TEST_CASE("the blobs that a record names are found in whatever form it has") {
    const std::vector<FolderFile> blobs{file(1, 1, 0), file(2, 1, 0), file(3, 1, 0)};
    CHECK(named_blobs("", blobs).empty());
    CHECK(named_blobs(name_of(4), blobs).empty());
    CHECK(named_blobs("\x12\x40" + name_of(2) + "\x10", blobs) == Indices{1});
    CHECK(named_blobs("ab" + name_of(3) + "0" + name_of(1) + "x", blobs) == Indices{0, 2});
    CHECK(named_blobs(name_of(2).substr(1), blobs).empty());
}

TEST_CASE("what was not used for the longest time goes first, records before their blobs") {
    const ServerContents contents{.records = {record(11, 500, {0}), record(12, 900, {1}), record(13, 800, {2})},
                                  .blobs = {file(1, 100, 900), file(2, 100, 700), file(3, 100, 600)}};
    REQUIRE(contents.bytes() == 303);
    CHECK(choose_server_garbage(contents, 303, 0, kNow).blobs.empty());
    const ServerGarbage one = choose_server_garbage(contents, 302, 0, kNow);
    CHECK(one.blobs == Indices{1});  // read 700 s ago; the first one's record was read 500 s ago
    CHECK(one.records == Indices{1});
    const ServerGarbage all = choose_server_garbage(contents, 0, 0, kNow);
    CHECK(all.blobs == Indices{1, 2, 0});
    CHECK(all.records == Indices{1, 2, 0});
    CHECK(all.is_enough);
}

TEST_CASE("within the grace nothing goes, also what a wrong clock has written") {
    const ServerContents contents{.records = {}, .blobs = {file(1, 100, 50), file(2, 100, -50), file(3, 100, 5000), file(4, 100, -5000)}};
    const ServerGarbage garbage = choose_server_garbage(contents, 0, 60, kNow);
    CHECK(garbage.blobs == Indices{2, 3});
    CHECK_FALSE(garbage.is_enough);
    CHECK(choose_server_garbage(contents, 200, 60, kNow).is_enough);
}

TEST_CASE("a record that names no blob goes by its own last use") {
    const ServerContents contents{.records = {record(11, 500, {}), record(12, 100, {})}, .blobs = {file(1, 100, 300)}};
    CHECK(choose_server_garbage(contents, 101, 0, kNow).records == Indices{0});
    CHECK(choose_server_garbage(contents, 101, 0, kNow).blobs.empty());
    CHECK(choose_server_garbage(contents, 100, 0, kNow).blobs == Indices{0});
}

TEST_CASE("of random folders no kept record names a blob that goes, and nothing goes in vain") {
    std::mt19937 random(7);
    const auto below = [&](std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random); };
    for (int round = 0; round < 500; ++round) {
        ServerContents contents;
        for (std::size_t i = 0, count = 1 + below(8); i < count; ++i)
            contents.blobs.push_back(file(static_cast<int>(i), 1 + below(100), static_cast<double>(below(1000))));
        for (std::size_t i = 0, count = below(8); i < count; ++i) {
            std::set<std::size_t> named;
            while (below(3) > 0 && named.size() < contents.blobs.size()) named.insert(below(contents.blobs.size()));
            contents.records.push_back(record(static_cast<int>(i), static_cast<double>(below(1000)), {named.begin(), named.end()}));
        }
        const std::uint64_t most = below(contents.bytes() + 1);
        const ServerGarbage garbage = choose_server_garbage(contents, most, 0, kNow);
        const std::set<std::size_t> records(garbage.records.begin(), garbage.records.end()), blobs(garbage.blobs.begin(), garbage.blobs.end());
        REQUIRE(records.size() == garbage.records.size());
        REQUIRE(blobs.size() == garbage.blobs.size());
        for (std::size_t i = 0; i < contents.records.size(); ++i)
            for (const std::size_t blob : contents.records[i].blobs) REQUIRE((records.contains(i) || !blobs.contains(blob)));
        std::uint64_t left = contents.bytes();
        for (const std::size_t i : records) left -= contents.records[i].bytes;
        for (const std::size_t i : blobs) left -= contents.blobs[i].bytes;
        REQUIRE(left <= most);
        REQUIRE(garbage.is_enough);
    }
}
