#include "commands/shared/run_display.h"

#include <unistd.h>

#include <cstdio>

#include "commands/shared/warnings.h"
#include "pipeline/display/progress_display.h"

namespace satdl {

namespace {

Screen screen_on_stdout(Clock& clock, bool verbose) {
    Screen screen{.write =
                      [](std::string_view text) {
                          print_text(text);
                          std::fflush(stdout);
                      },
                  .warn = print_warning,
                  .size = [] { return terminal_size(STDOUT_FILENO); },
                  .clock = clock};
    screen.colour = can_redraw(STDOUT_FILENO) && wants_colour();
    screen.verbose = verbose;
    return screen;
}

class EventLines final : public JsonEvents {
public:
    explicit EventLines(const RunInfo& info) : JsonEvents(info, [](const std::string& line, bool) { print_line(line); }) {}
    void warning(const std::string& text) override { print_warning(text); }
};

}  // namespace

void print_text(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_line(const std::string& line) {
    print_text(line + '\n');
    std::fflush(stdout);
}

std::unique_ptr<Observer> display_on_stdout(DisplayMode mode, const RunInfo& info, Clock& clock) {
    if (mode == DisplayMode::Events) return std::make_unique<EventLines>(info);
    if (mode == DisplayMode::Nothing) return std::make_unique<WarningPrinter>();
    const Screen screen = screen_on_stdout(clock, mode == DisplayMode::Everything);
    return can_redraw(STDOUT_FILENO) ? progress_bars(screen) : plain_lines(screen);
}

}  // namespace satdl
