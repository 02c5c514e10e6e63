#include "pipeline/core/error.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

using namespace satdl;

namespace {

std::shared_ptr<const SourceText> source_of(std::string text) {
    return std::make_shared<const SourceText>(SourceText{"a.yaml", std::move(text)});
}

std::string rendered(std::string text, int line, int column, std::string message, std::string hint = {}) {
    return render({{source_of(std::move(text)), line, column}, std::move(message), std::move(hint)});
}

}  // namespace

TEST_CASE("a line of a source is found by its number, without its end") {
    const SourceText source{"a", "one\r\ntwo\n\nfour"};
    CHECK(source.line(1) == "one");
    CHECK(source.line(2) == "two");
    CHECK(source.line(3).empty());
    CHECK(source.line(4) == "four");
    CHECK(source.line(5).empty());
    CHECK(source.line(0).empty());
}

TEST_CASE("an error shows the line, a caret under the place, and what to do") {
    CHECK(rendered("a: 1\nb: [x, trian]\n", 2, 8, "'trian' is unknown", "did you mean 'train'?\nor else") ==
          "a.yaml:2:8: error: 'trian' is unknown\n"
          "    2 | b: [x, trian]\n"
          "      |        ^\n"
          "      = did you mean 'train'?\n"
          "      = or else");
}

TEST_CASE("the caret stands right after characters of several bytes, tabs and escaped ones") {
    CHECK(rendered("\xC3\xA4\t\x1B: x", 1, 6, "m") ==
          "a.yaml:1:6: error: m\n"
          "    1 | \xC3\xA4 \\x1b: x\n"
          "      |        ^");
    CHECK(rendered("\xC3\xA4: x", 1, 5, "m") ==
          "a.yaml:1:5: error: m\n"
          "    1 | \xC3\xA4: x\n"
          "      |    ^");
}

TEST_CASE("control characters in a message or a hint are escaped, line by line") {
    CHECK(rendered("a: 1", 1, 1, "no 'x\x01'", "known: y\x1B[2J\nor z\n") ==
          "a.yaml:1:1: error: no 'x\\x01'\n"
          "    1 | a: 1\n"
          "      | ^\n"
          "      = known: y\\x1b[2J\n"
          "      = or z");
    CHECK(std::string(Error(ExitCode::Usage, "two\nlines\x7F").what()) == "two\nlines\\x7f");
}

TEST_CASE("of a very long line the part around the caret is shown") {
    const std::string text = rendered(fmt::format("{}X{}", std::string(1'000'000, 'a'), std::string(1'000'000, 'b')), 1, 1'000'001, "m");
    CHECK(text.size() < 500);
    CHECK(text.find("...aaaa") != std::string::npos);
    CHECK(text.find("aXb") != std::string::npos);
    const auto row = text.find("..."), mark = text.find('X'), caret = text.find('^');
    const auto caret_row = text.rfind('\n', caret) + 1, shown_row = text.rfind('\n', row) + 1;
    CHECK(caret - caret_row == mark - shown_row);
}

TEST_CASE("an error without a place has no line") {
    CHECK(render({{}, "no such file", "look elsewhere"}) == "no such file\n  look elsewhere");
    CHECK(rendered("", 0, 0, "cannot be read") == "a.yaml: error: cannot be read");
}

TEST_CASE("errors are sorted by place, each appears once, and those without a place come last") {
    const auto source = source_of("a\nb\nc\n");
    Diagnostics diagnostics;
    CHECK_NOTHROW(diagnostics.throw_if_any());
    diagnostics.add({}, "nowhere");
    diagnostics.add({source, 3, 1}, "third");
    diagnostics.add({source, 1, 1}, "first");
    diagnostics.add({source, 3, 1}, "third");
    try {
        diagnostics.throw_if_any();
        FAIL("nothing was thrown");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        REQUIRE(error.diagnostics().size() == 3);
        CHECK(error.diagnostics()[0].message == "first");
        CHECK(error.diagnostics()[1].message == "third");
        CHECK(error.diagnostics()[2].message == "nowhere");
        CHECK(std::string(error.what()).find("a.yaml:1:1: error: first\n") == 0);
    }
}

TEST_CASE("of several errors about one scalar the first is reported, with the place where it was written") {
    const auto source = source_of("a: x\nb: ${a}\nc: ${a}\nd: ${a}\n");
    const auto origin = std::make_shared<const Place>(Place{source, 1, 4});
    Diagnostics diagnostics;
    diagnostics.add({source, 3, 4, origin}, "not so", "so");
    diagnostics.add({source, 2, 4, std::make_shared<const Place>(*origin)}, "not this");
    diagnostics.add({source, 2, 4}, "another mistake at the same place");
    diagnostics.add({source, 4, 4, std::make_shared<const Place>(Place{source, 1, 1})}, "of another scalar");
    try {
        diagnostics.throw_if_any();
        FAIL("nothing was thrown");
    } catch (const Error& error) {
        REQUIRE(error.diagnostics().size() == 3);
        CHECK(render(error.diagnostics()[0]) ==
              "a.yaml:2:4: error: not this\n    2 | b: ${a}\n      |    ^\n      = the value comes from a.yaml:1:4, a: x");
        CHECK(error.diagnostics()[1].message == "another mistake at the same place");
        CHECK(error.diagnostics()[2].message == "of another scalar");
    }
}

TEST_CASE("of more than fifty errors fifty are reported and the rest counted") {
    Diagnostics diagnostics;
    for (int i = 0; i < 60; ++i) diagnostics.add({}, fmt::format("mistake {}", i));
    try {
        diagnostics.throw_if_any();
    } catch (const Error& error) {
        CHECK(error.diagnostics().size() == 60);
        CHECK(std::string(error.what()).ends_with("mistake 49\nand 10 more errors"));
    }
}

TEST_CASE("an error's text on one line has all its lines, and nothing that harms a terminal") {
    const Error error(ExitCode::Store, "the disk is full", "free some space\nor use another store");
    CHECK(in_one_line(error.what()) == "the disk is full; free some space; or use another store");
    CHECK(in_one_line("\n  a\x1B \n\n") == "a\\x1b");
    CHECK(in_one_line("").empty());
}
