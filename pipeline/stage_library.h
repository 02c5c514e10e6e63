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

// Safe from any thread.
class StageLibraries {
public:
    // The function of a stage. Throws Error{Store}: the library cannot be loaded, was built for another ABI, lacks the stage,
    // or describes it otherwise than its manifest does (rebuild it).
    [[nodiscard]] StageFunction function(const CatalogEntry& stage);

private:
    struct Loaded;
    std::mutex mutex_;
    std::map<std::filesystem::path, std::shared_ptr<Loaded>> loaded_;  // guarded by mutex_
};

}  // namespace satdl
