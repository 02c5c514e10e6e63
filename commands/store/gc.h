// satdl cache gc: removes unreferenced artifacts.
#pragma once

namespace satdl {

class Command;

// Adds `gc` to the command `cache`.
void add_gc_command(Command& cache);

}  // namespace satdl
