// The wire format of protocol buffers, written: fields of a message, one after the other
// (protobuf.dev/programming-guides/encoding).
//
// Rejected: libprotobuf with onnx.proto. LibTorch has a protobuf of its own and another version inside; the library and the
// code generated from onnx.proto are 4 MB, register every message when the program starts, and would be for messages that
// are only ever written.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace satdl {

class ProtobufWriter {
public:
    void integer(int field, std::int64_t value) {
        tag(field, WireType::Varint);
        varint(static_cast<std::uint64_t>(value));
    }
    void number(int field, float value) {
        tag(field, WireType::Fixed32);
        const auto bits = std::bit_cast<std::uint32_t>(value);
        for (int shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(bits >> shift & 0xff);
    }
    // A text, raw bytes, or a message.
    void bytes(int field, std::string_view value) {
        tag(field, WireType::Length);
        varint(value.size());
        bytes_ += value;
    }
    void message(int field, const ProtobufWriter& value) { bytes(field, value.bytes_); }
    [[nodiscard]] const std::string& text() const { return bytes_; }

private:
    enum class WireType { Varint = 0, Length = 2, Fixed32 = 5 };

    void tag(int field, WireType type) { varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(type)); }
    void varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
        bytes_ += static_cast<char>(value);
    }

    std::string bytes_;
};

}  // namespace satdl
