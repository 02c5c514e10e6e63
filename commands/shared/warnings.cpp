#include "commands/shared/warnings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "pipeline/core/error.h"
#include "pipeline/display/progress_display.h"

namespace satdl {

void print_warning(std::string_view text) {
    const bool colour = can_redraw(STDERR_FILENO) && wants_colour();
    std::fflush(stdout);
    // Not fmt::print, which throws if nobody reads stderr.
    std::fputs(fmt::format("satdl: {}: {}\n", colour ? "\x1b[33m\x1b[1mwarning\x1b[0m" : "warning", printable(text)).c_str(), stderr);
}

}  // namespace satdl
