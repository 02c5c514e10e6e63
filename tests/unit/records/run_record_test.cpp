#include "pipeline/records/run_record.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/temp_folder.h"

using namespace satdl;
using test::TempFolder;
using test::write_text;
using Json = nlohmann::json;

namespace {

const std::string kStarted = R"({"event":"run_started","wall_time":1.5,"run":"r1","host":"h"})";
const std::string kRan = R"({"event":"stage","wall_time":2.5,"stage":"a","outcome":"ran","seconds":7.25,"because":"\"check\":\"x\""})";
const std::string kFinished = R"({"event":"run_finished","wall_time":3.5,"params":{"check":"0123456789abcdef"}})";

std::string written(const std::vector<std::string>& events, const std::string& name = "r1") {
    std::string text;
    for (const auto& event : events) text += with_check(event, name) + '\n';
    return text;
}

std::vector<std::string> lines_written(const std::vector<std::string>& events) {
    std::vector<std::string> lines;
    for (const auto& event : events) lines.push_back(with_check(event, "r1"));
    return lines;
}

}  // namespace

TEST_CASE("a line with its check is the same JSON with one member more, and the check is what docs/store.md says") {
    const std::string line = with_check(kStarted, "r1");
    Json json = Json::parse(line);
    CHECK(json["check"] == sha256("r1\n" + kStarted.substr(0, kStarted.size() - 1)).hex().substr(0, 16));
    json.erase("check");
    CHECK(json == Json::parse(kStarted));
}

TEST_CASE("a record is read back, and under another name every line is damaged") {
    const Record record = checked_record(written({kStarted, kRan, kFinished}), "r1");
    CHECK(record.lines == lines_written({kStarted, kRan, kFinished}));
    CHECK(record.damaged.empty());
    CHECK(record.torn == 0);
    CHECK(record.unchecked == 0);
    const Record other = checked_record(written({kStarted, kRan, kFinished}), "r2");
    CHECK(other.lines.empty());
    CHECK(other.damaged == std::vector<std::size_t>{1, 2, 3});
}

TEST_CASE("a line with a flipped bit or with a byte lost or doubled is left out and reported") {
    for (const std::vector<std::string>& events : {std::vector{kStarted}, std::vector{kStarted, kRan, kFinished}}) {
        const std::string whole = written(events);
        const auto lines = lines_written(events);
        const auto check = [&](const std::string& damaged) {
            const Record record = checked_record(damaged, "r1");
            CHECK(record.damaged.size() + record.torn >= 1);
            for (const auto& line : record.lines) CHECK(std::ranges::find(lines, line) != lines.end());
        };
        for (std::size_t at = 0; at + 1 < whole.size(); ++at) {
            INFO("byte " << at);
            for (int bit = 0; bit < 8; ++bit) {
                std::string flipped = whole;
                flipped[at] ^= static_cast<char>(1 << bit);
                check(flipped);
            }
            check(whole.substr(0, at) + whole.substr(at + 1));
            check(whole.substr(0, at) + whole[at] + whole.substr(at));
        }
    }
}

TEST_CASE("a record that is cut anywhere has the lines before the cut, and a torn one") {
    const std::string whole = written({kStarted, kRan, kFinished});
    for (std::size_t end = 0; end < whole.size(); ++end) {
        const std::string text = whole.substr(0, end);
        const Record record = checked_record(text, "r1");
        INFO("cut at " << end);
        CHECK(record.damaged.empty());
        const bool lacks_only_its_end = whole[end] == '\n';
        const bool between = text.empty() || text.back() == '\n';
        CHECK(record.torn == (between || lacks_only_its_end ? 0 : 1));
        CHECK(record.lines.size() == static_cast<std::size_t>(std::ranges::count(text, '\n')) + (lacks_only_its_end ? 1 : 0));
    }
}

TEST_CASE("a line that was appended to a torn one is read") {
    const std::string torn = with_check(kRan, "r1").substr(0, 40);
    const Record record = checked_record(written({kStarted}) + torn + written({kFinished}), "r1");
    CHECK(record.lines == lines_written({kStarted, kFinished}));
    CHECK(record.damaged.empty());
    CHECK(record.torn == 1);
    // Not torn, but a whole line whose end was lost.
    std::string merged = written({kStarted, kRan, kFinished});
    merged[written({kStarted, kRan}).size() - 1] = ' ';
    CHECK(checked_record(merged, "r1").lines == lines_written({kStarted, kFinished}));
    CHECK(checked_record(merged, "r1").damaged == std::vector<std::size_t>{2});
}

TEST_CASE("a record that ends with arbitrary bytes is reported as damaged") {
    const std::string whole = written({kStarted, kRan});
    for (const std::string& tail : {std::string(300, '\0'), std::string("\n\n"), std::string("log text\n"), kFinished + "\n", kFinished}) {
        const Record record = checked_record(whole + tail, "r1");
        CHECK(record.lines == lines_written({kStarted, kRan}));
        CHECK(record.damaged.size() + record.torn >= 1);
    }
}

TEST_CASE("lines of an older record without checks are read if they are JSON") {
    const Record record = checked_record(kStarted + "\nno JSON\n" + kRan + "\n" + kFinished + "\n" + kRan.substr(0, 30), "r1");
    CHECK(record.unchecked == 3);
    CHECK(record.lines == std::vector<std::string>{kStarted, kRan, kFinished});
    CHECK(record.damaged == std::vector<std::size_t>{2});
    CHECK(record.torn == 1);
    CHECK(checked_record("", "r1").lines.empty());
}

TEST_CASE("in the record for reused runs, new lines follow old ones, and no old one follows a new one") {
    const std::string old = kStarted + "\n" + kFinished + "\n";
    const Record record = checked_record(old + kRan.substr(0, 30) + written({kRan, kFinished}), "r1");
    CHECK(record.lines.size() == 4);
    CHECK(record.unchecked == 2);
    CHECK(record.damaged.empty());
    CHECK(record.torn == 1);
    CHECK(checked_record(old + written({kRan}) + old, "r1").damaged == std::vector<std::size_t>{4, 5});
    std::string flipped = written({kRan}) + old;
    flipped[flipped.find("7.25")] = '9';
    CHECK(checked_record(flipped, "r1").damaged == std::vector<std::size_t>{1, 2, 3});
}

TEST_CASE("damage is described in words") {
    Record record;
    CHECK(damage_text(record, "r1").empty());
    record.damaged = {17};
    CHECK(damage_text(record, "r1") == "line 17 of the record 'r1' is damaged");
    record.damaged = {1, 2, 3, 4, 5, 6, 9};
    CHECK(damage_text(record, "reused") == "lines 1, 2, 3, 4, 5 and 2 more of the record 'reused' are damaged");
}

TEST_CASE("the producer of an object is read from an undamaged line, and damaged lines are reported") {
    const TempFolder folder;
    const auto files = real_file_system();
    const auto ran = [](const std::string& key, double seconds) {
        constexpr auto kEvent = R"({{"event":"stage","wall_time":2.5,"stage":"a","outcome":"ran","key":"{}","seconds":{}}})";
        return fmt::format(kEvent, sha256(key).hex(), seconds);
    };
    const auto write = [&](const std::string& id, std::string text) {
        std::filesystem::create_directories(folder.path() / "runs" / id);
        write_text(record_path(folder.path(), id), text);
    };
    write("r1", written({kStarted, ran("k", 1.5)}));
    std::string newer = written({kStarted, ran("k", 2.5)}, "r2");
    newer[newer.rfind("2.5,")] = '9';  // its seconds
    write("r2", newer);
    std::vector<std::string> damaged;
    const auto made = find_producer(folder.path(), sha256("k"), *files, damaged);
    REQUIRE(made);
    CHECK(made->run == "r1");
    CHECK(made->host == "h");
    CHECK(made->seconds == 1.5);
    CHECK(damaged == std::vector<std::string>{"line 2 of the record 'r2' is damaged"});
}
