// The command line: commands, their options and arguments.
//
// CLI11 does the work, and command_line.cpp is the only file that includes it: its code is generated again in every file that does, which
// was 3.6 MB of objects and a third of the time that satdl took to compile (docs/building.md). Names of methods are CLI11's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/core/error.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace satdl {

// What a command does. The program turns an Error into a message and an exit code.
using Work = std::function<ExitCode()>;

// Settings of an option that has just been added, as in
//
//   command.add_option("--store", options.store, "the folder of artifacts").envname("SATDL_STORE").show_default();
class Option {
public:
    explicit Option(CLI::Option& option) : option_(&option) {}

    Option& required();
    Option& type_name(const char* name);     // of the value, in --help
    Option& envname(const char* variable);   // the environment variable that is used if the command line lacks the option
    Option& show_default();                  // the variable's present value, in --help
    Option& delimiter(char between);         // of several values in one text
    Option& hidden();                        // not in --help
    Option& one_of(std::vector<std::string> values);
    Option& in_range(int min, int max);      // both inclusive
    Option& in_range(double min, double max);
    Option& in_range(std::uint64_t min, std::uint64_t max);
    Option& not_negative();

private:
    CLI::Option* option_;
};

// Of commands that the user did not choose: they are needed for an error's advice alone, and take a tenth of a short run.
struct UnchosenOptions {
    std::string chosen;  // the first argument
    std::vector<std::function<void()>> definitions;
};

// A command, or the whole program. `names` as CLI11 reads them: "-n,--dry-run" is an option, "dag" a positional argument. The variables must
// outlive the parsing of the command line.
class Command {
public:
    // `unchosen`: where the options of commands go that were not chosen; null: this one was.
    Command(CLI::App& app, Work& chosen, UnchosenOptions* unchosen) : app_(&app), chosen_(&chosen), unchosen_(unchosen) {}

    Option add_flag(const char* names, bool& value, const char* help);
    // A text that is not empty.
    Option add_option(const char* names, std::string& value, const char* help);
    // An option may be repeated and takes one value each time; an argument takes all that follow.
    Option add_option(const char* names, std::vector<std::string>& values, const char* help);
    // Likewise, each value handed to `take` while the command line is parsed. It may throw Error.
    Option add_option(const char* names, std::function<void(const std::string&)> take, const char* help);
    Option add_option(const char* names, int& value, const char* help);
    Option add_option(const char* names, std::int64_t& value, const char* help);
    Option add_option(const char* names, std::uint64_t& value, const char* help);
    Option add_option(const char* names, double& value, const char* help);
    Option add_size(const char* names, std::uint64_t& bytes, const char* help);  // "8GB"; k is 1024
    Option add_duration(const char* names, double& seconds, const char* help);   // "90s", "30min", "12h", "7d"

    // A command below this one that does nothing itself: one of its own commands must be chosen.
    Command add_group(const char* name, const char* help, const char* footer);

    // A command below this one. `define` adds its options; `run` gets them if the user chooses the command. `footer`: examples, at the end of
    // its --help. Without `help` it is for satdl itself, and --help does not list it.
    template <typename Options, typename Run>
    void add_command(const char* name, const char* help, const char* footer, void (*define)(Command&, Options&), Run run) {
        const auto options = std::make_shared<Options>();
        Command command = add(name, help, footer);
        command.on_chosen([options, run] { return run(*options); });
        if (unchosen_ == nullptr || unchosen_->chosen == name) define(command, *options);
        else unchosen_->definitions.push_back([command, options, define]() mutable { define(command, *options); });
    }

private:
    Command add(const char* name, const char* help, const char* footer);
    void on_chosen(Work work);

    CLI::App* app_;
    Work* chosen_;
    UnchosenOptions* unchosen_;
};

class CommandLine {
public:
    // `arguments`: without the program's name.
    CommandLine(const char* name, const char* description, const char* footer, std::vector<std::string> arguments);
    ~CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    void set_version_flag(std::function<std::string()> text, const char* help);
    [[nodiscard]] Command program() { return {*app_, chosen_, &unchosen_}; }

    // Runs the command that the arguments choose, or prints the help or the version that they ask for.
    // Says on stderr what is wrong with them. Throws Error{Usage} for an unknown command or option (did you mean), and what the command
    // throws.
    [[nodiscard]] ExitCode run();

private:
    const std::unique_ptr<CLI::App> app_;
    const std::vector<std::string> arguments_;
    Work chosen_;
    UnchosenOptions unchosen_;
};

}  // namespace satdl
