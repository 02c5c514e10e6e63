// Warnings, on stderr, so that they are never among a command's output: `satdl: warning: TEXT`.
#pragma once

#include <string_view>

#include "pipeline/run/observer.h"

namespace satdl {

// On one line and printable; "warning" is coloured on a terminal, unless NO_COLOR is set.
void print_warning(std::string_view text);

// Prints the warnings of a run, and ignores everything else.
class WarningPrinter : public Observer {
public:
    void warning(const std::string& text) override { print_warning(text); }
};

}  // namespace satdl
