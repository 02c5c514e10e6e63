#include "pipeline/executors/command_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "pipeline/core/error.h"
#include "pipeline/os/file_system.h"
#include "pipeline/store/process_mark.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxOutputFiles = 20'000;  // each is a dataset of the artifact

Error not_placed(const fs::path& path, std::string_view what, std::string hint = {}) {
    return Error(ExitCode::StageFailed, fmt::format("cannot place {} in the program's folder: {}", printable(path.string()), what), std::move(hint));
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

bool is_executable(const fs::path& path) {
    struct stat found {};
    return ::stat(path.c_str(), &found) == 0 && (found.st_mode & S_IXUSR) != 0;
}

}  // namespace

CommandFolder::CommandFolder(const fs::path& root, const Node& node) : node_(node) {
    static std::atomic<std::uint64_t> number{0};
    fs::create_directories(root);
    sweep(root);
    path_ = fs::absolute(root).lexically_normal() / name_with_process("stage", number++);
    try {
        for (const fs::path& folder : {own() / "in", own() / "out", checkpoint(), temporary()}) fs::create_directories(folder);
        std::ofstream{progress()};
        add_sources_and_files();
        fs::create_directories(start());
        for (const PortDescription& port : node_.stage->description.outputs) fs::create_directories(output(port).parent_path());
    } catch (const fs::filesystem_error& error) {
        throw Error(ExitCode::StageFailed, fmt::format("cannot make the program's folder {}: {}", printable(path_.string()), error.code().message()));
    }
}

CommandFolder::~CommandFolder() {
    std::error_code ignored;
    for (fs::recursive_directory_iterator entry(path_, ignored), end; !ignored && entry != end; entry.increment(ignored))
        if (entry->is_directory() && !entry->is_symlink()) ::chmod(entry->path().c_str(), 0700);
    fs::remove_all(path_, ignored);
}

// Sources first: they make real folders, so that nothing is ever written through a link into the project.
void CommandFolder::add_sources_and_files() {
    for (const SourceFile& file : node_.files) {
        if (file.role != kSourceRole) continue;
        const fs::path to = path_ / file.member;
        fs::create_directories(to.parent_path());
        std::error_code error;
        if (!fs::copy_file(file.path, to, error)) throw not_placed(file.path, error.message());
    }
    for (const CommandFiles& files : node_.command->files) {
        if (files.path.is_absolute()) continue;
        for (const SourceFile& file : node_.files) {
            if (file.role != files.name) continue;
            const fs::path to = path_ / (files.kind == CommandFiles::Kind::Folder ? files.path / file.member : files.kind == CommandFiles::Kind::Pattern ? fs::path(file.member) : files.path);
            fs::create_directories(to.parent_path());
            std::error_code error;
            if (fs::symlink_status(to, error).type() != fs::file_type::not_found) continue;  // declared twice
            fs::create_symlink(fs::absolute(file.path), to);
        }
    }
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
    for (const Argument& argument : command.run) {
        for (const ArgumentPart& part : argument) {
            const auto* const placeholder = std::get_if<Placeholder>(&part);
            if (placeholder != nullptr && placeholder->kind == Placeholder::Kind::Output && placeholder->name == output.name && !placeholder->format.empty())
                return "." + placeholder->format;
        }
    }
    const std::string usual = output_formats(output.kind).front();
    return usual.empty() ? "" : "." + usual;
}

std::pair<std::string, Array> file_as_array(const fs::path& path, const std::string& name) {
    if (printable(name) != name)
        throw Error(ExitCode::StageFailed, fmt::format("the name of the file '{}' has bytes that are not printable UTF-8", printable(name)), "rename it");
    const std::string_view group = is_executable(path) ? kExecutableFiles : kPlainFiles;
    MappedFile file = real_file_system()->map(path);
    const auto bytes = static_cast<std::int64_t>(file.bytes.size());
    return {std::string(group) + name, Array(DType::UInt8, {bytes}, file.bytes, std::move(file.owner))};
}

NamedArrays files_as_arrays(const fs::path& folder) {
    NamedArrays files;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().lexically_relative(folder).string();
        const fs::file_status status = entry->symlink_status();
        if (status.type() == fs::file_type::directory) continue;
        if (status.type() != fs::file_type::regular)
            throw Error(ExitCode::StageFailed, fmt::format("'{}' is a {}, which cannot be kept", printable(name), status.type() == fs::file_type::symlink ? "link" : "special file"),
                        "write files and folders");
        if (files.size() == kMaxOutputFiles)
            throw Error(ExitCode::StageFailed, fmt::format("it holds more than {} files", kMaxOutputFiles), "pack them into one file, such as a .tar or an .npz");
        files.insert(file_as_array(entry->path(), name));
    }
    if (error) throw Error(ExitCode::StageFailed, fmt::format("cannot read {}: {}", printable(folder.string()), error.message()));
    return files;
}

void write_files(const NamedArrays& files, const fs::path& folder, FileAccess access) {
    for (const auto& [name, array] : files) {
        const bool executable = name.starts_with(kExecutableFiles);
        const fs::path path = folder / name.substr(executable ? kExecutableFiles.size() : kPlainFiles.size());
        fs::create_directories(path.parent_path());
        std::ofstream out(path, std::ios::binary);
        out.write(reinterpret_cast<const char*>(array.bytes().data()), static_cast<std::streamsize>(array.bytes().size()));
        out.close();
        if (!out) throw not_placed(path, std::strerror(errno));
        ::chmod(path.c_str(), (executable ? 0555 : 0444) | (access == FileAccess::Writable ? 0200 : 0));
    }
}

}  // namespace satdl
