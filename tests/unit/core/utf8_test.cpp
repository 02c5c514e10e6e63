#include "pipeline/core/utf8.h"

#include <catch2/catch.hpp>

using namespace satdl;

TEST_CASE("what is printed never holds a control character or broken UTF-8") {
    CHECK(printable("a\tb\n\x1B[31m\x7F") == "a\\x09b\\x0a\\x1b[31m\\x7f");
    CHECK(printable("\xC3\xA4\xF0\x9F\x98\x80") == "\xC3\xA4\xF0\x9F\x98\x80");
    CHECK(printable("\xC3") == "\\xc3");
    CHECK(printable("\xC0\x80") == "\\xc0\\x80");           // too long a form
    CHECK(printable("\xED\xA0\x80") == "\\xed\\xa0\\x80");  // a surrogate
    CHECK(printable("\xC2\x9B") == "\\xc2\\x9b");           // C1: a terminal's control sequence
    CHECK(printable(std::string_view("\0", 1)) == "\\x00");
}

TEST_CASE("a code point is a character's, and a byte that begins none stands for itself") {
    const auto read = [](std::string_view text, std::size_t at = 0) {
        const CodePoint point = code_point(text, at);
        return std::pair{point.value, point.bytes};
    };
    CHECK(read("a") == std::pair{U'a', std::size_t{1}});
    CHECK(read("x\xC3\xA4", 1) == std::pair{U'\u00E4', std::size_t{2}});
    CHECK(read("\xE2\x94\x81") == std::pair{U'\u2501', std::size_t{3}});
    CHECK(read("\xF0\x9F\x98\x80") == std::pair{U'\U0001F600', std::size_t{4}});
    CHECK(read("\xE2\x94") == std::pair{char32_t{0xE2}, std::size_t{1}});          // cut within a character
    CHECK(read("\xC0\x80") == std::pair{char32_t{0xC0}, std::size_t{1}});          // too long a form
    CHECK(read("\xED\xA0\x80") == std::pair{char32_t{0xED}, std::size_t{1}});      // a surrogate
    CHECK(read("\xF4\x90\x80\x80") == std::pair{char32_t{0xF4}, std::size_t{1}});  // above U+10FFFF
}

TEST_CASE("text is counted in characters and cut between them") {
    const std::string text = "a\xC3\xA4\xF0\x9F\x98\x80";
    CHECK(utf8_characters(text) == 3);
    CHECK(utf8_floor(text, 0) == 0);
    CHECK(utf8_floor(text, 1) == 1);
    CHECK(utf8_floor(text, 2) == 1);
    for (const std::size_t at : {3, 4, 5, 6}) CHECK(utf8_floor(text, at) == 3);
    CHECK(utf8_floor(text, 7) == 7);
    CHECK(utf8_floor(text, 99) == 7);
    CHECK(utf8_floor("\x80\x80", 1) == 0);
}
