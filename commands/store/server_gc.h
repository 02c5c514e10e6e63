// `satdl cache gc --layout bazel`: the folder of a cache server (nginx), or a shared folder that is used as one, made smaller. It has
//
//   ac/KEY       records: what came of one key, a file of a few hundred bytes that names its blobs
//   cas/SHA256   blobs: artifacts, by the digest of their bytes
//   tmp/         of a shared folder: what is being written, and what a killed run has left
//
// What was not used for the longest time goes first. A record and the blob that it names are used when either is: a plan reads records
// and downloads few blobs, and a blob without its record is of no use. Records go before their blobs, so that whatever dies in between
// leaves no record of a blob that is gone. Runs may be at work meanwhile: to them, what is gone is a miss, and they compute it; `grace`
// keeps what a run may have counted on when it was planned.
//
// The server makes no note of use, so it is the file's atime. By default Linux updates that once a day (relatime): for the order of removal
// that is enough; the grace is lengthened by this day.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "commands/shared/command_line.h"
#include "pipeline/core/error.h"
#include "pipeline/os/folder_handle.h"

namespace satdl {

struct ServerGcOptions {
    std::string folder;
    std::uint64_t max_bytes = 0;
    double grace_seconds = 7 * 86400.0;
};

void add_server_gc_options(Command& command, ServerGcOptions& options);

// Whether any of them was given.
[[nodiscard]] bool has_server_gc_options(const ServerGcOptions& options);

// Throws Error{Usage, Store}.
[[nodiscard]] ExitCode collect_server_garbage(const ServerGcOptions& options, bool dry_run, bool json);

// --- for the tests ---

// The records and blobs of such a folder.
struct ServerContents {
    struct Record : FolderFile {
        std::vector<std::size_t> blobs{};  // those that it names and that are there, as indices
    };
    std::vector<Record> records;
    std::vector<FolderFile> blobs;
    std::vector<FolderFile> unfinished{};

    [[nodiscard]] std::uint64_t bytes() const;  // of records and blobs
};

// What is to go, as indices, in the order of removal: first these records, then these blobs, then all unfinished files that are old.
struct ServerGarbage {
    std::vector<std::size_t> records, blobs, unfinished{};
    bool is_enough = true;  // false: what else is there was used within the grace
};

// The runs of 64 hex digits in `record` that are names of `blobs`, which are sorted by name: whoever wrote a record and in whatever
// version, the digests of its blobs are in it as text.
[[nodiscard]] std::vector<std::size_t> named_blobs(std::string_view record, const std::vector<FolderFile>& blobs);

// `now`: seconds since 1970.
[[nodiscard]] ServerGarbage choose_server_garbage(const ServerContents& contents, std::uint64_t max_bytes, double grace_seconds,
                                                  double now);

}  // namespace satdl
