#include "pipeline/store/quarantine.h"

#include <fmt/format.h>

#include "pipeline/store/layout.h"

namespace satdl {

void quarantine(const std::filesystem::path& store_folder, FileSystem& files, File& damaged, const std::string& stem) {
    try {
        const FileStamp found = damaged.stamp();
        const auto now = files.stamp(damaged.path());
        if (!now || now->device != found.device || now->inode != found.inode) return;
        const auto folder = store_folder / store_layout::kQuarantine;
        files.make_folders(folder);
        int n = 1;
        const auto name = [&] { return folder / fmt::format("{}.{}{}", stem, n, store_layout::kArtifactExtension); };
        while (files.stamp(name())) ++n;
        files.rename(damaged.path(), name());
    } catch (const FileError&) {
    }
}

}  // namespace satdl
