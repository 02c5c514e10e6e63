// satdl cache gc: artifacts that nothing refers to any more.
#pragma once

namespace satdl {

class Command;

// Adds `gc` to the command `cache`.
void add_gc_command(Command& cache);

}  // namespace satdl
