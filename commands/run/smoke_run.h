// A smoke run (`satdl run --smoke`): every stage on a few samples, in memory; the store is not opened.
#pragma once

#include "commands/run/run_options.h"

namespace satdl {

[[nodiscard]] ExitCode run_smoke(const RunOptions& options);

}  // namespace satdl
