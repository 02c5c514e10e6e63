// All the stage descriptions that a run knows, read from the manifests next to the stage libraries; no code of
// theirs is loaded.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/catalog/manifest.h"
#include "pipeline/os/file_system.h"
#include "pipeline/stage.h"

namespace satdl {

struct CatalogEntry {
    StageDescription description;
    std::filesystem::path library;  // "": the kind is the engine's own
    std::vector<std::pair<std::string, std::string>> numerics{};  // only where the stage is numeric
    bool finds_gpus = false;  // as its library does
    // Of the library and of its manifest when the catalogue was made: no others may run.
    std::optional<FileStamp> identity{}, manifest_identity{};
    Digest library_digest{};              // of the library that the manifest describes: no other may run
};

class Catalog {
public:
    // Throws Error{Usage} where two libraries have one kind, naming both.
    void add(LibraryManifest manifest);
    [[nodiscard]] const CatalogEntry* find(std::string_view kind) const;
    [[nodiscard]] std::vector<std::string> kinds() const;  // sorted

private:
    std::map<std::string, std::shared_ptr<const CatalogEntry>, std::less<>> entries_;
};

// The built-in library's manifest beside the program, then those of `extra` (paths of .so files or of their manifests, from
// --stages or $SATDL_STAGES, separated by ':').
[[nodiscard]] Catalog load_catalog(const std::filesystem::path& program_folder, const std::vector<std::string>& extra);

}  // namespace satdl
