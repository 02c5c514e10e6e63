#include "commands/shared/command_line.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

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
    return Option(*app_->add_option(names, value, help));
}

Option Command::add_option(const char* names, std::vector<std::string>& values, const char* help) {
    CLI::Option& option = *app_->add_option(names, values, help);
    if (!option.get_positional()) option.allow_extra_args(false);
    return Option(option);
}

Option Command::add_option(const char* names, std::function<void(const std::string&)> take, const char* help) {
    const auto take_all = [take = std::move(take)](const std::vector<std::string>& values) {
        for (const std::string& value : values) take(value);
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

Command Command::add_group(const char* name, const char* help, const char* footer) {
    Command group = add(name, help, footer);
    group.app_->require_subcommand(1);
    return group;
}

Command Command::add(const char* name, const char* help, const char* footer) {
    CLI::App& command = *app_->add_subcommand(name, help);
    if (footer != nullptr) command.footer(footer);
    return {command, *chosen_};
}

void Command::on_chosen(Work work) {
    app_->callback([work = std::move(work), chosen = chosen_] { *chosen = work; });
}

CommandLine::CommandLine(const char* name, const char* description, const char* footer)
    : app_(std::make_unique<CLI::App>(description, name)) {
    app_->require_subcommand(1);
    app_->footer(footer);
}

CommandLine::~CommandLine() = default;

void CommandLine::set_version_flag(std::function<std::string()> text, const char* help) {
    app_->set_version_flag("--version", std::move(text), help);
}

ExitCode CommandLine::run(std::vector<std::string> arguments) {
    check_command(*app_, arguments);
    std::ranges::reverse(arguments);  // CLI11 expects them in reverse
    try {
        app_->parse(std::move(arguments));
    } catch (const CLI::Success& success) {  // --help, --version
        app_->exit(success);
        return ExitCode::Done;
    } catch (const CLI::ParseError& error) {
        fmt::print(stderr, "satdl: {}\n`satdl --help` and `satdl COMMAND --help` list the available options\n", printable(error.what()));
        return ExitCode::Usage;
    }
    return chosen_();
}

}  // namespace satdl
