#include "pipeline/store/gitignore.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/store/layout.h"

namespace satdl {

void keep_out_of_git(const std::filesystem::path& store_folder, FileSystem& files) {
    constexpr std::string_view kEverything = "*\n";
    try {
        const std::vector<std::string> names = files.list(store_folder);
        if (std::ranges::find(names, store_layout::kGitignore) != names.end()) return;
        if (!std::ranges::all_of(names, store_layout::is_ours)) return;
        const std::array extents{Extent{0, std::as_bytes(std::span(kEverything))}};
        files.write_new(store_folder / store_layout::kGitignore, kEverything.size(), extents);
    } catch (const FileError&) {
    }
}

}  // namespace satdl
