#include "commands/import/dvc_values.h"

#include <catch2/catch.hpp>

using namespace satdl;

namespace {

// As DVC reads a plain scalar: JSON.
std::string read(const std::string& text) {
    return dvc_value(ConfigValue::scalar(text)).is_null() ? "null" : dvc_value(ConfigValue::scalar(text)).canonical();
}

// As it prints it.
std::string printed(const std::string& text) { return dvc_value(ConfigValue::scalar(text)).text(); }

struct Resolved {
    std::optional<DvcText> text;
    std::string notes;
};

Resolved resolve(const std::string& text, DvcScope::Use use = DvcScope::Use::Command) {
    DvcScope scope;
    const auto number = [](const char* digits) { return ConfigValue::scalar(digits); };
    const ConfigValue list = ConfigValue::list({number("1"), ConfigValue::of_text("b c")});
    scope.add("lr", number("0.1"), "${lr}");
    scope.add("train",
              ConfigValue::map({{"lr", {}, number("0.2")},
                                {"odd name", {}, number("3")},
                                {"list", {}, list},
                                {"on", {}, ConfigValue::of(true)},
                                {"off", {}, ConfigValue::of(false)}}),
              "${train}");
    scope.add("layers", ConfigValue::map({{"1", {}, number("16")}}), "${layers}");
    scope.add("own", ConfigValue::of_text("x{y}"), std::nullopt);
    scope.add("braces", ConfigValue::of_text("{}"), "${braces}");
    scope.add("item", ConfigValue::of_text("a"), "${item}");
    ImportNotes notes;
    auto resolved = scope.resolve(ConfigValue::of_text(text), use, notes);
    return {std::move(resolved), notes.text()};
}

void check(const std::string& text, const std::string& dag, const std::string& value, DvcScope::Use use = DvcScope::Use::Command) {
    CAPTURE(text);
    const Resolved found = resolve(text, use);
    REQUIRE(found.text);
    CHECK(found.text->dag == dag);
    CHECK(found.text->value == value);
}

}  // namespace

TEST_CASE("Scalars are those of YAML 1.2") {
    for (const char* text : {"~", "null", "Null", "NULL", ""}) CHECK(read(text) == "null");
    for (const char* text : {"true", "True", "TRUE"}) CHECK(read(text) == "true");
    for (const char* text : {"yes", "on", "nULL", ".inf", "-.inf", ".nan", "1.2.3", "+-5", "_5", "-", "+", ".", "e5", "0x", "1e"})
        CHECK(read(text) == "\"" + std::string(text) + "\"");
    CHECK(dvc_value(ConfigValue::of_text("5")).canonical() == "\"5\"");
}

TEST_CASE("Numbers are printed as Python prints them") {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"010", "10"},      {"+3", "3"},       {"-3", "-3"},          {"1_000", "1000"},
        {"0x1F", "31"},     {"0o17", "15"},    {".5", "0.5"},         {"-.5", "-0.5"},
        {"5.", "5.0"},      {"5.0", "5.0"},    {"1e3", "1000.0"},     {"1e-3", "0.001"},
        {"1e-4", "0.0001"}, {"1e-5", "1e-05"}, {"1.5E-7", "1.5e-07"}, {"1e15", "1000000000000000.0"},
        {"1e16", "1e+16"},  {"0.10", "0.1"},   {"-0.0", "-0.0"}};
    for (const auto& [text, expected] : cases) {
        CAPTURE(text);
        CHECK(printed(text) == expected);
    }
}

TEST_CASE("Texts refer to parameters where a DAG file can") {
    check("a ${lr} ${ train.lr } ${item}", "a ${lr} ${train.lr} ${item}", "a 0.1 0.2 a");
    check("${train.odd name}${train.list[1]}", "3b c", "3b c");
    check("${layers.1}", "16", "16");
    check("${own}", "x{{y}}", "x{y}");
    check("${own}", "x{y}", "x{y}", DvcScope::Use::Path);
    check("${braces}", "{{}}", "{}");
    check("$${lr}", "$0.1", "$0.1");
    check("{ \\${HOME} $HOME ${lr", "{{ $${{HOME}} $HOME $${{lr", "{ ${HOME} $HOME ${lr");
    check("run ${train}", "run --lr 0.2 --odd name 3 --list 1 'b c' --on", "run --lr 0.2 --odd name 3 --list 1 'b c' --on");
}

TEST_CASE("What cannot be pasted is reported") {
    CHECK(resolve("${no.such}").notes.find("there is no parameter 'no.such'") != std::string::npos);
    CHECK_FALSE(resolve("${no.such}").text);
    CHECK(resolve("${train.list}").notes.find("cannot be part of a text") != std::string::npos);
    CHECK(resolve("${train}", DvcScope::Use::Path).notes.find("cannot be part of a text") != std::string::npos);
    CHECK(resolve("${train.list[0]}").notes.find("replaced by its present value") != std::string::npos);
    CHECK(resolve("${own} ${item}").notes.empty());
    CHECK(resolve("${braces}").notes.find("replaced by its present value") != std::string::npos);
}
