// Whether what a plan will write fits on the disk: checked before the first stage starts, not after an epoch.
//
// Only what is certain to be written counts: the outputs of stages that run, and of those below them that never ran before, as
// far as shapes are known. A stage that may yet turn out unchanged does not count: a run that fits is never refused.
#pragma once

#include <cstdint>
#include <filesystem>

#include "pipeline/plan/plan.h"

namespace satdl {

[[nodiscard]] std::uint64_t bytes_to_write(const Dag& dag, const Plan& plan, CacheView& cache);

// Throws Error{Store} that names the bytes that are missing.
void check_disk_space(std::uint64_t bytes, const std::filesystem::path& store_folder, FileSystem& files);

}  // namespace satdl
