#include "pipeline/core/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace satdl {
namespace {

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u;
}

}  // namespace

std::size_t utf8_bytes(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const unsigned first = byte(at);
    if (first < 0x80) return 1;
    const std::size_t count = first >= 0xC2 && first <= 0xDF   ? 2
                              : (first & 0xF0u) == 0xE0        ? 3
                              : first >= 0xF0 && first <= 0xF4 ? 4
                                                               : 0;
    if (count == 0 || at + count > text.size()) return 0;
    for (std::size_t i = 1; i < count; ++i)
        if ((byte(at + i) & 0xC0u) != 0x80) return 0;
    const unsigned second = byte(at + 1);  // too long a form, a surrogate, or above U+10FFFF
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second >= 0xA0)) return 0;
    if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second >= 0x90)) return 0;
    return count;
}

CodePoint code_point(std::string_view text, std::size_t at) {
    const std::size_t bytes = utf8_bytes(text, at);
    const auto first = static_cast<unsigned char>(text[at]);
    if (bytes < 2) return {first, 1};
    char32_t value = first & (0xFFu >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) value = (value << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
    return {value, bytes};
}

std::size_t utf8_characters(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !is_continuation(c); }));
}

std::size_t utf8_floor(std::string_view text, std::size_t at) {
    if (at >= text.size()) return text.size();
    while (at > 0 && is_continuation(text[at])) --at;
    return at;
}

std::string printable(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const auto first = static_cast<unsigned char>(text[at]);
        const std::size_t count = utf8_bytes(text, at);
        const bool c1 = count == 2 && first == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0;
        const bool escaped = count == 0 || first < 0x20 || first == 0x7F || c1;
        for (std::size_t i = 0; i < std::max<std::size_t>(count, 1); ++i, ++at) {
            if (escaped)
                result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
            else
                result += text[at];
        }
    }
    return result;
}

}  // namespace satdl
