// A remote that is a folder: on a network file system, say, which all of a team mount.
//
//   FOLDER/ac/<key>        records
//   FOLDER/cas/<SHA-256>   artifacts
//   FOLDER/tmp/            being written
//
// A file is written to tmp/, made durable and given its name, which must not exist yet: never renamed over another, since a reader on
// another host would then find its open file gone (ESTALE). Files are read into the store, not mapped: one that is removed or cut under a
// mapping on a network file system ends the process that reads it.
//
// No index and no lock lies there: SQLite and flock do not reach over every network file system, and names suffice. NFS may show a file
// that another host made only when its own memory of the folder expires (up to a minute): then a stage is computed twice, and the first
// stays.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "pipeline/os/file_system.h"
#include "pipeline/remote/transport.h"

namespace satdl {

// `files`: borrowed. `is_stopped`: then what is under way ends soon.
[[nodiscard]] std::unique_ptr<Transport> folder_transport(const std::filesystem::path& folder, FileSystem& files,
                                                          std::function<bool()> is_stopped);

// Whether nobody but this user (and root) can write into the folder or into ac/ and cas/ in it: then what is there is theirs.
[[nodiscard]] bool is_own_folder(const std::filesystem::path& folder);

}  // namespace satdl
