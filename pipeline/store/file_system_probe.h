// What a store asks of a file system, tried out where the store is: names, durability, locks, times, the index.
//
// A file system says of itself what it can do only in part (and network ones, not always the truth), so each question is put by
// doing what the store does, with the store's own calls. Rejected: filling the disk to see how a full one is told; other
// programs live on it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/os/file_system.h"

namespace satdl {

enum class Holds {
    Yes,
    No,         // and no result is in danger: `follows` says what is lost
    NoAndMust,  // a store must not be kept there
};

struct DiskAnswer {
    std::string question;  // "a name that is taken is not taken over"
    Holds holds = Holds::Yes;
    std::string found;     // what was seen: "within 4 ms", or the error
    std::string follows;   // where it does not hold: what that means for satdl; else ""
};

// `folder` is there, empty, and the caller's to remove. Takes up to three seconds where times are coarse. Throws nothing that
// the file system causes: that is an answer.
[[nodiscard]] std::vector<DiskAnswer> probe_file_system(const std::filesystem::path& folder, FileSystem& files);

}  // namespace satdl
