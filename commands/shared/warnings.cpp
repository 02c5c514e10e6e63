#include "commands/shared/warnings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>

#include "pipeline/core/error.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/executors/stage_environment.h"

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

void warn_of_ignored_variables(const Plan& plan, const Machine& machine) {
    if (std::ranges::none_of(plan.nodes, may_run, &PlannedNode::action)) return;
    const bool on_gpu = std::ranges::any_of(machine.gpus, [](const auto& library) { return std::holds_alternative<Gpu>(library.second); });
    const std::vector<std::string> ignored = ignored_variables(on_gpu);
    if (ignored.empty()) return;
    const bool is_one = ignored.size() == 1;
    print_warning(fmt::format("the environment's {} {} ignored: {} would change results or take threads from stages (docs/engine.md)",
                              fmt::join(ignored, ", "), is_one ? "is" : "are", is_one ? "it" : "they"));
}

}  // namespace satdl
