#include "pipeline/yaml/yaml_preflight.h"

#include <fmt/format.h>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

constexpr std::size_t kLongestLine = std::size_t{1} << 20;
constexpr char kOpen = '\xFE', kClose = '\xFF';

std::string name_of_character(unsigned char c) {
    if (c == 0) return "a NUL byte";
    if (c == '\r') return "a carriage return without a line feed";
    return fmt::format("the control character \\x{:02x}", c);
}

bool is_name_character(char c) { return is_alphanumeric(c) || c == '_' || c == '-' || c == '.' || c == ' '; }

}  // namespace

std::optional<Diagnostic> unreadable(std::string_view text, const Place& start) {
    int line = start.line;
    std::size_t line_start = 0;
    const auto at = [&](std::size_t place) {
        const int column = static_cast<int>(place - line_start) + (line == start.line ? start.column : 1);
        return Place{start.source, line, column};
    };
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c == '\n') {
            ++line;
            line_start = i + 1;
        } else if (c == 0x7F || (c < 0x20 && c != '\t' && !(c == '\r' && i + 1 < text.size() && text[i + 1] == '\n'))) {
            return Diagnostic{at(i), name_of_character(c) + " in the text", "is this a text file?"};
        }
        if (i + 1 - line_start > kLongestLine)
            return Diagnostic{at(line_start), "this line is longer than 1 MiB", "is this a YAML file?"};
        const std::size_t bytes = c < 0x80 ? 1 : utf8_bytes(text, i);
        if (bytes == 0) return Diagnostic{at(i), "this is not UTF-8", "save the file as UTF-8"};
        i += bytes;
    }
    return std::nullopt;
}

std::string with_braces_hidden(std::string_view text) {
    std::string hidden(text);
    for (std::size_t at = hidden.find("${"); at != std::string::npos; at = hidden.find("${", at + 2)) {
        std::size_t end = at + 2;
        while (end < hidden.size() && is_name_character(hidden[end])) ++end;
        if (end == hidden.size() || hidden[end] != '}') continue;
        hidden[at + 1] = kOpen;
        hidden[end] = kClose;
    }
    return hidden;
}

void show_braces(std::string& text) {
    for (char& c : text) {
        if (c == kOpen) c = '{';
        if (c == kClose) c = '}';
    }
}

std::string advice(std::string_view message, std::string_view line) {
    struct Advice {
        std::string_view message, advice;
    };
    static constexpr Advice kAdvice[] = {
        {"illegal map value", "unexpected ':': text that contains ': ' needs quotes"},
        {"illegal map key", "unexpected key: check the indentation"},
        {"illegal block entry", "unexpected '- ': check the indentation"},
        {"end of map not found", "a line is indented differently from its neighbours, or has no ':'"},
        {"end of sequence not found", "a line is indented differently from its neighbours, or has no '- '"},
        {"end of map flow not found", "a ',' or a '}' is missing before this"},
        {"end of sequence flow not found", "a ',' or a ']' is missing before this"},
        {"illegal flow end", "there is an extra '}' or ']'"},
        {"illegal EOF in scalar", "a quote is not closed"},
        {"unknown token", "text that starts with '@', '`' or '%' needs quotes"},
        {"the referenced anchor is not defined", "text that starts with '*' needs quotes"},
    };
    if (line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos)
        return "indent with spaces, not with tabs";
    for (const Advice& one : kAdvice)
        if (message == one.message) return std::string(one.advice);
    return {};
}

}  // namespace satdl
