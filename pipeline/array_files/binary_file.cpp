#include "pipeline/array_files/binary_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "pipeline/core/fresh_array.h"
#include "pipeline/os/special_file.h"

namespace satdl {
namespace {

constexpr std::size_t kPieceElements = 1 << 16;

}  // namespace

BinaryFile::BinaryFile(std::filesystem::path path) : path_(std::move(path)) {
    if (const auto kind = special_kind_of(path_); !kind.empty()) throw error(fmt::format("is {}, not a file", kind));
    stream_ = std::make_unique<std::ifstream>(path_, std::ios::binary);
    if (!*stream_) throw error(fmt::format("cannot be opened: {}", std::strerror(errno)));
    std::error_code failed;
    size_ = left_ = std::filesystem::file_size(path_, failed);
    if (failed) throw error(fmt::format("cannot be read: {}", failed.message()));
}

BinaryFile::BinaryFile(std::filesystem::path name, std::string bytes, std::uint64_t size)
    : path_(std::move(name)), stream_(std::make_unique<std::istringstream>(std::move(bytes))), size_(size), left_(size) {}

void BinaryFile::read(std::span<std::byte> bytes, const std::string& what) {
    if (bytes.size() > left_) {
        throw error(fmt::format("is truncated: {} takes {} bytes, {} are left", what, bytes.size(), left_),
                    "download it or write it again");
    }
    stream_->read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (stream_->eof()) throw error("was truncated while it was read", "download it or write it again");
    if (!*stream_) throw error(fmt::format("cannot be read: {}", std::strerror(errno)));
    left_ -= bytes.size();
}

std::string BinaryFile::peek(std::uint64_t offset, std::size_t bytes) {
    if (offset >= size_) return {};
    std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, size_ - offset)), '\0');
    stream_->seekg(static_cast<std::streamoff>(offset));
    stream_->read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream_->gcount()));
    stream_->clear();
    stream_->seekg(static_cast<std::streamoff>(size_ - left_));
    if (!*stream_) throw error(fmt::format("cannot be read: {}", std::strerror(errno)));
    return text;
}

void BinaryFile::skip(std::uint64_t bytes) {
    stream_->seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
    if (!*stream_) throw error(fmt::format("cannot be read: {}", std::strerror(errno)));
    left_ -= bytes;
}

void BinaryFile::expect_array(Element element, const Shape& shape) const {
    if (shape.size() > kMaxDimensions) {
        throw error(fmt::format("its header declares {} dimensions", shape.size()),
                    fmt::format("an array has at most {}; is this the right kind of file?", kMaxDimensions));
    }
    std::uint64_t bytes = size_of(element);
    bool too_many = false;
    for (const std::int64_t extent : shape)
        too_many = __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes) || too_many;
    if (std::ranges::find(shape, 0) != shape.end()) bytes = 0, too_many = false;
    if (!too_many && bytes == left_) return;
    const bool longer = !too_many && bytes < left_;
    throw error(fmt::format("elements {} of {} take {} bytes, but {} follow its header", shape_text(shape), name_of(element),
                            too_many ? "over 2^64" : fmt::format("{}", bytes), left_),
                longer ? "there are extra bytes after the last element: was something appended to the file?"
                       : "the file is incomplete, or its header is wrong: download it or write it again");
}

Array BinaryFile::read_array(StoredElement stored, Shape shape) {
    FreshArray array(dtype_of(stored.element), std::move(shape));
    const std::size_t wide = size_of(dtype_of(stored.element)), narrow = size_of(stored.element);
    std::vector<std::byte> piece;
    for (std::span<std::byte> rest = array.bytes(); !rest.empty();) {
        const std::size_t elements = std::min(rest.size() / wide, kPieceElements);
        const std::span<std::byte> to = rest.first(elements * wide);
        if (narrow != wide) piece.resize(elements * narrow);
        const std::span<std::byte> from = narrow == wide ? to : std::span(piece);
        read(from, "its array");
        if (!widen(stored, from, to))
            throw error("has a uint64 above 9223372036854775807, which int64 does not have", "convert it: array.astype('float64')");
        rest = rest.subspan(to.size());
    }
    return std::move(array).finish();
}

Error BinaryFile::error(const std::string& message, std::string hint) const {
    return Error(ExitCode::Store, fmt::format("{}: {}", printable(path_.string()), message), std::move(hint));
}

}  // namespace satdl
