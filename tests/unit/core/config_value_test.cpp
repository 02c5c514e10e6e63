#include "pipeline/core/config_value.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

using namespace satdl;

namespace {

ConfigValue plain(std::string text) {
    return ConfigValue::scalar(std::move(text));
}

}  // namespace

TEST_CASE("an integer is read only where it is one to the letter") {
    CHECK(plain("0").as_integer() == 0);
    CHECK(plain("-17").as_integer() == -17);
    CHECK(plain("9223372036854775807").as_integer() == std::numeric_limits<std::int64_t>::max());
    CHECK(plain("-9223372036854775808").as_integer() == std::numeric_limits<std::int64_t>::min());
    for (const char* text : {"9223372036854775808", "010", "0x10", "0o7", "1_000", "+1", "1.0", "1e3", "", "-", " 1", "1 ",
                             "one", "--1", "1-"}) {
        INFO(text);
        CHECK_FALSE(plain(text).as_integer());
    }
    CHECK_FALSE(ConfigValue::scalar("1", true).as_integer());
    CHECK_FALSE(ConfigValue::null().as_integer());
}

TEST_CASE("a number is read only where it is one to the letter, and finite") {
    CHECK(plain("0.4").as_number() == 0.4);
    CHECK(plain("-1e-3").as_number() == -0.001);
    CHECK(plain("1E+2").as_number() == 100.0);
    CHECK(plain("10").as_number() == 10.0);
    for (const char* text : {".5", "1.", "1.e3", "01.5", "1e", "1e+", ".inf", "inf", "nan", ".nan", "1e999", "1,5", "0x1p3",
                             "1.5f", "infinity"}) {
        INFO(text);
        CHECK_FALSE(plain(text).as_number());
    }
    CHECK_FALSE(ConfigValue::scalar("0.4", true).as_number());
}

TEST_CASE("only true and false are booleans") {
    CHECK(plain("true").as_boolean() == true);
    CHECK(plain("false").as_boolean() == false);
    for (const char* text : {"yes", "no", "NO", "on", "off", "True", "FALSE", "1", "y"}) {
        INFO(text);
        CHECK_FALSE(plain(text).as_boolean());
    }
    CHECK_FALSE(ConfigValue::scalar("true", true).as_boolean());
}

TEST_CASE("the canonical text of a number is the shortest that reads back, whatever its spelling") {
    CHECK(canonical_number(0.1) == "0.1");
    CHECK(canonical_number(1e-7) == "1e-07");
    CHECK(canonical_number(100000.0) == "100000");
    CHECK(canonical_number(-0.0) == "0");
    CHECK(canonical_number(1e22) == "1e+22");
    CHECK(canonical_number(1.0 / 3.0) == "0.3333333333333333");
    for (const auto& [one, other] : std::vector<std::pair<std::string, std::string>>{{"0.10", "0.1"},
                                                                                     {"1e-1", "0.1"},
                                                                                     {"1.0", "1"},
                                                                                     {"1e3", "1000"},
                                                                                     {"-0", "0"},
                                                                                     {"-0.0", "0"},
                                                                                     {"1e16", "10000000000000000"}})
        CHECK(plain(one).canonical() == plain(other).canonical());
    CHECK(plain("9007199254740993").canonical() == "9007199254740993");  // beyond what a double holds
    for (const double number : {0.1 + 0.2, 5e-324, 1.7976931348623157e308, 123456.789, 2.5e-5})
        CHECK(plain(canonical_number(number)).as_number() == number);
}

TEST_CASE("canonical text is JSON with sorted keys, and only plain numbers, booleans and null are not strings") {
    const ConfigValue value =
        ConfigValue::map({{"b", {}, ConfigValue::list({plain("1"), plain("010"), ConfigValue::scalar("1", true), ConfigValue::null()})},
                    {"a", {}, plain("true")},
                    {"c", {}, ConfigValue::of_text("say \"\\\n\"")},
                    {"d", {}, ConfigValue::map({})},
                    {"e", {}, ConfigValue::list({})}});
    CHECK(value.canonical() == R"({"a":true,"b":[1,"010","1",null],"c":"say \"\\\u000a\"","d":{},"e":[]})");
    CHECK(ConfigValue::of(std::int64_t{3}).canonical() == "3");
    CHECK(ConfigValue::of(0.5).canonical() == "0.5");
    CHECK(ConfigValue::of(true).canonical() == "true");
    CHECK(ConfigValue::of_text("true").canonical() == "\"true\"");
}

TEST_CASE("a value has a description for messages") {
    CHECK(plain("3").describe() == "the number 3");
    CHECK(plain("abc").describe() == "the text 'abc'");
    CHECK(ConfigValue::scalar("3", true).describe() == "the text '3'");
    CHECK(plain("true").describe() == "true");
    CHECK(ConfigValue::null().describe() == "null");
    CHECK(ConfigValue::list({}).describe() == "a list");
    CHECK(ConfigValue::map({}).describe() == "a map");
    CHECK(ConfigValue::of_text(std::string(1000, 'x')).describe().size() < 100);
    CHECK(ConfigValue::of_text("\x1B").describe() == "the text '\\x1b'");
}

TEST_CASE("a key is found in a map, and a value can be given another place") {
    const auto source = std::make_shared<const SourceText>(SourceText{"a", "x"});
    const ConfigValue value = ConfigValue::map({{"a", {}, plain("1")}});
    REQUIRE(value.find("a"));
    CHECK(value.find("a")->as_integer() == 1);
    CHECK_FALSE(value.find("b"));
    CHECK_FALSE(plain("a").find("a"));
    CHECK(value.at({source, 3, 4}).place().line == 3);
    CHECK(value.at({source, 3, 4}).find("a") == value.find("a"));  // shared, not copied
    CHECK(value.items().empty());
    CHECK(plain("x").entries().empty());
}
