#include "stages/binary_file.h"

#include <fmt/format.h>

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
        throw error(fmt::format("is cut short: {} takes {} bytes, {} are left", what, bytes.size(), left_));
    }
    stream_.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!stream_) throw error(fmt::format("cannot be read: {}", std::strerror(errno)));
    left_ -= bytes.size();
}

void BinaryFile::skip(std::uint64_t bytes) {
    stream_.seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
    if (!stream_) throw error(fmt::format("cannot be read: {}", std::strerror(errno)));
    left_ -= bytes;
}

Error BinaryFile::error(const std::string& message, std::string hint) const {
    return Error(ExitCode::Store, fmt::format("{}: {}", path_.string(), message), std::move(hint));
}

}  // namespace satdl::stages
