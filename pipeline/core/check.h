// Mistakes of the program itself abort, with the place in its source: they never become a message that a user could take for
// their own fault (error.h). Checked in every build: a wrong artifact costs more than the branch.
#pragma once

#include <string>

namespace satdl {

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& message);

}  // namespace satdl

// An invariant of the program: not for anything that a user, a disk or another program can cause.
#define SATDL_CHECK(condition, message) \
    (static_cast<bool>(condition) ? void(0) : ::satdl::check_failed(__FILE__, __LINE__, #condition, (message)))
