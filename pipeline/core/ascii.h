// ASCII characters, and the names that are made of them. <cctype> was rejected: its answers depend on the locale, and a char
// below zero is undefined there.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace satdl {

[[nodiscard]] constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
[[nodiscard]] constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
[[nodiscard]] constexpr bool is_letter(char c) { return is_lower(c) || is_upper(c); }
[[nodiscard]] constexpr bool is_alphanumeric(char c) { return is_letter(c) || is_digit(c); }
[[nodiscard]] constexpr char lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

[[nodiscard]] inline std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) { return lower(c); });
    return result;
}

// Letters, digits and the characters of `more`, at least one.
[[nodiscard]] constexpr bool is_made_of(std::string_view text, std::string_view more) {
    return !text.empty() && std::ranges::all_of(text, [more](char c) {
        return is_alphanumeric(c) || more.find(c) != std::string_view::npos;
    });
}

// A letter or '_', followed by letters, digits and '_'.
[[nodiscard]] constexpr bool is_identifier(std::string_view text) { return is_made_of(text, "_") && !is_digit(text.front()); }
// The same with '-' as well: what a DAG file calls its stages and parameters.
[[nodiscard]] constexpr bool is_dashed_identifier(std::string_view text) {
    return is_made_of(text, "_-") && !is_digit(text.front()) && text.front() != '-';
}

// Without the spaces around it.
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(' ');
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace satdl
