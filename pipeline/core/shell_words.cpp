#include "pipeline/core/shell_words.h"

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

constexpr std::string_view kBlanks = " \t\n";
constexpr std::string_view kEscapedInDoubleQuotes = "$`\"\\";  // before others, the backslash stays

}  // namespace

std::optional<std::vector<std::string>> shell_words(std::string_view text) {
    std::vector<std::string> words;
    bool in_word = false;
    char quote = '\0';
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quote == '\0' && kBlanks.find(c) != std::string_view::npos) {
            in_word = false;
            continue;
        }
        if (!in_word) words.emplace_back();
        in_word = true;
        if (c == quote) {
            quote = '\0';
        } else if (quote == '\0' && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == '\\' && quote != '\'') {
            if (++i == text.size()) return std::nullopt;
            if (quote == '"' && kEscapedInDoubleQuotes.find(text[i]) == std::string_view::npos && text[i] != '\n') words.back() += '\\';
            if (text[i] != '\n') words.back() += text[i];  // a line that continues
        } else {
            words.back() += c;
        }
    }
    if (quote != '\0') return std::nullopt;
    return words;
}

std::string shell_quoted(std::string_view word) {
    if (is_made_of(word, "_-./:=,+@%{}")) return std::string(word);
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

std::string shell_quoted(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        if (!text.empty()) text += ' ';
        text += shell_quoted(word);
    }
    return text;
}

}  // namespace satdl
