// A file read front to back; whatever is wrong with it is an Error{Store} that names it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <istream>
#include <memory>
#include <span>
#include <string>

#include "pipeline/array_files/elements.h"
#include "pipeline/core/error.h"

namespace satdl {

inline constexpr std::size_t kMaxDimensions = 32;  // HDF5's own limit: more could not be kept

class BinaryFile {
public:
    explicit BinaryFile(std::filesystem::path path);
    // A file within another, unpacked; `bytes` may be only the beginning of its `size`.
    BinaryFile(std::filesystem::path name, std::string bytes, std::uint64_t size);

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    [[nodiscard]] std::uint64_t left() const { return left_; }  // bytes not read yet
    // Fills `bytes`; `what` is what they are, for the message where the file ends before.
    void read(std::span<std::byte> bytes, const std::string& what);
    // `bytes` from `offset` on, fewer at the end of the file; what read() reads stays the same.
    [[nodiscard]] std::string peek(std::uint64_t offset, std::size_t bytes);
    void skip(std::uint64_t bytes);
    // Throws unless exactly one array of this type and shape is left, of at most kMaxDimensions.
    void expect_array(Element element, const Shape& shape) const;
    // The elements that are next, as an array. Throws for a uint64 that int64 does not have.
    [[nodiscard]] Array read_array(StoredElement stored, Shape shape);
    // "<path>: <message>"
    [[nodiscard]] Error error(const std::string& message, std::string hint = {}) const;

private:
    std::filesystem::path path_;
    std::unique_ptr<std::istream> stream_;
    std::uint64_t size_ = 0, left_ = 0;
};

}  // namespace satdl
