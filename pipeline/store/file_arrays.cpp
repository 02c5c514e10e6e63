#include "pipeline/store/file_arrays.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "pipeline/core/error.h"
#include "pipeline/os/file_system.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxOutputFiles = 20'000;  // each is a dataset of the artifact

bool is_executable(const fs::path& path) {
    struct stat found {};
    return ::stat(path.c_str(), &found) == 0 && (found.st_mode & S_IXUSR) != 0;
}

}  // namespace

std::pair<std::string, Array> file_as_array(const fs::path& path, const std::string& name) {
    if (printable(name) != name)
        throw Error(ExitCode::StageFailed, fmt::format("the name of the file '{}' has bytes that are not printable UTF-8", printable(name)),
                    "rename it");
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
        const fs::file_status status = entry->symlink_status(error);
        if (error) break;
        if (status.type() == fs::file_type::directory) continue;
        if (status.type() != fs::file_type::regular)
            throw Error(ExitCode::StageFailed,
                        fmt::format("'{}' is a {}, which cannot be kept", printable(name),
                                    status.type() == fs::file_type::symlink ? "link" : "special file"),
                        "write files and folders");
        if (files.size() == kMaxOutputFiles)
            throw Error(ExitCode::StageFailed, fmt::format("it holds more than {} files", kMaxOutputFiles),
                        "pack them into one file, such as a .tar or an .npz");
        files.insert(file_as_array(entry->path(), name));
    }
    if (error) throw Error(ExitCode::StageFailed, fmt::format("cannot read {}: {}", printable(folder.string()), error.message()));
    return files;
}

std::string path_of_file(const std::string& array_name) {
    return array_name.substr(array_name.starts_with(kExecutableFiles) ? kExecutableFiles.size() : kPlainFiles.size());
}

void write_files(const NamedArrays& files, const fs::path& folder, FileAccess access) {
    for (const auto& [name, array] : files) write_file(name, array, folder / path_of_file(name), access);
}

void write_file(const std::string& array_name, const Array& bytes, const fs::path& path, FileAccess access) {
    fs::create_directories(path.parent_path());
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.bytes().data()), static_cast<std::streamsize>(bytes.bytes().size()));
    out.close();
    if (!out) throw Error(ExitCode::StageFailed, fmt::format("cannot write {}: {}", printable(path.string()), std::strerror(errno)));
    ::chmod(path.c_str(), (array_name.starts_with(kExecutableFiles) ? 0555u : 0444u) | (access == FileAccess::Writable ? 0200u : 0u));
}

}  // namespace satdl
