// The wire format of protocol buffers, read: the fields of one message, one after the other. protobuf_writer.h has why there is no
// libprotobuf. What is read may come from anywhere: nothing leads outside the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace satdl {

class ProtobufReader {
public:
    struct Field {
        std::uint64_t number = 0;
        std::string_view bytes{};   // of a text, raw bytes or a message; else empty
        std::uint64_t integer = 0;  // of a number; else 0
    };

    // `text` must outlive the reader and its fields.
    explicit ProtobufReader(std::string_view text) : rest_(text) {}

    // nullopt at the end, and where the text is no message: then damaged().
    [[nodiscard]] std::optional<Field> next() {
        if (damaged_ || rest_.empty()) return std::nullopt;
        const std::uint64_t tag = varint();
        Field field{.number = tag >> 3};
        switch (tag & 7) {
            case 0: field.integer = varint(); break;
            case 1: (void)take(8); break;
            case 2: field.bytes = take(varint()); break;
            case 5: (void)take(4); break;
            default: damaged_ = true;  // groups, which no message of today has
        }
        if (field.number == 0) damaged_ = true;
        return damaged_ ? std::nullopt : std::optional(field);
    }
    [[nodiscard]] bool damaged() const { return damaged_; }

private:
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const std::string_view one = take(1);
            if (one.empty()) return 0;
            const auto byte = static_cast<unsigned char>(one.front());
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (byte < 0x80) return value;
        }
        damaged_ = true;
        return 0;
    }
    std::string_view take(std::uint64_t count) {
        if (count > rest_.size()) {
            damaged_ = true;
            return {};
        }
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }

    std::string_view rest_;
    bool damaged_ = false;
};

}  // namespace satdl
