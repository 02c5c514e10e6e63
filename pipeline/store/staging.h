// A store's tmp/: files being written. Each is written whole under a name unique to this process, made durable, and only then
// given its final name, which must not exist yet. A process that dies in between leaves a file in tmp/ that is never taken for a result,
// and that the next writer sweeps away: at once where its name says that a dead process of this boot and PID namespace wrote it, else after
// a day.
//
// Rejected: a folder of the process's own with a flock on it, as dataset/verified_download.h has. Where flock always succeeds or holds
// within one host (some network file systems), a sweep would take away what a living process writes, and that process's result would not
// be kept (tests/reliability/processes.py has such a flock). A number that another process got meanwhile only delays a sweep. And the
// folder would last as long as a run, so that its age says nothing, where a file lasts for one write.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "pipeline/os/file_system.h"

namespace satdl {

struct Draft {
    std::string name;  // of the file that it becomes; tmp/ adds to it
    std::uint64_t bytes = 0;
    std::span<const Extent> extents;
};
using DraftResult = std::variant<std::filesystem::path, std::exception_ptr>;  // where it is, or why it is not

// Safe from any thread.
class Staging {
public:
    // `folder`: tmp/ of the store.
    Staging(std::filesystem::path folder, FileSystem& files) : folder_(std::move(folder)), files_(files) {}

    void prepare();  // makes the folder durably; before the first file
    // The bytes are durable under `path`, whose folder the caller syncs. No file is left in tmp/, whatever fails.
    [[nodiscard]] LinkResult write_and_link(std::uint64_t size, std::span<const Extent> extents, const std::filesystem::path& path);
    // The same in two steps, for several at once. Each is durable in tmp/, or failed by itself.
    [[nodiscard]] std::vector<DraftResult> write_all(std::span<const Draft> drafts);
    [[nodiscard]] LinkResult link(const std::filesystem::path& written, const std::filesystem::path& path);
    // Removes what dead processes left; that of other hosts goes after a day. Throws nothing: it only saves space.
    void sweep();

private:
    [[nodiscard]] std::filesystem::path fresh_path(const std::string& name);
    [[nodiscard]] std::filesystem::path write(const Draft& draft);

    const std::filesystem::path folder_;
    FileSystem& files_;
    std::atomic<std::uint64_t> written_{0};  // for names
};

}  // namespace satdl
