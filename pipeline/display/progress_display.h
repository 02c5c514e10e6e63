// Progress for people: bars on a terminal, plain lines elsewhere. Neither can be made to write a control character by a name
// or a message; the bars' own are the only ones, and plain lines have none.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "pipeline/run/clock.h"
#include "pipeline/run/observer.h"

namespace satdl {

// Where progress is shown, as an interface: the real terminal, or a test's.
struct Screen {
    std::function<void(std::string_view)> write;  // one piece at a time; must not throw
    std::function<void(std::string_view)> warn;   // one line that belongs elsewhere (stderr), perhaps on the same terminal
    struct Size {
        int columns = 80, rows = 24;
    };
    std::function<Size()> size;
    Clock& clock;
    bool colour = false;
    bool verbose = false;        // also says which stages start, what they log for debugging, what is reused
    double tick_seconds = 0.25;  // redraws this often on a thread of its own; 0: only when something happens
};

// One line a running stage and one for the whole run, redrawn in place at most every 0.05 s; a line for good above them
// where a stage has finished. The cursor always stands below the block, so that a program that dies leaves a clean prompt.
[[nodiscard]] std::unique_ptr<Observer> progress_bars(Screen screen);

// One whole line an epoch, and one every 30 s of a stage that has none.
[[nodiscard]] std::unique_ptr<Observer> plain_lines(Screen screen);

// Whether `descriptor` is a terminal that can redraw (TERM is not "dumb" or unset).
[[nodiscard]] bool can_redraw(int descriptor);
[[nodiscard]] bool wants_colour();  // no NO_COLOR
[[nodiscard]] Screen::Size terminal_size(int descriptor);

}  // namespace satdl
