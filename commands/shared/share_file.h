// A part of a store as one tar file, to be taken to another machine: artifacts, and the records of the runs that made them.
//
//   share.json                what is in the file:
//   {"satdl_share":1,"artifacts":[{"key":...,"bytes":...}],"runs":[{"run":...,"bytes":...}]} objects/ab/<key>.h5       as in
//   the store runs/<id>/events.jsonl    likewise
//
// What a tar file says is not believed. An entry must be one that share.json lists, a plain file of that size, and come
// once; an artifact's bytes must match its digests, and its recipe its key; each line of a record its check. Nothing gets
// its place in the store before all of the file has been checked, and nothing that is there is replaced.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "pipeline/core/digest.h"
#include "pipeline/store/open_store.h"

namespace satdl {

struct Share {
    std::set<Digest> artifacts;
    std::set<std::string> runs;  // ids
};

// A pure function of what the store has of `share`. Throws DamagedArtifact, Error{Usage} if an artifact is gone, FileError.
void write_share(const std::filesystem::path& path, OpenStore& open, const Share& share);

struct ImportedShare {
    std::size_t artifacts = 0, new_artifacts = 0;
    std::size_t runs = 0, new_runs = 0;
    std::uint64_t bytes = 0;     // of the artifacts
    std::set<std::string> dags;  // names, of the runs' records
};

// Into the store of this folder, which is created if absent, unless the file does not even begin as such a file does. Throws
// Error{Store} naming the file, and what in it is wrong; then the store has what it had.
[[nodiscard]] ImportedShare import_share(const std::filesystem::path& path, const std::filesystem::path& store);

// Whether the file begins as a tar file does: for who looks at several formats.
[[nodiscard]] bool looks_like_tar(const std::filesystem::path& path);

}  // namespace satdl
