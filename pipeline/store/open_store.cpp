#include "pipeline/store/open_store.h"

#include <algorithm>
#include <array>
#include <utility>

#include "pipeline/hdf5/hdf5_library.h"
#include "pipeline/store/gitignore.h"
#include "pipeline/store/layout.h"

namespace satdl {
namespace {

std::filesystem::path made(const std::filesystem::path& folder, FileSystem& files, Access access) {
    if (access == Access::ReadWrite && !files.stamp(folder)) files.make_folders(folder);
    return folder;
}

}  // namespace

// The names that other folders do not have as well: "runs", "results" and "checkpoints" are those of many a project.
bool is_store(const std::filesystem::path& folder, FileSystem& files) {
    constexpr std::array kOfStoresAlone{store_layout::kArtifacts, store_layout::kIndex, store_layout::kLock, store_layout::kResultsFolders};
    return std::ranges::any_of(kOfStoresAlone, [&](std::string_view name) { return files.stamp(folder / name).has_value(); });
}

OpenStore::OpenStore(std::filesystem::path folder, Access access)
    : folder_(std::move(folder)),
      files_(real_file_system()),
      index_(made(folder_, *files_, access) / store_layout::kIndex),
      store_(folder_, *files_, index_, load_hdf5_layout),
      checkpoints_(folder_, Retention::LastTwo, *files_, load_hdf5_layout),
      final_checkpoints_(folder_, Retention::First, *files_, load_hdf5_layout) {
    if (access == Access::ReadWrite) keep_out_of_git(folder_, *files_);
}

}  // namespace satdl
