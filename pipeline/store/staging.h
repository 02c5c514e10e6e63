// A store's tmp/: files on their way in. Each is written whole under a name of this process's own, made durable, and only then
// given its final name, which must not exist yet. Whoever dies in between leaves a file in tmp/ that nobody takes for a result, and
// that the next writer sweeps away.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "pipeline/os/file_system.h"

namespace satdl {

// Safe from any thread.
class Staging {
public:
    Staging(std::filesystem::path folder, FileSystem& files) : folder_(std::move(folder)), files_(files) {}

    void prepare();  // makes the folder durably; before the first file
    // The bytes are durable under `path`, whose folder the caller syncs. Nothing is left in tmp/, whatever fails.
    [[nodiscard]] LinkResult write_and_link(std::uint64_t size, std::span<const Extent> extents, const std::filesystem::path& path);
    // Removes what dead processes left; that of other hosts goes after a day. Throws nothing: it only saves space.
    void sweep();

private:
    [[nodiscard]] std::filesystem::path write(std::uint64_t size, std::span<const Extent> extents, std::string name);

    const std::filesystem::path folder_;
    FileSystem& files_;
    std::atomic<std::uint64_t> written_{0};  // for names
};

}  // namespace satdl
