#include "pipeline/store/results_folders.h"

#include <algorithm>
#include <sstream>
#include <string>

#include "pipeline/store/layout.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

std::vector<std::string> lines_of(const fs::path& file, FileSystem& files) {
    const auto stamp = files.stamp(file);
    std::istringstream text(stamp ? files.read(file, 0, stamp->bytes) : std::string());
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);)
        if (!line.empty()) lines.push_back(line);
    return lines;
}

}  // namespace

void remember_results_folder(const fs::path& store_folder, const fs::path& results, FileSystem& files) {
    const fs::path list = store_folder / store_layout::kResultsFolders;
    const std::string path = fs::canonical(results).lexically_relative(fs::canonical(store_folder)).string();
    const bool is_one_line = path.find('\n') == std::string::npos;  // else a collection needs --results
    if (is_one_line && std::ranges::count(lines_of(list, files), path) == 0) files.append(list, path + '\n', true);
}

std::vector<fs::path> known_results_folders(const fs::path& store_folder, FileSystem& files) {
    std::vector<fs::path> folders;
    for (const std::string& line : lines_of(store_folder / store_layout::kResultsFolders, files)) folders.push_back(store_folder / line);
    return folders;
}

}  // namespace satdl
