// While it lives, the arrays of a run that are too large for its memory lie in files of its store.
#pragma once

#include "pipeline/catalog/library_loader.h"
#include "pipeline/os/large_arrays.h"
#include "pipeline/run/admission.h"
#include "pipeline/store/layout.h"

namespace satdl {

class LargeArraysInUse {
public:
    // `store`: its folder. `libraries` outlives it.
    LargeArraysInUse(const std::filesystem::path& store, const Limits& limits, StageLibraries& libraries)
        : arrays_(store / store_layout::kStaging, limits.memory_bytes), libraries_(libraries) {
        use(&arrays_);
    }
    ~LargeArraysInUse() { use(nullptr); }
    LargeArraysInUse(const LargeArraysInUse&) = delete;
    LargeArraysInUse& operator=(const LargeArraysInUse&) = delete;

private:
    void use(ArrayMemory* memory) {
        use_array_memory(memory);
        libraries_.use_array_memory(memory);
    }

    LargeArrays arrays_;
    StageLibraries& libraries_;
};

}  // namespace satdl
