#include "pipeline/executors/command_access.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "pipeline/core/ascii.h"
#include "pipeline/core/shell_words.h"
#include "pipeline/os/paths.h"
#include "pipeline/os/shared_library.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr int kMostSteps = 16;  // of links and interpreters, from one to the next

constexpr std::array kSystem{"/usr",  "/bin", "/sbin", "/lib",       "/lib32",     "/lib64", "/libx32", "/etc", "/opt",
                             "/proc", "/sys", "/nix/store", "/gnu/store", "/etc/resolv.conf"};  // the last is often a link
constexpr std::array kDevices{"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "dri", "kfd", "dxg", "infiniband"};
constexpr std::array kFoldersOfPrograms{"bin", "sbin", "shims", "condabin"};  // of an installation, which is the folder above

fs::path real(const fs::path& path) {
    std::error_code error;
    fs::path found = fs::weakly_canonical(path, error);
    return error ? path.lexically_normal() : found;
}

bool is_present(const fs::path& path) {
    std::error_code error;
    return fs::exists(path, error);
}

fs::path home() {
    const char* const home = std::getenv("HOME");
    return home != nullptr ? home : "";
}

bool is_of_installation(const fs::path& folder) {
    return std::ranges::find(kFoldersOfPrograms, folder.filename()) != kFoldersOfPrograms.end();
}

std::string line_of(std::ifstream& file) {
    std::string line;
    std::getline(file, line);
    return line;
}

// The words after `#!`; none if it is not a script.
std::vector<std::string> interpreter_of(const fs::path& program) {
    std::ifstream file(program, std::ios::binary);
    std::array<char, 2> begin{};
    if (!file.read(begin.data(), begin.size()) || std::string_view(begin.data(), begin.size()) != "#!") return {};
    return shell_words(line_of(file).substr(0, 256)).value_or(std::vector<std::string>());
}

// The folder of the programs of the installation that a virtual environment was made from: `home = /usr/bin` in its pyvenv.cfg.
fs::path home_of_environment(const fs::path& environment) {
    std::ifstream file(environment / "pyvenv.cfg");
    while (file) {
        const std::string line = line_of(file);
        const std::size_t equals = line.find('=');
        if (!line.starts_with("home") || equals == std::string::npos) continue;
        return std::string(trimmed(std::string_view(line).substr(equals + 1)));
    }
    return {};
}

}  // namespace

bool CommandAccess::Paths::covers(const fs::path& path) const {
    for (fs::path at = path;; at = at.parent_path()) {
        if (all.contains(at)) return true;
        if (!at.has_relative_path()) return false;
    }
}

CommandAccess::CommandAccess(const Node& node, const CommandFolder& folder, const std::vector<std::string>& argv,
                             const std::vector<std::string>& environment)
    : project_(real(node.command->project)) {
    add_system();
    add_programs(argv, environment);
    add_installed(program_folder() / "python");
    add_declared(node);
    writable_.all.insert(real(folder.path()));
}

void CommandAccess::allow_reading_everything() { readable_.all.insert("/"); }

bool CommandAccess::allows(FileUse::Kind kind, const fs::path& path) const {
    if (writable_.covers(path)) return true;
    return (kind == FileUse::Kind::Read || kind == FileUse::Kind::Run) && (installed_.covers(path) || readable_.covers(path));
}

LandlockRules CommandAccess::rules() const {
    LandlockRules rules(LandlockRules::Denies::Files);
    for (const Paths* paths : {&installed_, &readable_})
        for (const fs::path& path : paths->all) (void)rules.allow(path, LandlockRules::Allow::Read);
    for (const fs::path& path : writable_.all) (void)rules.allow(path, LandlockRules::Allow::Write);
    return rules;
}

// Of a folder that holds the project (in /usr/src, in /opt), everything but the project.
void CommandAccess::add_installed(const fs::path& path) {
    const fs::path found = real(path);
    if (found == project_) return;
    if (!is_within(project_, found)) {
        installed_.all.insert(found);
        return;
    }
    std::error_code error;
    for (fs::directory_iterator entry(found, error), end; !error && entry != end; entry.increment(error)) {
        if (!entry->is_symlink(error)) add_installed(entry->path());
    }
}

void CommandAccess::add_system() {
    for (const char* path : kSystem) add_installed(path);
    std::error_code error;
    for (fs::directory_iterator entry("/dev", error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (name.starts_with("nvidia") || std::ranges::find(kDevices, name) != kDevices.end()) writable_.all.insert(real(entry->path()));
    }
}

// All words, since a program may be an argument of another one: `env`, `nice`, `sh -c`.
void CommandAccess::add_programs(const std::vector<std::string>& argv, const std::vector<std::string>& environment) {
    const auto variable = std::ranges::find_if(environment, [](const std::string& one) { return one.starts_with("PATH="); });
    for (std::size_t at = 5; variable != environment.end() && at <= variable->size();) {
        const std::size_t end = std::min(variable->find(':', at), variable->size());
        const fs::path folder = variable->substr(at, end - at);
        if (folder.is_absolute()) path_.push_back(folder);
        at = end + 1;
    }
    for (const fs::path& folder : path_) add_folder_of_programs(folder);
    if (!home().empty()) add_folder_of_programs(home() / ".local/bin");  // packages of Python, whether it is in PATH or not
    std::vector<std::string> words = argv;
    if (argv.front() == "/bin/sh")
        for (const std::string& word : shell_words(argv.back()).value_or(std::vector<std::string>())) words.push_back(word);
    for (const std::string& word : words)
        if (word == words.front() || word.find('/') == std::string::npos) add_program(word, 0);
}

// A program as a shell finds it, and what links and interpreters lead to.
void CommandAccess::add_program(fs::path program, int depth) {
    if (!program.has_parent_path()) {
        const auto folder = std::ranges::find_if(path_, [&](const fs::path& one) { return !program.empty() && is_present(one / program); });
        if (folder == path_.end()) return;
        program = *folder / program;
    }
    if (depth == kMostSteps || !is_present(program)) return;
    const fs::path folder = real(program.parent_path());
    if (is_of_installation(folder)) add_folder_of_programs(folder);
    else if (!is_within(folder, project_)) add_installed(program);
    std::error_code error;
    if (const fs::path target = fs::read_symlink(program, error); !error) return add_program(program.parent_path() / target, depth + 1);
    for (const std::string& word : interpreter_of(program))
        if (!word.starts_with('-')) add_program(word, depth + 1);
}

void CommandAccess::add_folder_of_programs(const fs::path& folder) {
    const fs::path programs = real(folder), prefix = programs.parent_path();
    if (!seen_.insert(programs).second) return;
    const bool is_environment = is_present(prefix / "pyvenv.cfg") || is_present(prefix / "conda-meta");
    if (is_within(programs, project_) && (!is_environment || prefix == project_)) return;  // the project's own code
    if (!is_of_installation(programs)) {
        std::error_code error;
        for (fs::directory_iterator entry(programs, error), end; !error && entry != end; entry.increment(error))
            if (!entry->is_directory(error)) add_installed(entry->path());
        return;
    }
    const bool is_shared = !home().empty() && (prefix == real(home()) || prefix == real(home() / ".local"));  // with what is no program
    if (is_within(prefix, project_) || (!is_shared && !is_within(project_, prefix))) {
        add_installed(prefix);
        if (const fs::path base = home_of_environment(prefix); !base.empty()) add_folder_of_programs(base);
        return;
    }
    add_installed(programs);
    if (prefix == real(home())) return;
    for (const char* part : {"lib", "lib64"}) add_installed(prefix / part);
}

void CommandAccess::add_declared(const Node& node) {
    for (const SourceFile& file : node.files) readable_.all.insert(real(file.path));
    for (const CommandFiles& files : node.command->files)  // one of the project is a folder of links
        if (files.path.is_absolute()) readable_.all.insert(real(files.path));
    for (const fs::path& path : node.command->allow) readable_.all.insert(real(path));
}

}  // namespace satdl
