// An open store on disk: its index, artifacts, checkpoints.
#pragma once

#include <filesystem>
#include <memory>

#include "pipeline/os/file_system.h"
#include "pipeline/store/checkpoint_files.h"
#include "pipeline/store/index.h"
#include "pipeline/store/store.h"

namespace satdl {

enum class Access {
    ReadOnly,  // a store is not created if absent
    ReadWrite,
};

// Whether the folder is that of a store.
[[nodiscard]] bool is_store(const std::filesystem::path& folder, FileSystem& files);

// A store with its index. If the index was lost, it is rebuilt on opening. A store opened for writing is ignored by Git.
class OpenStore {
public:
    OpenStore(std::filesystem::path folder, Access access);

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
    [[nodiscard]] FileSystem& files() { return *files_; }
    [[nodiscard]] Index& index() { return index_; }
    [[nodiscard]] DiskStore& store() { return store_; }
    [[nodiscard]] CheckpointFiles& checkpoints() { return checkpoints_; }
    [[nodiscard]] CheckpointFiles& final_checkpoints() { return final_checkpoints_; }

private:
    const std::filesystem::path folder_;
    const std::unique_ptr<FileSystem> files_;
    Index index_;
    DiskStore store_;
    CheckpointFiles checkpoints_;
    CheckpointFiles final_checkpoints_;
};

}  // namespace satdl
