#include "pipeline/os/file_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "pipeline/core/error.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepest = 16;
constexpr std::size_t kMostFiles = 10'000'000;

Error error_at(const fs::path& path, const std::string& message, const char* hint) {
    return Error(ExitCode::Store, fmt::format("{}: {}", printable(path.string()), message), hint);
}

void add_files(const fs::path& folder, const std::string& prefix, int depth, std::vector<std::string>& names) {
    if (depth > kDeepest) throw error_at(folder, "is too deep a folder", "is there a link to a folder above it?");
    const std::size_t before = names.size();
    std::error_code failed;
    for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
        const std::string name = entry->path().filename().string();
        if (name.starts_with('.')) continue;
        std::error_code unknown;
        if (entry->is_regular_file(unknown)) {
            names.push_back(prefix + name);
        } else if (entry->is_directory(unknown)) {
            add_files(entry->path(), prefix + name + "/", depth + 1, names);
        } else {
            throw error_at(entry->path(), "is neither a file nor a folder", "remove it: is it a link that leads nowhere?");
        }
        if (names.size() > kMostFiles) throw error_at(folder, fmt::format("has more than {} files", kMostFiles), "is it the right folder?");
    }
    if (failed) throw error_at(folder, fmt::format("cannot be listed: {}", failed.message()), "check the path");
    if (names.size() == before && !prefix.empty()) names.push_back(prefix);
}

}  // namespace

std::vector<std::string> files_below(const fs::path& folder) {
    std::vector<std::string> names;
    add_files(folder, "", 0, names);
    std::ranges::sort(names);
    return names;
}

}  // namespace satdl
