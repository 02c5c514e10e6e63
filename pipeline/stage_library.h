// The code of stages: loaded when the first stage of a library must run.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "pipeline/catalog.h"
#include "pipeline/dynamic_library.h"

namespace satdl {

// What a shared library says of itself. Throws Error{Store} naming the file where it is no stage library, or was built for
// another ABI; then nothing of it has been called.
[[nodiscard]] const StageLibraryInfo& stage_library_info(const DynamicLibrary& library);

// Safe from any thread.
class StageLibraries {
public:
    // The function of a stage. Throws Error{Store}: the library cannot be loaded, was built for another ABI, lacks the stage,
    // or is another one than its manifest describes (rebuild it): then the keys that were planned would not be true.
    [[nodiscard]] StageFunction function(const CatalogEntry& stage);
    // The GPU that the stage's library finds, or why there is none. Loads the library only if it can be asked; throws as above.
    [[nodiscard]] GpuAnswer find_gpu(const CatalogEntry& stage);

private:
    struct Loaded;
    [[nodiscard]] const StageLibraryInfo& info_of(const CatalogEntry& stage);  // loaded; precondition: mutex_ is held

    std::mutex mutex_;
    std::map<std::filesystem::path, std::shared_ptr<Loaded>> loaded_;  // guarded by mutex_
};

}  // namespace satdl
