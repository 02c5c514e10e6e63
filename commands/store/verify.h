// `satdl cache verify`.
#pragma once

namespace satdl {

class Command;

void add_verify_command(Command& cache);

}  // namespace satdl
