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
    if (error || status.type() == fs::file_type::not_found)
        throw refused(entry.path(), "is a link that leads nowhere", "remove or mend it");
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

using LeftOut = std::function<bool(const fs::path&)>;

// Adds the files in `folder` and below that `parts`, a pattern's, match.
void add_matching(const fs::path& folder, const std::string& prefix, std::span<const std::string> parts, const LeftOut& left_out,
                  std::vector<TreeFile>& found) {
    const bool any_folders = parts.front() == "**";
    if (any_folders && parts.size() > 1) add_matching(folder, prefix, parts.subspan(1), left_out, found);
    for (const fs::directory_entry& entry : entries_of(folder)) {
        const std::string file = entry.path().filename().string();
        if (::fnmatch(any_folders ? "*" : parts.front().c_str(), file.c_str(), FNM_PERIOD) != 0) continue;
        if (left_out && left_out(entry.path())) continue;
        const bool is_folder = checked_entry(entry) == Entry::Folder;
        if (is_folder && (any_folders || parts.size() > 1))
            add_matching(entry.path(), prefix + file + "/", any_folders ? parts : parts.subspan(1), left_out, found);
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

constexpr int kDeepest = 16;
constexpr std::size_t kMostFiles = 10'000'000;

Error unlisted(const fs::path& path, const std::string& message, const char* hint) {
    return Error(ExitCode::Store, fmt::format("{}: {}", printable(path.string()), message), hint);
}

void add_visible(const fs::path& folder, const std::string& prefix, int depth, std::vector<std::string>& names) {
    if (depth > kDeepest) throw unlisted(folder, "is too deep a folder", "is there a link to a folder above it?");
    const std::size_t before = names.size();
    std::error_code failed;
    for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
        const std::string name = entry->path().filename().string();
        if (name.starts_with('.')) continue;
        std::error_code unknown;
        if (entry->is_regular_file(unknown)) {
            names.push_back(prefix + name);
        } else if (entry->is_directory(unknown)) {
            add_visible(entry->path(), prefix + name + "/", depth + 1, names);
        } else {
            throw unlisted(entry->path(), "is neither a file nor a folder", "remove it: is it a link that leads nowhere?");
        }
        if (names.size() > kMostFiles) throw unlisted(folder, fmt::format("has more than {} files", kMostFiles), "is it the right folder?");
    }
    if (failed) throw unlisted(folder, fmt::format("cannot be listed: {}", failed.message()), "check the path");
    if (names.size() == before && !prefix.empty()) names.push_back(prefix);
}

}  // namespace

std::vector<TreeFile> files_below(const fs::path& root) {
    std::vector<TreeFile> found;
    add_below(root, "", found);
    return in_order(std::move(found));
}

bool is_pattern(std::string_view text) { return text.find_first_of("*?[") != std::string_view::npos; }

std::vector<TreeFile> files_matching(const fs::path& root, const std::string& pattern, const LeftOut& left_out) {
    std::vector<std::string> parts;
    for (const fs::path& part : fs::path(pattern).lexically_normal()) parts.push_back(part.string());
    std::vector<TreeFile> found;
    if (!parts.empty()) add_matching(root, "", parts, left_out, found);
    return in_order(std::move(found));
}

std::vector<std::string> visible_files_below(const fs::path& folder) {
    std::vector<std::string> names;
    add_visible(folder, "", 0, names);
    std::ranges::sort(names);
    return names;
}

}  // namespace satdl
