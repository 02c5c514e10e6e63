#include "pipeline/yaml/yaml_writer.h"

#include <catch2/catch.hpp>

#include "pipeline/yaml/yaml_parser.h"

using namespace satdl;

namespace {

ConfigValue read_back(const std::string& text) { return parse_yaml(std::make_shared<const SourceText>(SourceText{"a.yaml", text})); }

ConfigValue map_of(ConfigValue value) { return ConfigValue::map({{"a", {}, std::move(value)}}); }

}  // namespace

TEST_CASE("Whatever a text holds, it is read back as that text") {
    for (const std::string text :
         {"",     " ",      "a",   "a b",    "a  b",  "a ",          " a",     "1",      "-1",        "1e3",   ".5",    "0x1",
          "true", "True",   "no",  "null",   "~",     "-",           "- a",    "?",      "a: b",      "a:",    "a #b",  "#",
          "a,b",  "[a]",    "{a}", "${a}",   "$${a}", "${a} ${b.c}", "'a'",    "\"a\"",  "a\\b",      "*a",    "&a",    "!a",
          "|",    ">",      "%a",  "@a",     "`a`",   "a\nb",        "a\n\nb", "a\nb\n", "\na",       " a\nb", "a\n b", "a \nb",
          "a\tb", "a\n\tb", "é",   "/a/b.c", "---",   "...",         "=",      "<<",     "2024-01-01"}) {
        CAPTURE(text);
        for (const ConfigValue& value :
             {map_of(ConfigValue::of_text(text)), map_of(ConfigValue::list({ConfigValue::of_text(text)})),
              map_of(map_of(ConfigValue::list({ConfigValue::of_text(text), map_of(ConfigValue::of_text(text))})))}) {
            const std::string written = yaml_text(value);
            CAPTURE(written);
            CHECK(read_back(written).canonical() == value.canonical());
        }
        if (text.empty() || text.find('$') != std::string::npos) continue;
        const ConfigValue key = ConfigValue::map({{text, {}, ConfigValue::of(true)}});
        CHECK(read_back(yaml_text(key)).canonical() == key.canonical());
    }
}

TEST_CASE("Numbers, booleans and null keep their types") {
    const ConfigValue value = ConfigValue::map({{"n", {}, ConfigValue::scalar("5.0")},
                                                {"i", {}, ConfigValue::of(std::int64_t{3})},
                                                {"b", {}, ConfigValue::of(false)},
                                                {"z", {}, ConfigValue::null()},
                                                {"t", {}, ConfigValue::of_text("3")}});
    CHECK(yaml_text(value) == "n: 5.0\ni: 3\nb: false\nz: null\nt: \"3\"\n");
}

TEST_CASE("What fits on a line stands on one, the rest in blocks") {
    const auto word = [](const char* text) { return ConfigValue::of_text(text); };
    const ConfigValue small = ConfigValue::map({{"x", {}, word("prep.data")}, {"y", {}, ConfigValue::list({})}});
    const ConfigValue value =
        ConfigValue::map({{"in", {}, small},
                          {"list", {}, ConfigValue::list({word("a"), word("b c")})},
                          {"run", {}, word("a\nb")},
                          {"long", {}, ConfigValue::list({word(std::string(60, 'x').c_str()), word(std::string(60, 'y').c_str())})}});
    CHECK(yaml_text(value) == "in: {x: prep.data, y: []}\nlist: [a, b c]\nrun: |-\n  a\n  b\nlong:\n  - " + std::string(60, 'x') +
                                  "\n  - " + std::string(60, 'y') + "\n");
}
