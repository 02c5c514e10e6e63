// A file read front to back; whatever is wrong with it is an Error{Store} that names it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "pipeline/core/array.h"
#include "pipeline/core/error.h"

namespace satdl::stages {

inline constexpr std::size_t kMaxDimensions = 32;  // HDF5's own limit: more could not be kept

class BinaryFile {
public:
    explicit BinaryFile(std::filesystem::path path);

    [[nodiscard]] std::uint64_t left() const { return left_; }  // bytes not read yet
    // Fills `bytes`; `what` is what they are, for the message where the file ends before.
    void read(std::span<std::byte> bytes, const std::string& what);
    void skip(std::uint64_t bytes);
    // Throws unless exactly one array of this type and shape is left, of at most kMaxDimensions.
    void expect_array(DType dtype, const Shape& shape) const;
    // "<path>: <message>"
    [[nodiscard]] Error error(const std::string& message, std::string hint = {}) const;

private:
    std::filesystem::path path_;
    std::ifstream stream_;
    std::uint64_t left_ = 0;
};

}  // namespace satdl::stages
