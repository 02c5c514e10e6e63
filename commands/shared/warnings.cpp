#include "commands/shared/warnings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "pipeline/core/error.h"
#include "pipeline/display/progress_display.h"

namespace satdl {

void print_on_stderr(std::string_view text) {
    struct sigaction ignored{}, before{};
    ignored.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignored, &before);
    std::fputs((std::string(text) + '\n').c_str(), stderr);
    sigaction(SIGPIPE, &before, nullptr);
}

void print_warning(std::string_view text) {
    const bool colour = can_redraw(STDERR_FILENO) && wants_colour();
    std::fflush(stdout);
    print_on_stderr(fmt::format("satdl: {}: {}", colour ? "\x1b[33m\x1b[1mwarning\x1b[0m" : "warning", printable(text)));
}

}  // namespace satdl
