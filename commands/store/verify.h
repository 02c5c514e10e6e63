// `satdl cache verify`.
#pragma once

#include "commands/shared/command.h"

namespace satdl {

void add_verify_command(CLI::App& cache, Work& work);

}  // namespace satdl
