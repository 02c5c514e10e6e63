// What a stage library says of itself, as JSON beside it: `libNAME_stages.so` and `libNAME_stages.json`. Planning reads the
// manifest; no code of the library is loaded for that. The manifest has the SHA-256 of the library's file: before code of a library runs,
// an equal digest shows that it is the very file that was described, its ABI included (library_check.h).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/core/digest.h"
#include "pipeline/os/file_system.h"
#include "pipeline/stage.h"

namespace satdl {

// What a manifest says of one library: `libNAME_stages.so` and `libNAME_stages.json` are in one folder.
struct LibraryManifest {
    std::filesystem::path library{};  // the shared library
    Digest library_digest{};          // SHA-256 of its file
    std::string name{};
    std::vector<std::pair<std::string, std::string>> numerics{};
    bool finds_gpus = false;  // it has a StageLibraryInfo::find_gpu
    std::vector<StageDescription> stages{};
    std::optional<FileStamp> identity{};           // of the library when the manifest was read, if it existed
    std::optional<FileStamp> manifest_identity{};  // of the file that this was read from
};

// The manifest next to a library: libNAME_stages.json for libNAME_stages.so.
[[nodiscard]] std::filesystem::path manifest_of(std::filesystem::path library);

// JSON <-> manifest. `library`: SHA-256 of the library's file. Reading throws Error{Store} naming the file and what is wrong in it.
[[nodiscard]] std::string manifest_json(const StageLibraryInfo& info, const Digest& library);
[[nodiscard]] LibraryManifest read_manifest(const std::filesystem::path& json_file);
[[nodiscard]] LibraryManifest parse_manifest(const std::string& json_text, const std::filesystem::path& json_file);

}  // namespace satdl
