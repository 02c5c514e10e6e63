#include "pipeline/yaml/yaml_parser.h"

#include <fmt/format.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

using namespace satdl;

namespace {

ConfigValue parse(std::string text, const YamlLimits& limits = {}) {
    return parse_yaml(std::make_shared<const SourceText>(SourceText{"a.yaml", std::move(text)}), limits);
}

// Each mistake as "line:column message".
std::vector<std::string> mistakes(std::string text, const YamlLimits& limits = {}) {
    try {
        (void)parse(std::move(text), limits);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        std::vector<std::string> found;
        for (const Diagnostic& one : error.diagnostics())
            found.push_back(fmt::format("{}:{} {}", one.place.line, one.place.column, one.message));
        return found;
    }
    return {};
}

std::string mistake(std::string text, const YamlLimits& limits = {}) {
    const auto found = mistakes(std::move(text), limits);
    if (found.size() == 1) return found.front();
    return fmt::format("{} mistakes: {}", found.size(), fmt::join(found, "; "));
}

std::string repeat(const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
}

}  // namespace

TEST_CASE("a part of a text has its places in the whole text") {
    const auto source = std::make_shared<const SourceText>(SourceText{"command line", "first\na=[1, {b: 'c'}]"});
    const ConfigValue value = parse_yaml(std::string_view(source->text).substr(8), Place{source, 2, 3});
    CHECK(value.place().text() == "command line:2:3");
    CHECK(value.items()[1].place().text() == "command line:2:7");
    CHECK(value.items()[1].entries()[0].key_place.text() == "command line:2:8");
    CHECK(value.items()[1].find("b")->place().text() == "command line:2:11");
    CHECK(value.items()[1].find("b")->place().source == source);
    const auto refused = [&](std::string_view part) {
        try {
            (void)parse_yaml(part, Place{source, 2, 3});
        } catch (const Error& error) {
            const Diagnostic& first = error.diagnostics().front();
            return fmt::format("{} {}", first.place.text(), first.message);
        }
        return std::string();
    };
    CHECK(refused("[1") == "command line:2:3 this '[' has no ']'");
    CHECK(refused("'c") == "command line:2:5 this is not YAML: illegal EOF in scalar");
    CHECK(refused("{a: 1, a: 2}") == "command line:2:10 the key 'a' is duplicated");
    CHECK(refused("x\x01") == "command line:2:4 the control character \\x01 in the text");
    // What means something at the beginning of a line means nothing within one.
    CHECK(parse_yaml("---", Place{source, 2, 3}).text() == "---");
}

TEST_CASE("scalars, lists and maps come with their places, and plain apart from quoted") {
    const ConfigValue value = parse("a: 1\nb: [x, '2']\nc:\n  d: ~\n  e: |\n    text\n  f:\n");
    REQUIRE(value.is_map());
    CHECK(value.find("a")->as_integer() == 1);
    CHECK(value.find("a")->place().line == 1);
    CHECK(value.find("a")->place().column == 4);
    CHECK(value.entries()[1].key_place.text() == "a.yaml:2:1");
    CHECK(value.find("b")->items()[1].quoted());
    CHECK(value.find("b")->items()[1].place().column == 8);
    CHECK(value.find("c")->find("d")->is_null());
    CHECK(value.find("c")->find("e")->text() == "text\n");
    CHECK(value.find("c")->find("f")->is_null());
}

TEST_CASE("columns count bytes, also after a byte order mark") {
    CHECK(parse("\xEF\xBB\xBF"
                "a: 1\n")
              .find("a")
              ->place()
              .column == 7);
    CHECK(parse("\xEF\xBB\xBF"
                "a: 1\n")
              .entries()[0]
              .key == "a");
    CHECK(parse("\xC3\xA4: 1").entries()[0].value.place().column == 5);
}

TEST_CASE("${...} may stand plain anywhere, also within brackets, and moves nothing") {
    const ConfigValue value = parse("{a: ${x}, b: [${y.z}, 1], c: pre${x}post$${x}, ${k}: 2, d: \"${x} {y}\"}");
    CHECK(value.find("a")->text() == "${x}");
    CHECK_FALSE(value.find("a")->quoted());
    CHECK(value.find("b")->items()[0].text() == "${y.z}");
    CHECK(value.find("b")->items()[1].place().column == 23);
    CHECK(value.find("c")->text() == "pre${x}post$${x}");
    CHECK(value.find("${k}")->as_integer() == 2);
    CHECK(value.find("d")->text() == "${x} {y}");
    CHECK(mistake("a: [${x}") == "1:4 this '[' has no ']'");
    CHECK(mistake("{a: ${x}, a: 1}") == "1:11 the key 'a' is duplicated");
    CHECK_FALSE(mistakes("{a: ${x }y}, b: 1}").empty());
}

TEST_CASE("text that looks like an escape cannot fake a brace") {
    const ConfigValue value = parse("a: \"\\xFE\\xFF\"");
    CHECK(value.find("a")->text() == "\xC3\xBE\xC3\xBF");
    CHECK(mistake("a: \xFE") == "1:4 this is not UTF-8");
}

TEST_CASE("an alias is what it stands for") {
    const ConfigValue value = parse("a: &x [1, {b: 2}]\nc: *x\nd: [*x, *x]\ne: &n\nf: *n\n&k g: *k");
    CHECK(value.find("c")->canonical() == "[1,{\"b\":2}]");
    CHECK(value.find("d")->items()[1].items()[1].find("b")->as_integer() == 2);
    CHECK(value.find("f")->is_null());
    CHECK(value.find("g")->text() == "g");
}

TEST_CASE("the budget counts an alias as what it stands for, and so refuses a bomb at once") {
    std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
    for (char c = 'b'; c <= 'i'; ++c)
        bomb += fmt::format("{0}: &{0} [{1}*{2}]\n", c, repeat(fmt::format("*{}, ", static_cast<char>(c - 1)), 8),
                            static_cast<char>(c - 1));
    CHECK(mistake(bomb).find("too many values: more than 1000000, counting aliases") != std::string::npos);
    CHECK(mistake("a: &a [1, 2]\nb: [*a, *a]", {.nodes = 12}) ==
          "2:9 too many values: more than 12, counting aliases as what they expand to");
    CHECK_NOTHROW(parse("a: &a [1, 2]\nb: [*a, *a]", {.nodes = 13}));
}

TEST_CASE("an anchor that holds itself is refused") {
    CHECK(mistake("&x [*x]") == "1:5 this alias is inside the value of its own anchor");
    CHECK(mistake("a: &x {b: {c: *x}}") == "1:15 this alias is inside the value of its own anchor");
    CHECK(mistake("a: *y") == "1:4 this is not YAML: the referenced anchor is not defined");
}

TEST_CASE("depth is limited, also through aliases") {
    for (const int depth : {65, 501, 100'000})
        CHECK(mistake(repeat("[", depth) + repeat("]", depth)) == "1:65 nested deeper than 64 levels");
    CHECK(mistake(repeat("{a: ", 501) + repeat("}", 501)) == "1:257 nested deeper than 64 levels");
    for (const char* unclosed : {"[", "{a: ", "[{", "? [", "[a,"})
        CHECK_THAT(mistake(repeat(unclosed, 100'000)), Catch::EndsWith("nested deeper than 64 levels"));
    CHECK(mistake(repeat("- ", 100'000)) == "1:129 nested deeper than 64 levels");
    CHECK(mistakes(repeat("? ", 100'000)).size() == 1);
    CHECK_NOTHROW(parse(repeat("[", 64) + repeat("]", 64)));
    CHECK(mistake("a: &a [[1]]\nb: [*a]", {.depth = 3}) == "2:5 nested deeper than 3 levels");
    CHECK_NOTHROW(parse("a: &a [[1]]\nb: [*a]", {.depth = 4}));
}

TEST_CASE("only one document, and nothing after it") {
    CHECK(mistake("a: 1\n---\nb: 2\n") == "2:1 a second document starts here");
    CHECK(mistake("{a: 1} )") == "1:8 unexpected text after the end of the document");
    CHECK(mistake("a: 1\n)") == "2:1 ')' has no value");
    CHECK(mistake(",") == "1:1 unexpected text after the end of the document");
    CHECK(mistake("{a: 1}}") != "");
    CHECK_NOTHROW(parse("---\na: 1\n...\n"));
    CHECK_NOTHROW(parse("%YAML 1.2\n---\na: 1\n"));
}

TEST_CASE("an empty file is refused") {
    for (const char* text : {"", "\n\n", "# only a comment\n", "\xEF\xBB\xBF"})
        CHECK(mistake(text) == "0:0 the file is empty");
}

TEST_CASE("duplicate keys are refused with both places, in small maps and in large ones") {
    try {
        (void)parse("a: 1\nb: 2\na: 3\n");
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.diagnostics()[0].message == "the key 'a' is duplicated");
        CHECK(error.diagnostics()[0].hint == "first defined at a.yaml:1:1");
        CHECK(error.diagnostics()[0].place.line == 3);
    }
    std::string large;
    for (int i = 0; i < 1000; ++i) large += fmt::format("k{}: 1\n", i);
    CHECK_NOTHROW(parse(large));
    CHECK(mistake(large + "k3: 2\n") == "1001:1 the key 'k3' is duplicated");
    CHECK(mistakes("a: 1\na: 2\nb: {c: 1, c: 2}\na: 3").size() == 3);
    CHECK(mistake("1: a\n'1': b") == "2:1 the key '1' is duplicated");
}

TEST_CASE("tags, merge keys and keys that are not text are refused") {
    CHECK(mistake("a: !!int 3") == "1:4 the tag 'tag:yaml.org,2002:int' is not supported");
    CHECK(mistake("a: !thing {b: 1}") == "1:4 the tag '!thing' is not supported");
    CHECK(mistake("a: &x {b: 1}\nc: {<<: *x}") == "2:5 the merge key '<<' is not supported");
    CHECK(mistake("[1, 2]: x") == "1:1 a key must be text, not a list");
    CHECK(mistake("{a: 1}: x") == "1:1 a key must be text, not a map");
    CHECK(mistake("~: x") == "1:1 a key must be text");
    CHECK(mistake("a: &x [1]\n*x : 2") == "2:1 a key must be text, not a list");
    CHECK(mistake("{a, b: 1}") == "1:2 'a' has no value");
}

TEST_CASE("invalid YAML is an error at its place, with the probable cause") {
    CHECK(mistake("a: b: c") == "1:5 this is not YAML: illegal map value");
    CHECK(mistake("a: 'x\n\n\n") == "1:4 this quote is not closed");
    CHECK(mistake("a: \"x").find("this is not YAML: illegal EOF in scalar") != std::string::npos);
    CHECK_NOTHROW(parse("a: 'it''s'\n"));
    CHECK_NOTHROW(parse("a: \"x\\\"y\" # 'z\n"));
    CHECK(mistake("a: [1, 2\n") == "1:4 this '[' has no ']'");
    CHECK(mistake("a: {b: 1, c\nd: [1]") == "1:11 this is not YAML: end of map flow not found");
    CHECK(mistake("a: @x") == "1:4 this is not YAML: unknown token");
    CHECK_THROWS_WITH(parse("a:\n\tb: 1\n"), Catch::Contains("indent with spaces, not with tabs"));
    CHECK(mistake("\"\\q\"").find("this is not YAML: unknown escape character: q") != std::string::npos);
}

TEST_CASE("bytes that no YAML holds are refused before the parser sees them") {
    CHECK(mistake(std::string("a: \0b", 5)) == "1:4 a NUL byte in the text");
    CHECK(mistake("a: 1\nb: \x1B[31m") == "2:4 the control character \\x1b in the text");
    CHECK(mistake("a: \x7F") == "1:4 the control character \\x7f in the text");
    CHECK(mistake("a: 1\rb: 2") == "1:5 a carriage return without a line feed in the text");
    CHECK_NOTHROW(parse("a: 1\r\nb: 2\r\n"));
    CHECK(mistake("a: \xC3(") == "1:4 this is not UTF-8");
    CHECK(mistake("\xFF\xFE"
                  "a") == "1:1 this is not UTF-8");
    CHECK(mistake("a: \"\\e[31m\"") == "1:4 this text contains an escaped control character");
    CHECK(mistake("a: \"x\\0\"") == "1:4 this text contains an escaped control character");
}

TEST_CASE("a file that is too large is refused at once") {
    CHECK(mistake("a: " + std::string(10'000'000, 'x')) == "1:1 this line is longer than 1 MiB");
    CHECK(mistake(std::string(17u << 20, '\n')) == "0:0 the file is larger than 16 MiB");
    CHECK(mistake(repeat("- 1\n", 1'000'001)) ==
          "1000000:3 too many values: more than 1000000, counting aliases as what they expand to");
}

TEST_CASE("every prefix and every changed byte of a file is a value or an error with a place") {
    const std::string text =
        "name: x\nparams: {a: &p 1, b: [2, \"q\\n\"], c: ${a}}\nstages:\n  s: {kind: k, in: {x: a.b}} # c\n  t: |\n    l\n  "
        "u: *p\n";
    const auto survives = [](const std::string& candidate) {
        try {
            (void)parse(candidate).canonical();
        } catch (const Error& error) {
            for (const Diagnostic& one : error.diagnostics()) {
                CHECK(one.place);
                CHECK_FALSE(render(one).empty());
            }
        }
    };
    for (std::size_t i = 0; i <= text.size(); ++i) survives(text.substr(0, i));
    for (std::size_t i = 0; i < text.size(); ++i)
        for (const char c : {'\0', '\t', '\n', ' ', '!', '"', '#', '%', '&', '\'', '*',    ',',
                             '-',  ':',  '<',  '?', '[', ']', '`', '{', '|', '}',  '\xC3', '\xFE'}) {
            std::string changed = text;
            changed[i] = c;
            survives(changed);
        }
}

TEST_CASE("a file is read by its path, and an unreadable one is named in the error") {
    const std::string path =
        (std::filesystem::temp_directory_path() / fmt::format("satdl_yaml_test_{}", ::getpid())).string();
    std::ofstream(path) << "a: 1\n";
    CHECK(parse_yaml_file(path).find("a")->place().text() == path + ":1:4");
    std::remove(path.c_str());
    CHECK_THROWS_WITH(parse_yaml_file(path), "cannot read " + path + ": No such file or directory");
    CHECK_THROWS_WITH(parse_yaml_file("/"), "cannot read /: it is a folder, not a file");
    CHECK_THROWS_WITH(parse_yaml_file("/dev/zero"), "cannot read /dev/zero: it is a device, not a file");
}
