// Keys whose uploads are still to be made, so that a run that ends before them, however it ends, leaves them to the next.
//
//   uploads/<place>.<process>    a key a line, appended as artifacts are stored
//
// Each process has a file of its own; the files of processes that have ended are taken over. Nothing is lost if one is, but that upload: so
// nothing here is an error.
#pragma once

#include <filesystem>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "pipeline/core/digest.h"
#include "pipeline/os/file_system.h"

namespace satdl {

// Safe from any thread. Throws nothing that the file system causes.
class PendingUploads {
public:
    // `store_folder`: .satdl/. `place`: of the remote. `files`: borrowed.
    PendingUploads(const std::filesystem::path& store_folder, const std::string& place, FileSystem& files);

    void add(std::span<const Digest> keys);
    // Those of processes that have ended, which are this one's from now on.
    [[nodiscard]] std::vector<Digest> take_over();
    // At the end: only these are left.
    void finish(std::span<const Digest> left);

private:
    const std::filesystem::path folder_;
    const std::string place_;  // in names of files
    const std::filesystem::path own_;
    FileSystem& files_;
    std::mutex mutex_;
    bool has_file_ = false;  // guarded by mutex_
};

}  // namespace satdl
