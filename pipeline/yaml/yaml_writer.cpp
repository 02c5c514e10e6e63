#include "pipeline/yaml/yaml_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

constexpr std::size_t kWidth = 110;       // of a line with a list or a map in it
constexpr std::size_t kNestedWidth = 80;  // if there is another within
constexpr std::array<std::string_view, 7> kWords{"null", "true", "false", "yes", "no", "on", "off"};  // that some reader takes for no text

// A word, or words with single spaces, that need no quotes anywhere.
bool is_plain(std::string_view text) {
    if (text.empty() || text.ends_with(' ') || text.find("  ") != std::string_view::npos) return false;
    if (!is_letter(text.front()) && text.front() != '_' && text.front() != '/') return false;
    return is_made_of(text, "_-./+ ") && std::ranges::find(kWords, lower(text)) == kWords.end();
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += fmt::format("\\{}", c);
        else if (c == '\n') out += "\\n";
        else if (c == '\t') out += "\\t";
        else out += c;
    }
    return out + '"';
}

std::string scalar(const ConfigValue& value) {
    if (value.is_null()) return "null";
    return value.as_number() || value.as_boolean() ? value.text() : yaml_scalar(value.text());
}

bool is_collection(const ConfigValue& value) { return value.is_map() || value.is_list(); }

std::string in_one_line(const ConfigValue& value) {
    if (!is_collection(value)) return scalar(value);
    std::string inner;
    for (const ConfigValue& item : value.items()) inner += (inner.empty() ? "" : ", ") + in_one_line(item);
    for (const ConfigValue::Entry& entry : value.entries())
        inner += fmt::format("{}{}: {}", inner.empty() ? "" : ", ", yaml_scalar(entry.key), in_one_line(entry.value));
    return value.is_list() ? fmt::format("[{}]", inner) : fmt::format("{{{}}}", inner);
}

// As a block with `|`, which keeps lines as they are: only where its first line tells how far all are indented.
bool can_be_literal(std::string_view text) {
    return text.find('\n') != std::string_view::npos && !text.starts_with(' ') && !text.starts_with('\n') && !text.ends_with('\n') &&
           text.find('\t') == std::string_view::npos;
}

// How many lists and maps there are within each other.
std::size_t depth(const ConfigValue& value) {
    std::size_t deepest = 0;
    for (const ConfigValue& item : value.items()) deepest = std::max(deepest, depth(item));
    for (const ConfigValue::Entry& entry : value.entries()) deepest = std::max(deepest, depth(entry.value));
    return deepest + (is_collection(value) ? 1 : 0);
}

void append(std::string& out, const ConfigValue& value, std::size_t indent);

// What follows a "key:" or a "-" that begins at `indent`.
void append_after(std::string& out, const ConfigValue& value, std::size_t indent) {
    const std::string line = in_one_line(value);
    const std::size_t begin = out.rfind('\n') + 1;  // 0 without one
    const std::size_t width = out.size() - begin + line.size();
    const bool is_short = depth(value) == 1 ? width < kWidth : depth(value) == 2 && width < kNestedWidth;
    if (value.is_scalar() && can_be_literal(value.text())) {
        out += " |-\n";
        std::string_view rest = value.text();
        while (true) {
            const std::size_t end = std::min(rest.find('\n'), rest.size());
            if (end > 0) out.append(indent + 2, ' ').append(rest.substr(0, end));
            out += '\n';
            if (end == rest.size()) return;
            rest.remove_prefix(end + 1);
        }
    }
    if (!is_collection(value) || (value.items().empty() && value.entries().empty()) || is_short) {
        out += fmt::format(" {}\n", line);
        return;
    }
    out += '\n';
    append(out, value, indent + 2);
}

void append(std::string& out, const ConfigValue& value, std::size_t indent) {
    for (const ConfigValue& item : value.items()) {
        out.append(indent, ' ') += '-';
        append_after(out, item, indent);
    }
    for (const ConfigValue::Entry& entry : value.entries()) {
        out.append(indent, ' ') += yaml_scalar(entry.key) + ':';
        append_after(out, entry.value, indent);
    }
}

}  // namespace

std::string yaml_scalar(std::string_view text) { return is_plain(text) ? std::string(text) : quoted(text); }

std::string yaml_text(const ConfigValue& map) {
    SATDL_CHECK(map.is_map() && !map.entries().empty(), "only a map with entries is a document");
    std::string out;
    append(out, map, 0);
    return out;
}

}  // namespace satdl
