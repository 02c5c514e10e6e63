#include "pipeline/core/ascii.h"

#include <catch2/catch.hpp>

using namespace satdl;

TEST_CASE("only ASCII has letters and digits here") {
    CHECK((is_letter('a') && is_letter('Z') && is_digit('9') && is_alphanumeric('0')));
    for (const char c : {'_', '-', '@', '[', '`', '{', '/', ':', '\xE4', '\0'}) CHECK_FALSE(is_alphanumeric(c));
    CHECK(lower("ReLU_2\xC3\x84") == "relu_2\xC3\x84");
}

TEST_CASE("names begin with a letter or an underscore") {
    CHECK((is_identifier("noise_factor") && is_identifier("_") && is_identifier("m1")));
    for (const char* text : {"", "1m", "a-b", "a b", "\xC3\xA4"}) CHECK_FALSE(is_identifier(text));
    CHECK((is_dashed_identifier("evaluate-m2") && is_dashed_identifier("_a")));
    for (const char* text : {"", "-a", "2a", "a.b"}) CHECK_FALSE(is_dashed_identifier(text));
    CHECK(is_made_of("0.4+a", ".+"));
    CHECK_FALSE(is_made_of("0.4 ", ".+"));
    CHECK_FALSE(is_made_of("", ".+"));
}

TEST_CASE("trimmed text has no spaces around it") {
    CHECK(trimmed("  a b ") == "a b");
    CHECK(trimmed("   ").empty());
    CHECK(trimmed("").empty());
}
