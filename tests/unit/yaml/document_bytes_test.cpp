#include "pipeline/yaml/document_bytes.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <random>

#include "pipeline/yaml/yaml_parser.h"
#include "tests/support/temp_folder.h"

using namespace satdl;

namespace {

std::shared_ptr<const SourceText> source_of(std::string text) {
    return std::make_shared<const SourceText>(SourceText{"a.yaml", std::move(text)});
}

constexpr std::size_t kNoLimit = std::size_t{1} << 30;

// Everything that a value says, its places included.
std::string all_of(const ConfigValue& value) {
    std::string text =
        fmt::format("{} {}{}:", value.place().text(), static_cast<int>(value.kind()), value.quoted() ? " quoted" : "");
    text += fmt::format("{}:{}\n", value.text().size(), value.text());
    for (const ConfigValue& item : value.items()) text += all_of(item);
    for (const ConfigValue::Entry& entry : value.entries())
        text += fmt::format("{} {}\n{}", entry.key_place.text(), entry.key, all_of(entry.value));
    return text;
}

void check_round_trip(const std::shared_ptr<const SourceText>& source) {
    const ConfigValue parsed = parse_yaml(source);
    const auto bytes = bytes_of_document(parsed, kNoLimit);
    REQUIRE(bytes);
    const auto again = document_of_bytes(*bytes, source);
    REQUIRE(again);
    CHECK(all_of(*again) == all_of(parsed));
    CHECK(again->place().source == source);
}

// Random YAML of every kind of value.
class RandomYaml {
public:
    explicit RandomYaml(unsigned seed) : random_(seed) {}

    std::string value(int depth) {
        switch (random_() % (depth < 4 ? 8 : 5)) {
            case 0:
                return "~";
            case 1:
                return "\"quoted: \\u00e9 {} #\"";
            case 2:
                return fmt::format("{}", static_cast<int>(random_()));
            case 3:
                return "'single ''quoted'''";
            case 4:
                return fmt::format("\"${{a.b{}}}\"", random_() % 300);
            case 5: {
                std::string list = "[";
                for (auto left = random_() % 5; left > 0; --left) list += value(depth + 1) + (left > 1 ? ",\n   " : "");
                return list + "]";
            }
            default: {
                std::string map = "{";
                for (auto left = random_() % 5; left > 0; --left)
                    map += fmt::format("k{}: {}{}", left, value(depth + 1), left > 1 ? ", " : "");
                return map + "}";
            }
        }
    }

private:
    std::mt19937 random_;
};

}  // namespace

TEST_CASE("the DAG files that ship with satdl come back from their bytes, every value with its place") {
    int files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(SATDL_SOURCE_DIR "/dags")) {
        if (entry.path().extension() != ".yaml") continue;
        check_round_trip(source_of(test::file_text(entry.path())));
        ++files;
    }
    CHECK(files >= 4);
}

TEST_CASE("so does whatever parses: random documents, anchors, long texts, a byte-order mark, a single scalar") {
    for (unsigned seed = 0; seed < 500; ++seed) {
        RandomYaml yaml(seed);
        std::string text;
        for (int i = 0; i < 4; ++i) text += fmt::format("key{}: {}\n", i, yaml.value(0));
        check_round_trip(source_of(std::move(text)));
    }
    check_round_trip(source_of("a: &x {b: [1, 2, {c: d}]}\ne: *x\nf: [*x, *x]\n"));
    check_round_trip(
        source_of("a: '" + std::string(100'000, 'x') + "'\n" + std::string(300, '\n') + "b: |\n  two\n  lines\n"));
    check_round_trip(
        source_of("\xEF\xBB\xBF"
                  "a: 1\n"));
    check_round_trip(source_of("alone"));
}

TEST_CASE("aliases that expand to more than the limit have no bytes") {
    std::string bomb = "a0: &a0 [" + std::string(1000, '1') + "]\n";
    for (int i = 1; i < 6; ++i) bomb += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
    const ConfigValue parsed = parse_yaml(source_of(bomb));
    CHECK_FALSE(bytes_of_document(parsed, 8 * bomb.size()));
    CHECK(bytes_of_document(parsed, kNoLimit)->size() > 3'000'000);
}

TEST_CASE("any other bytes are no document, or another one: truncated, with a byte changed, nested without end") {
    const auto source = source_of("stages: {a: {kind: read, in: {x: b.y}, list: [1, '2', ~]}}\n");
    const std::string bytes = *bytes_of_document(parse_yaml(source), kNoLimit);
    for (std::size_t size = 0; size < bytes.size(); ++size) CHECK_FALSE(document_of_bytes(bytes.substr(0, size), source));
    CHECK_FALSE(document_of_bytes(bytes + '\0', source));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (int byte = 0; byte < 256; ++byte) {
            std::string changed = bytes;
            changed[at] = static_cast<char>(byte);
            (void)document_of_bytes(changed, source);  // what matters is that it returns
        }
    }
    std::string nested;
    for (int i = 0; i < 1'000'000; ++i) nested += std::string("\3\1\1\1", 4);
    CHECK_FALSE(document_of_bytes(nested, source));
}
