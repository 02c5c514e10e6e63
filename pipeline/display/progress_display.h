// Progress for people: bars on a terminal, plain lines elsewhere. Control characters in names and messages are never
// written: the bars write only their own, plain lines write none.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "pipeline/run/clock.h"
#include "pipeline/run/observer.h"

namespace satdl {

// The terminal as an interface: the real one, or a fake in tests.
struct Screen {
    std::function<void(std::string_view)> write;  // one piece at a time; must not throw
    std::function<void(std::string_view)> warn;   // one line that belongs elsewhere (stderr), perhaps on the same terminal
    struct Size {
        int columns = 80, rows = 24;
    };
    std::function<Size()> size;
    Clock& clock;
    bool colour = false;
    bool verbose = false;        // also shows which stages start, their debug messages, and reused stages
    double tick_seconds = 0.25;  // redraws this often, on its own thread; 0: only on events
};

// One line per running stage and one for the whole run, redrawn in place at most every 0.05 s; above them a permanent line
// per finished stage. The cursor is always below the block, so that a program that dies leaves a clean prompt.
[[nodiscard]] std::unique_ptr<Observer> progress_bars(Screen screen);

// One line per epoch, and one every 30 s for a stage without epochs.
[[nodiscard]] std::unique_ptr<Observer> plain_lines(Screen screen);

// Whether `descriptor` is a terminal that can redraw (TERM is not "dumb" or unset).
[[nodiscard]] bool can_redraw(int descriptor);
[[nodiscard]] bool wants_colour();  // no NO_COLOR
[[nodiscard]] Screen::Size terminal_size(int descriptor);
// Of the terminal on stdout; nullopt if stdout is none, where a program reads whole lines.
[[nodiscard]] std::optional<int> stdout_columns();

}  // namespace satdl
