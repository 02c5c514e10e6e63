#include "pipeline/executors/command_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>

#include "pipeline/core/error.h"
#include "pipeline/os/paths.h"
#include "pipeline/store/process_mark.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

Error not_placed(const fs::path& path, std::string_view what, std::string hint = {}) {
    return Error(ExitCode::StageFailed, fmt::format("cannot place {} in the program's folder: {}", printable(path.string()), what),
                 std::move(hint));
}

// Removes what dead processes left. It only saves space, so nothing is reported.
void sweep(const fs::path& root) {
    std::error_code error;
    for (fs::directory_iterator entry(root, error), end; !error && entry != end; entry.increment(error)) {
        if (process_lives(entry->path().filename().string()).value_or(true)) continue;
        std::error_code ignored;
        fs::remove_all(entry->path(), ignored);
    }
}

}  // namespace

CommandFolder::CommandFolder(const fs::path& root, const Node& node) : node_(node) {
    static std::atomic<std::uint64_t> number{0};
    fs::create_directories(root);
    sweep(root);
    path_ = fs::absolute(root).lexically_normal() / name_with_process("stage", number++);
    try {
        for (const fs::path& folder : {path_, own(), checkpoint(), temporary()}) fs::create_directory(folder);
        std::ofstream{progress()};
        add_sources();  // first: they make real folders, so that nothing is ever written through a link into the project
        add_config_files();
        add_files();
        if (!node_.command->folder.empty()) fs::create_directories(start());
        for (const PortDescription& port : node_.stage->description.outputs) fs::create_directories(output(port).parent_path());
    } catch (const fs::filesystem_error& error) {
        throw Error(ExitCode::StageFailed,
                    fmt::format("cannot make the program's folder {}: {}", printable(path_.string()), error.code().message()));
    }
}

CommandFolder::~CommandFolder() {
    std::error_code error;
    fs::remove_all(path_, error);
    if (!error) return;
    // A program may have taken its own rights to a folder away.
    error.clear();
    for (fs::recursive_directory_iterator entry(path_, error), end; !error && entry != end; entry.increment(error))
        if (entry->is_directory() && !entry->is_symlink()) ::chmod(entry->path().c_str(), 0700);
    fs::remove_all(path_, error);
}

void CommandFolder::add_sources() {
    for (const SourceFile& file : node_.files) {
        if (file.role != kSourceRole) continue;
        const fs::path to = path_ / file.member;
        fs::create_directories(to.parent_path());
        std::error_code error;
        if (!fs::copy_file(file.path, to, error)) throw not_placed(file.path, error.message());
    }
}

void CommandFolder::add_config_files() {
    for (const auto& [name, text] : node_.command->config_files) {
        const fs::path to = path_ / name;
        fs::create_directories(to.parent_path());
        std::ofstream file(to, std::ios::binary);
        file << text << '\n';
        file.close();
        if (!file) throw not_placed(to, std::strerror(errno));
    }
}

void CommandFolder::add_files() {
    for (const CommandFiles& files : node_.command->files) {
        if (files.path.is_absolute()) continue;
        for (const SourceFile& file : node_.files) {
            if (file.role != files.name) continue;
            const fs::path to = path_ / path_in_folder(*node_.command, file);
            fs::create_directories(to.parent_path());
            std::error_code error;
            if (fs::symlink_status(to, error).type() != fs::file_type::not_found) continue;  // declared twice
            fs::create_symlink(fs::absolute(file.path), to);
        }
    }
}

void CommandFolder::add_undeclared(const fs::path& but) {
    const fs::path& project = node_.command->project;
    const auto is_output = [&](const fs::path& name) {
        return std::ranges::any_of(node_.command->paths, [&](const auto& one) {
            return is_within(name, one.second);
        });
    };
    constexpr auto kSkipUnreadable = fs::directory_options::skip_permission_denied;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(project, kSkipUnreadable, error), end; !error && entry != end; entry.increment(error)) {
        const fs::path name = entry->path().lexically_relative(project), to = path_ / name;
        const bool is_skipped = entry->path().filename().string().starts_with('.') || fs::equivalent(entry->path(), but, error);
        error.clear();
        if (is_skipped) entry.disable_recursion_pending();
        if (is_skipped || (entry->is_directory(error) && !entry->is_symlink(error))) continue;
        if (is_output(name) || fs::symlink_status(to, error).type() != fs::file_type::not_found) continue;
        fs::create_directories(to.parent_path());
        fs::create_symlink(entry->path(), to);
    }
    if (error) throw not_placed(project, error.message());
}

fs::path CommandFolder::input(const PortDescription& port, const std::string& format) const {
    const auto named = node_.command->paths.find(port.name);
    if (named != node_.command->paths.end()) return path_ / named->second;
    return own() / "in" / (format.empty() ? port.name : fmt::format("{}.{}", port.name, format));
}

fs::path CommandFolder::output(const PortDescription& port) const {
    const auto named = node_.command->paths.find(port.name);
    if (named != node_.command->paths.end()) return path_ / named->second;
    return own() / "out" / (port.name + ending_of(*node_.command, port));
}

fs::path CommandFolder::file(const CommandFiles& files) const {
    return files.path.is_absolute() ? files.path : path_ / files.path;
}

std::string ending_of(const CommandStage& command, const PortDescription& output) {
    for (const std::string& format : formats_in_run(command, Placeholder::Kind::Output, output.name))
        if (!format.empty()) return "." + format;
    const std::string usual = output_formats(output.kind).front();
    return usual.empty() ? "" : "." + usual;
}

}  // namespace satdl
