// A smoke run (`satdl run --smoke`): every stage in little, in the memory of this process; the store is not even opened.
#pragma once

#include "commands/run/run_options.h"

namespace satdl {

[[nodiscard]] ExitCode run_smoke(const RunOptions& options);

}  // namespace satdl
