// satdl cache gc: artifacts that nothing refers to any more.
#pragma once

#include "commands/shared/command.h"

namespace satdl {

// Adds `gc` to the command `cache`.
void add_gc_command(CLI::App& cache, Work& work);

}  // namespace satdl
