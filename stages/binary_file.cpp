#include "stages/binary_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace satdl::stages {

BinaryFile::BinaryFile(std::filesystem::path path) : path_(std::move(path)), stream_(path_, std::ios::binary) {
    if (!stream_) throw error(fmt::format("cannot be opened: {}", std::strerror(errno)));
    std::error_code failed;
    left_ = std::filesystem::file_size(path_, failed);
    if (failed) throw error(fmt::format("cannot be read: {}", failed.message()));
}

void BinaryFile::read(std::span<std::byte> bytes, const std::string& what) {
    if (bytes.size() > left_) {
        throw error(fmt::format("is truncated: {} takes {} bytes, {} are left", what, bytes.size(), left_),
                    "download it or write it again");
    }
    stream_.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (stream_.eof()) throw error("was truncated while it was read", "download it or write it again");
    if (!stream_) throw error(fmt::format("cannot be read: {}", std::strerror(errno)));
    left_ -= bytes.size();
}

void BinaryFile::skip(std::uint64_t bytes) {
    stream_.seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
    if (!stream_) throw error(fmt::format("cannot be read: {}", std::strerror(errno)));
    left_ -= bytes;
}

void BinaryFile::expect_array(DType dtype, const Shape& shape) const {
    if (shape.size() > kMaxDimensions) {
        throw error(fmt::format("its header declares {} dimensions", shape.size()),
                    fmt::format("an array has at most {}; is this the right kind of file?", kMaxDimensions));
    }
    std::uint64_t bytes = size_of(dtype);
    bool too_many = false;
    for (const std::int64_t extent : shape)
        too_many = __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes) || too_many;
    if (std::ranges::find(shape, 0) != shape.end()) bytes = 0, too_many = false;
    if (!too_many && bytes == left_) return;
    const bool longer = !too_many && bytes < left_;
    throw error(fmt::format("elements {} of {} take {} bytes, but {} follow its header", shape_text(shape), name_of(dtype),
                            too_many ? "over 2^64" : fmt::format("{}", bytes), left_),
                longer ? "there are extra bytes after the last element: was something appended to the file?"
                       : "the file is incomplete, or its header is wrong: download it or write it again");
}

Error BinaryFile::error(const std::string& message, std::string hint) const {
    return Error(ExitCode::Store, fmt::format("{}: {}", printable(path_.string()), message), std::move(hint));
}

}  // namespace satdl::stages
