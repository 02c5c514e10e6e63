// satdl cache keygen, satdl cache trust: with which key results are signed for a remote, and whose are believed.
#pragma once

#include "commands/shared/command_line.h"

namespace satdl {

void add_remote_key_commands(Command& cache);

}  // namespace satdl
