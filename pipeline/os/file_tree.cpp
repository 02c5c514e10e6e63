#include "pipeline/os/file_tree.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <span>

#include "pipeline/core/error.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

enum class Entry { File, Folder };

Error refused(const fs::path& path, std::string_view what, std::string_view hint) {
    return Error(ExitCode::Usage, fmt::format("{} {}", printable(path.string()), what), std::string(hint));
}

Entry checked_entry(const fs::directory_entry& entry) {
    std::error_code error;
    const fs::file_status status = entry.status(error);  // of what a link leads to
    if (error || status.type() == fs::file_type::not_found) throw refused(entry.path(), "is a link that leads nowhere", "remove or mend it");
    if (status.type() == fs::file_type::regular) return Entry::File;
    if (status.type() != fs::file_type::directory)
        throw refused(entry.path(), "is neither a file nor a folder, and cannot be read to its end", "move it out of the folder");
    if (entry.is_symlink()) throw refused(entry.path(), "is a link to a folder, which is not followed", "name the folder itself");
    return Entry::Folder;
}

std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
    std::vector<fs::directory_entry> entries;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) entries.push_back(*entry);
    if (error) throw refused(folder, fmt::format("cannot be read: {}", error.message()), "check its permissions");
    return entries;
}

// Adds the files in `folder` and below that `parts`, a pattern's, match.
void add_matching(const fs::path& folder, const std::string& prefix, std::span<const std::string> parts, std::vector<TreeFile>& found) {
    const bool any_folders = parts.front() == "**";
    if (any_folders && parts.size() > 1) add_matching(folder, prefix, parts.subspan(1), found);
    for (const fs::directory_entry& entry : entries_of(folder)) {
        const std::string file = entry.path().filename().string();
        if (::fnmatch(any_folders ? "*" : parts.front().c_str(), file.c_str(), FNM_PERIOD) != 0) continue;
        const bool is_folder = checked_entry(entry) == Entry::Folder;
        if (is_folder && (any_folders || parts.size() > 1))
            add_matching(entry.path(), prefix + file + "/", any_folders ? parts : parts.subspan(1), found);
        if (!is_folder && parts.size() == 1) found.push_back({prefix + file, entry.path()});
    }
}

void add_below(const fs::path& folder, const std::string& prefix, std::vector<TreeFile>& found) {
    for (const fs::directory_entry& entry : entries_of(folder)) {
        const std::string name = prefix + entry.path().filename().string();
        if (checked_entry(entry) == Entry::Folder) add_below(entry.path(), name + "/", found);
        else found.push_back({name, entry.path()});
    }
}

std::vector<TreeFile> in_order(std::vector<TreeFile> files) {
    std::ranges::sort(files, {}, &TreeFile::name);
    const auto again = std::ranges::unique(files, {}, &TreeFile::name);  // `**/**/a` finds a file in several ways
    files.erase(again.begin(), again.end());
    return files;
}

}  // namespace

std::vector<TreeFile> files_below(const fs::path& root) {
    std::vector<TreeFile> found;
    add_below(root, "", found);
    return in_order(std::move(found));
}

bool is_pattern(std::string_view text) { return text.find_first_of("*?[") != std::string_view::npos; }

std::vector<TreeFile> files_matching(const fs::path& root, const std::string& pattern) {
    std::vector<std::string> parts;
    for (const fs::path& part : fs::path(pattern).lexically_normal()) parts.push_back(part.string());
    std::vector<TreeFile> found;
    if (!parts.empty()) add_matching(root, "", parts, found);
    return in_order(std::move(found));
}

}  // namespace satdl
