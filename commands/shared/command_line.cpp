#include "commands/shared/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <sstream>

#include "commands/shared/warnings.h"
#include "pipeline/core/suggest.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

// CLI11 would only say that a subcommand is missing.
void check_command(const CLI::App& program, const std::vector<std::string>& arguments) {
    if (arguments.empty() || arguments.front().starts_with('-')) return;
    std::vector<std::string> names;
    for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; })) names.push_back(command->get_name());
    const std::string& wanted = arguments.front();
    if (std::ranges::find(names, wanted) != names.end()) return;
    const bool is_file = wanted.ends_with(".yaml") || wanted.ends_with(".yml");
    throw Error(ExitCode::Usage, fmt::format("there is no command '{}'", printable(wanted)),
                is_file ? "`satdl run FILE` runs a DAG file" : did_you_mean(wanted, names));
}

constexpr int kHelpWidth = 80;
constexpr std::size_t kFewCommands = 3;  // an option of more of them says little

// As wide as the terminal, but at most kHelpWidth columns.
class HelpFormatter : public CLI::Formatter {
public:
    HelpFormatter() : width_(std::min(stdout_columns().value_or(kHelpWidth), kHelpWidth)) {
        column_width(static_cast<std::size_t>(width_ * 3 / 8));  // 30 of 80, as CLI11 has it
    }

private:
    std::string make_option_desc(const CLI::Option* option) const override { return beside_names(option->get_description()); }
    std::string make_subcommand(const CLI::App* command) const override {
        std::ostringstream text;
        CLI::detail::format_help(text, command->get_display_name(true), beside_names(command->get_description()), get_column_width());
        return text.str();
    }
    std::string make_description(const CLI::App* command) const override { return filled(Formatter::make_description(command)); }
    std::string make_footer(const CLI::App* command) const override { return filled(Formatter::make_footer(command)); }

    [[nodiscard]] std::string beside_names(const std::string& text) const {
        return wrapped(text, width_ - static_cast<int>(get_column_width()));
    }
    // Paragraphs are filled; the continuation lines of examples, which are indented, are indented further.
    [[nodiscard]] std::string filled(const std::string& text) const {
        std::istringstream lines(text);
        std::string all;
        for (std::string line; std::getline(lines, line);) all += wrapped(line, width_, line.starts_with(' ') ? 6 : 0) + '\n';
        return all;
    }

    const int width_;
};

const CLI::App& chosen_command(const CLI::App& program) {
    const auto commands = program.get_subcommands();
    return commands.empty() ? program : chosen_command(*commands.front());
}

// "dry-run", "n"; of what --help lists.
std::vector<std::string> option_names(const CLI::App& command) {
    std::vector<std::string> names;
    for (const CLI::Option* option : command.get_options()) {
        if (option->get_group().empty()) continue;
        names.insert(names.end(), option->get_lnames().begin(), option->get_lnames().end());
    }
    return names;
}

// "satdl run", "satdl cache gc": the commands below `command` that have this option.
std::vector<std::string> commands_with(const std::string& option, const CLI::App& command, const std::string& path) {
    std::vector<std::string> found;
    for (const CLI::App* one : command.get_subcommands([](const CLI::App*) { return true; })) {
        const std::string name = path + ' ' + one->get_name();
        const std::vector<std::string> options = option_names(*one);
        if (std::ranges::find(options, option) != options.end()) found.push_back(name);
        std::ranges::move(commands_with(option, *one, name), std::back_inserter(found));
    }
    return found;
}

// What to write instead of `option`, which the command does not have; `next`: the argument behind it, or "".
std::string advice_on(std::string_view option, std::string_view next, const CLI::App& program) {
    const CLI::App& command = chosen_command(program);
    const std::vector<std::string> known = option_names(command);
    const std::string_view dashless = option.substr(std::min(option.find_first_not_of('-'), option.size()));
    const std::string name(dashless.substr(0, dashless.find('=')));
    const bool is_short = !option.starts_with("--");
    std::vector<std::string> alike;
    std::ranges::copy_if(known, std::back_inserter(alike), [&](const std::string& one) { return !name.empty() && one.starts_with(name); });
    if (!alike.empty()) return fmt::format("did you mean '--{}'?", fmt::join(alike, "' or '--"));
    if (const auto others = commands_with(name, program, program.get_name()); !others.empty() && others.size() <= kFewCommands)
        return fmt::format("that is an option of `{}`", fmt::join(others, "` and `"));
    if (const auto near = nearest(name, known)) return fmt::format("did you mean '--{}'?", printable(*near));
    const bool takes_parameters = std::ranges::find(known, "set") != known.end();
    if (!takes_parameters || is_short) return fmt::format("known: --{}", fmt::join(known, ", --"));
    std::string_view value = "VALUE";
    if (name.size() < dashless.size()) value = dashless.substr(name.size() + 1);
    else if (!next.empty() && !next.starts_with('-')) value = next;
    return fmt::format("a parameter of the DAG is set as {0}={1}, one of a stage as STAGE.{0}={1}", printable(name), printable(value));
}

// After a failed parse; CLI11 would only list what it did not expect.
void check_options(const CLI::App& program, const std::vector<std::string>& arguments) {
    const std::vector<std::string> unexpected = program.remaining(true);
    const auto option = std::ranges::find_if(unexpected, [](const std::string& one) { return one.size() > 1 && one.starts_with('-'); });
    if (option == unexpected.end()) return;
    const auto at = std::ranges::find(arguments, *option);
    const std::string next = at != arguments.end() && at + 1 != arguments.end() ? *(at + 1) : "";
    throw Error(ExitCode::Usage, fmt::format("there is no option '{}'", printable(option->substr(0, option->find('=')))),
                advice_on(*option, next, program));
}

// CLI11 would take an argument in brackets apart as a list, '[noise=0,seed=1]' into two. A mark behind it, which no argument has,
// prevents that.
constexpr char kMark = '\x01';

std::string marked(std::string argument) {
    if (argument.starts_with('[') && argument.ends_with(']')) argument += kMark;
    return argument;
}

std::string without_mark(std::string value) {
    if (value.ends_with(kMark)) value.pop_back();
    return value;
}

std::string refuse_empty(const std::string& value) { return value.empty() ? "the value must not be empty" : ""; }

}  // namespace

Option& Option::required() {
    option_->required();
    return *this;
}

Option& Option::type_name(const char* name) {
    option_->type_name(name);
    return *this;
}

Option& Option::envname(const char* variable) {
    option_->envname(variable);
    return *this;
}

Option& Option::show_default() {
    option_->capture_default_str();
    return *this;
}

Option& Option::delimiter(char between) {
    option_->delimiter(between);
    return *this;
}

Option& Option::hidden() {
    option_->group("");
    return *this;
}

Option& Option::one_of(std::vector<std::string> values) {
    option_->check(CLI::IsMember(std::move(values)));
    return *this;
}

Option& Option::in_range(int min, int max) {
    option_->check(CLI::Range(min, max));
    return *this;
}

Option& Option::in_range(double min, double max) {
    option_->check(CLI::Range(min, max));
    return *this;
}

Option& Option::in_range(std::uint64_t min, std::uint64_t max) {
    option_->check(CLI::Range(min, max));
    return *this;
}

Option& Option::not_negative() {
    option_->check(CLI::NonNegativeNumber);
    return *this;
}

Option Command::add_flag(const char* names, bool& value, const char* help) { return Option(*app_->add_flag(names, value, help)); }

Option Command::add_option(const char* names, std::string& value, const char* help) {
    return Option(*app_->add_option(names, value, help)->check(refuse_empty)->transform(without_mark));
}

Option Command::add_option(const char* names, std::vector<std::string>& values, const char* help) {
    CLI::Option& option = *app_->add_option(names, values, help)->check(refuse_empty)->transform(without_mark);
    if (!option.get_positional()) option.allow_extra_args(false);
    return Option(option);
}

Option Command::add_option(const char* names, std::function<void(const std::string&)> take, const char* help) {
    const auto take_all = [take = std::move(take)](const std::vector<std::string>& values) {
        for (const std::string& value : values) take(without_mark(value));
    };
    return Option(*app_->add_option_function<std::vector<std::string>>(names, take_all, help)->allow_extra_args(false));
}

Option Command::add_option(const char* names, int& value, const char* help) { return Option(*app_->add_option(names, value, help)); }

Option Command::add_option(const char* names, std::int64_t& value, const char* help) {
    return Option(*app_->add_option(names, value, help));
}

Option Command::add_option(const char* names, std::uint64_t& value, const char* help) {
    return Option(*app_->add_option(names, value, help));
}

Option Command::add_option(const char* names, double& value, const char* help) { return Option(*app_->add_option(names, value, help)); }

Option Command::add_size(const char* names, std::uint64_t& bytes, const char* help) {
    return Option(*app_->add_option(names, bytes, help)->transform(CLI::AsSizeValue(false)));
}

Option Command::add_duration(const char* names, double& seconds, const char* help) {
    const std::map<std::string, double> units{{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    return Option(*app_->add_option(names, seconds, help)
                       ->type_name("DURATION")
                       ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_REQUIRED).description(""))
                       ->check(CLI::NonNegativeNumber));
}

Command Command::add_group(const char* name, const char* help, const char* footer) {
    Command group = add(name, help, footer);
    group.app_->require_subcommand(1);
    if (unchosen_ != nullptr && unchosen_->chosen != name) group.unchosen_ = unchosen_;
    return group;
}

Command Command::add(const char* name, const char* help, const char* footer) {
    CLI::App& command = *app_->add_subcommand(name, help);
    if (*help == '\0') command.group("");  // for satdl itself: not in --help
    if (footer != nullptr) command.footer(footer);
    return {command, *chosen_, nullptr};
}

void Command::on_chosen(Work work) {
    app_->callback([work = std::move(work), chosen = chosen_] { *chosen = work; });
}

CommandLine::CommandLine(const char* name, const char* description, const char* footer, std::vector<std::string> arguments)
    : app_(std::make_unique<CLI::App>(description, name)),
      arguments_(std::move(arguments)),
      unchosen_{arguments_.empty() ? "" : arguments_.front(), {}} {
    app_->require_subcommand(1);
    app_->footer(footer);
    app_->formatter(std::make_shared<HelpFormatter>());
}

CommandLine::~CommandLine() = default;

void CommandLine::set_version_flag(std::function<std::string()> text, const char* help) {
    app_->set_version_flag("--version", std::move(text), help);
}

ExitCode CommandLine::run() {
    check_command(*app_, arguments_);
    std::vector<std::string> arguments = arguments_;
    for (std::string& argument : arguments) argument = marked(std::move(argument));
    try {
        app_->parse(std::vector(arguments.rbegin(), arguments.rend()));  // CLI11 expects them in reverse
    } catch (const CLI::Success& success) {  // --help, --version
        app_->exit(success);
        return ExitCode::Done;
    } catch (const CLI::ParseError& error) {
        for (const auto& define : unchosen_.definitions) define();
        check_options(*app_, arguments_);
        print_on_stderr(
            fmt::format("satdl: {}\n`satdl --help` and `satdl COMMAND --help` list the available options", printable(error.what())));
        return ExitCode::Usage;
    }
    return chosen_();
}

}  // namespace satdl
