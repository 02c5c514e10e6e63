#include "pipeline/store/open_store.h"

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
