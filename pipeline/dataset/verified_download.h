// A download: written to a temporary file, its size and SHA-256 computed meanwhile, renamed into place only when it is
// the expected file and durable. What a dead process left behind is removed by the next one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "pipeline/core/digest.h"
#include "pipeline/os/file_system.h"

namespace satdl {

// `folder`/.tmp-XXXXXX, removed with everything in it when this ends. Its owner holds a lock on it while it lives, so that
// the next one can distinguish a dead process's from a living one's; process numbers cannot, and mean nothing across containers.
//
// Not the store's Staging, which goes by process numbers: what a killed container leaves there stays for a day, and here that would be
// whole downloads in the folder of the user's data. Where flock holds nothing, two fetches of one dataset at once may disturb each other:
// one fails, and is run again. A run whose results were lost that way would be another matter (store/staging.h).
class DownloadFolder {
public:
    explicit DownloadFolder(const std::filesystem::path& folder);
    ~DownloadFolder();
    DownloadFolder(const DownloadFolder&) = delete;
    DownloadFolder& operator=(const DownloadFolder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
    int lock_ = -1;
};

// Bytes are appended, never more than `max`; without publish(), the file is removed.
class VerifiedDownload {
public:
    using DownloadProgress = std::function<void(std::uint64_t)>;  // bytes so far

    VerifiedDownload(std::filesystem::path path, std::uint64_t max, DownloadProgress progress);
    ~VerifiedDownload();
    VerifiedDownload(const VerifiedDownload&) = delete;
    VerifiedDownload& operator=(const VerifiedDownload&) = delete;

    // False: more than `max` bytes. Throws FileError.
    [[nodiscard]] bool append(std::span<const std::byte> bytes);
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    // Of all bytes; once.
    [[nodiscard]] Digest digest() { return hash_.finish(); }
    // Makes the bytes durable, then gives them the name `to`, replacing what was there. Throws FileError.
    void publish(FileSystem& files, const std::filesystem::path& to);

private:
    std::filesystem::path path_;
    const std::uint64_t max_bytes_;
    DownloadProgress progress_;
    int descriptor_;
    std::uint64_t bytes_ = 0;
    Sha256 hash_;
};

}  // namespace satdl
