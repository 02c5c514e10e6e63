// Text as UTF-8 (RFC 3629), strictly: forms that are too long, surrogates and what lies above U+10FFFF are no characters. The C
// library's functions were rejected: their answers depend on the locale.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace satdl {

// How many bytes the character at `at` takes (1 to 4); 0 if there is no valid one.
[[nodiscard]] std::size_t utf8_bytes(std::string_view text, std::size_t at);

struct CodePoint {
    char32_t value = 0;
    std::size_t bytes = 1;
};
// The character at `at`; a byte that begins none stands for itself. Precondition: at < text.size().
[[nodiscard]] CodePoint code_point(std::string_view text, std::size_t at);

// How many characters there are. Precondition: valid UTF-8, as printable() makes it.
[[nodiscard]] std::size_t utf8_characters(std::string_view text);

// Where to cut: `at`, or the beginning of the character that it lies within; the text's size if `at` is beyond it.
[[nodiscard]] std::size_t utf8_floor(std::string_view text, std::size_t at);

// The text with control characters, DEL and invalid UTF-8 as \xNN: safe to print on a terminal or in a log.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace satdl
