// The code of stages: loaded when the first stage of a library must run.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "pipeline/catalog/catalog.h"
#include "pipeline/catalog/library_check.h"
#include "pipeline/os/shared_library.h"

namespace satdl {

// What a shared library says of itself. Throws Error{Store} naming the file where it is no stage library, or one of another ABI: then
// nothing in it has been called.
[[nodiscard]] const StageLibraryInfo& stage_library_info(const SharedLibrary& library);

// Safe from any thread.
class StageLibraries {
public:
    // The library's file, which may be loaded; nothing is loaded. What it throws: library_check.h. A library is read once; later calls
    // only check that it is still the same file.
    [[nodiscard]] LibraryFile file(const CatalogEntry& stage);
    // The function of a stage. Throws Error{Store}: as file(); or the library cannot be loaded, or lacks the stage.
    [[nodiscard]] StageFunction function(const CatalogEntry& stage);
    // The GPU that the stage's library finds, or the reason why it finds none. Loads the library only if it can be asked; throws as above.
    [[nodiscard]] GpuAnswer find_gpu(const CatalogEntry& stage);
    // The digest of the library's file, if file() or function() has accepted it.
    [[nodiscard]] std::optional<Digest> digest(const CatalogEntry& stage);
    // Where the arrays of all libraries get their memory from now on; null: see use_array_memory().
    void use_array_memory(ArrayMemory* memory);

private:
    struct Loaded;
    [[nodiscard]] const LibraryFile& checked(const CatalogEntry& stage);       // both: precondition: mutex_ is held
    [[nodiscard]] const StageLibraryInfo& info_of(const CatalogEntry& stage);  // loaded

    std::mutex mutex_;
    // Guarded by mutex_:
    std::map<std::filesystem::path, LibraryFile> checked_;
    std::map<std::filesystem::path, std::shared_ptr<Loaded>> loaded_;
    ArrayMemory* array_memory_ = nullptr;
};

}  // namespace satdl
