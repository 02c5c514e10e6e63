// What a store needs from a file system, tried where the store is: names, durability, locks, times, the index.
//
// A file system says of itself what it can do only in part (and network ones, not always the truth), so each check does what the store
// does, with the store's own calls. Rejected: filling the disk to see how a full one is reported; other programs
// live on it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/os/file_system.h"

namespace satdl {

enum class Verdict {
    Ok,
    Degraded,  // it does not hold, and no result is in danger: `consequence` says what is lost
    Fatal,     // it does not hold, and results could be lost or wrong: a store must not be kept there
};
[[nodiscard]] std::string_view name_of(Verdict verdict);  // "ok", "degraded", "fatal"

struct FileSystemCheck {
    std::string name;         // "link() refuses an existing name"
    Verdict verdict = Verdict::Ok;
    std::string found;        // what was seen: "within 4 ms", or the error
    std::string consequence;  // of what does not hold, for satdl; else ""
};

// `folder` exists, is empty, and the caller removes it. Takes up to three seconds if times are coarse. Throws nothing that
// the file system causes: that is a finding.
[[nodiscard]] std::vector<FileSystemCheck> probe_file_system(const std::filesystem::path& folder, FileSystem& files);

}  // namespace satdl
