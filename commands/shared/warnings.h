// Warnings, on stderr, so that they are never among a command's output: `satdl: warning: TEXT`.
#pragma once

#include <string_view>

#include "pipeline/run/observer.h"

namespace satdl {

// On stderr, with a line feed. Never throws, as fmt::print does, and never ends the program by SIGPIPE: the reader of stderr may be gone.
void print_on_stderr(std::string_view text);

// On one line and printable; "warning" is coloured on a terminal, unless NO_COLOR is set.
void print_warning(std::string_view text);

// Before a plan is carried out: if a stage will run, names the user's environment variables that stages do not get.
void warn_of_ignored_variables(const Plan& plan, const Machine& machine);

// Prints the warnings of a run, and ignores everything else.
class WarningPrinter : public Observer {
public:
    void warning(const std::string& text) override { print_warning(text); }
};

}  // namespace satdl
