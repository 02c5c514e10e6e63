// Which build of the program runs.
#pragma once

#include <string>

namespace satdl {

// What the linker made of the program's bytes (its note NT_GNU_BUILD_ID): another build has another. "" if the program has
// none.
[[nodiscard]] std::string program_build_id();

}  // namespace satdl
