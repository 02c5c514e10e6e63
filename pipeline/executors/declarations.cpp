#include "pipeline/executors/declarations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "pipeline/core/ascii.h"
#include "pipeline/core/error.h"
#include "pipeline/os/paths.h"
#include "pipeline/yaml/yaml_writer.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMany = 5;  // so many files of a kind are a pattern
constexpr std::array kCodeEndings{".py", ".pyx", ".ipynb", ".sh", ".bash", ".r",  ".jl", ".lua", ".pl", ".rb", ".js", ".mjs",  ".ts",
                                  ".m",  ".c",   ".cc",    ".cpp", ".cu",  ".h", ".hpp", ".rs", ".go", ".java", ".sql"};

// For the terminal, and to be pasted into a DAG file.
std::string scalar(const std::string& text) { return printable(yaml_scalar(text)); }

// A name for `files`: the file's, or of a pattern the folder's.
std::string name_for(const std::string& path) {
    const bool is_pattern = path.find('*') != std::string::npos;
    fs::path from = path.substr(0, path.find('*'));
    std::string name = is_pattern && from.has_parent_path() ? from.parent_path().filename().string() : fs::path(path).stem().string();
    std::ranges::replace_if(name, [](char c) { return !is_alphanumeric(c) && c != '_'; }, '_');
    return name.empty() || !is_letter(name.front()) || name == "source" ? "file_" + name : name;
}

// Takes the groups of many files with the same `kind` out of `files`, and gives the pattern of each.
template <typename Kind, typename Pattern>
std::vector<std::string> take_many(std::set<fs::path>& files, const Kind& kind, const Pattern& pattern) {
    std::map<fs::path, std::vector<fs::path>> groups;  // by first folder or whole folder, and ending
    for (const fs::path& file : files)
        if (file.has_parent_path()) groups[kind(file) / ("*" + file.extension().string())].push_back(file);
    std::vector<std::string> patterns;
    for (const auto& [group, members] : groups) {
        if (members.size() < kMany) continue;
        patterns.push_back(pattern(group, members));
        for (const fs::path& file : members) files.erase(file);
    }
    return patterns;
}

fs::path common_folder(const std::vector<fs::path>& files) {
    fs::path common = files.front().parent_path();
    for (const fs::path& file : files)
        while (!is_within(file, common)) common = common.parent_path();
    return common;
}

// Paths and patterns that cover these files.
std::vector<std::string> covering(std::set<fs::path> files) {
    std::vector<std::string> covering = take_many(files, [](const fs::path& file) { return file.parent_path(); },
                                                  [](const fs::path& group, const auto&) { return group.string(); });
    std::vector<std::string> deep = take_many(
        files, [](const fs::path& file) { return *file.begin(); },
        [](const fs::path& group, const auto& members) { return (common_folder(members) / "**" / group.filename()).string(); });
    std::ranges::move(deep, std::back_inserter(covering));
    for (const fs::path& file : files) covering.push_back(file.string());
    std::ranges::sort(covering);
    return covering;
}

}  // namespace

bool is_code(const fs::path& path) { return std::ranges::find(kCodeEndings, lower(path.extension().string())) != kCodeEndings.end(); }

std::string declaration_of(const fs::path& path) {
    if (is_code(path) && path.is_relative()) return fmt::format("sources: [{}]", scalar(path.string()));
    return fmt::format("files: {{{}: {}}}", name_for(path.string()), scalar(path.string()));
}

std::string declarations(const FilesRead& read, const Node& node) {
    std::map<std::string, std::string> files;  // by name
    std::set<fs::path> code, data;
    const auto declared = [&](const fs::path& path) {
        const auto found = std::ranges::find_if(node.files, [&](const SourceFile& file) {
            return file.role != kSourceRole && file.path.lexically_normal() == path.lexically_normal();
        });
        if (found == node.files.end()) return false;
        files[found->role] = std::ranges::find(node.command->files, found->role, &CommandFiles::name)->path.string();
        return true;
    };
    for (const fs::path& file : read.of_project) {
        if (declared(node.command->project / file)) continue;
        (is_code(file) || read.programs.contains(file) ? code : data).insert(file);
    }
    std::string text;
    for (const fs::path& file : read.elsewhere) {
        if (declared(file)) continue;
        text += fmt::format("# outside of the project: {}; {}, or allow: [{}] if it does not count\n", printable(file.string()),
                            declaration_of(file), scalar(file.parent_path().string()));
    }
    for (const std::string& path : covering(data)) {
        const std::string wanted = name_for(path);
        std::string name = wanted;
        for (int number = 2; files.contains(name); ++number) name = fmt::format("{}_{}", wanted, number);
        files[name] = path;
    }
    std::vector<std::string> entries, sources;
    for (const auto& [name, path] : files) entries.push_back(fmt::format("{}: {}", name, scalar(path)));
    for (const std::string& path : covering(code)) sources.push_back(scalar(path));
    if (!entries.empty()) text += fmt::format("files: {{{}}}\n", fmt::join(entries, ", "));
    if (!sources.empty()) text += fmt::format("sources: [{}]\n", fmt::join(sources, ", "));
    return text;
}

}  // namespace satdl
