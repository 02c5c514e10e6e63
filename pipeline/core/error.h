// What goes wrong on the user's side, and where.
//
// A user's mistake is reported with its place in the YAML: `file:line:col`, the line itself, a caret and what to do.
// All mistakes of a file are collected (Diagnostics) and reported together. Mistakes of the program itself abort
// (SATDL_CHECK): they are never turned into a message that a user could take for their own fault.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/core/check.h"
#include "pipeline/core/suggest.h"
#include "pipeline/core/utf8.h"

namespace satdl {

// The text that a user wrote, retained so that an error can show the line.
struct SourceText {
    std::string name;  // as the user named it: a path, or "--set"
    std::string text;

    // Line `number`, counted from 1, without its end; empty if absent.
    [[nodiscard]] std::string_view line(int number) const;
};

// A place in a SourceText; line and column count from 1 (columns in bytes). A default Place is nowhere.
struct Place {
    std::shared_ptr<const SourceText> source;
    int line = 0;
    int column = 0;
    std::shared_ptr<const Place> origin{};  // the definition that a `${...}` at this place takes its value from, if there is one

    explicit operator bool() const { return source != nullptr; }
    [[nodiscard]] std::string text() const;  // "dags/full.yaml:12:5", or "" for nowhere
};

struct Diagnostic {
    Place place;
    std::string message;  // one sentence, lower case, no full stop
    std::string hint;     // what to do; may be empty, may hold several lines
};

// "file:line:col: error: message" (without a place: the message alone), the line, a caret, and the hint. Control characters
// in any of it are escaped.
[[nodiscard]] std::string render(const Diagnostic& diagnostic);

// Which of satdl's exit codes an error ends in.
enum class ExitCode {
    Done = 0,
    StageFailed = 1,
    Usage = 2,  // the command line or the YAML
    Store = 3,  // the store or a dataset is bad
    HungUp = 129,       // by SIGHUP
    Interrupted = 130,  // by SIGINT
    Terminated = 143,   // by SIGTERM
};

// An error for a person to read: what() is the whole rendered text.
class Error : public std::runtime_error {
public:
    Error(ExitCode code, std::string message, std::string hint = {});
    Error(ExitCode code, std::vector<Diagnostic> diagnostics);

    [[nodiscard]] ExitCode code() const { return code_; }
    [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

private:
    ExitCode code_;
    std::vector<Diagnostic> diagnostics_;
};

// Throws Error{Usage} with this one mistake.
[[noreturn]] void refuse(Place place, std::string message, std::string hint = {});

// Collects a file's mistakes so that they are reported together, in the order of their places.
class Diagnostics {
public:
    void add(Place place, std::string message, std::string hint = {});
    [[nodiscard]] bool empty() const { return found_.empty(); }
    [[nodiscard]] const std::vector<Diagnostic>& found() const { return found_; }
    // Throws Error{Usage} with everything found, if anything was: sorted by place, without duplicates. Diagnostics about one
    // scalar (Place::origin) are one mistake, wherever it is used: only the first is reported.
    void throw_if_any() const;

private:
    std::vector<Diagnostic> found_;
};

inline constexpr const char* kNoMemory = "out of memory";

// What a library's exception means to a person: kNoMemory for std::bad_alloc; else its own text, without the C++ stack that LibTorch
// appends for its developers.
[[nodiscard]] std::string describe(const std::exception& error);

// The first line of an error's text.
[[nodiscard]] std::string_view first_line(std::string_view text);
// All lines of an error's text, printable, joined with "; ".
[[nodiscard]] std::string in_one_line(std::string_view text);

}  // namespace satdl
