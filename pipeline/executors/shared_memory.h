// Unnamed files in memory (memfd_create(2)), as which this process and its workers share arrays and flags.
#pragma once

#include "pipeline/core/error.h"
#include "pipeline/core/unique_fd.h"

namespace satdl {

[[nodiscard]] UniqueFd new_shared_memory();  // empty; throws Error{Store}

// That `call` failed on such a file, with errno and what to do about it.
[[nodiscard]] Error no_shared_memory(const char* call);

}  // namespace satdl
