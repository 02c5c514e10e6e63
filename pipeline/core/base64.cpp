#include "pipeline/core/base64.h"

#include <cstdint>

namespace satdl {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); i += 4) {
        std::uint32_t group = 0;
        std::size_t digits = 0;
        for (; digits < 4; ++digits) {
            const std::size_t value = kDigits.find(text[i + digits]);
            if (value == kDigits.npos) break;
            group |= static_cast<std::uint32_t>(value) << (18 - 6 * digits);
        }
        for (std::size_t k = 1; k < digits; ++k) bytes += static_cast<char>(group >> (24 - 8 * k) & 0xff);
    }
    if (base64(bytes) != text) return std::nullopt;  // padding elsewhere, bits that count for nothing
    return bytes;
}

}  // namespace satdl
