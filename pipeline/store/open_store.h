// A store on disk with all that belongs to it, opened: its index, artifacts, checkpoints.
#pragma once

#include <filesystem>
#include <memory>

#include "pipeline/os/file_system.h"
#include "pipeline/store/checkpoint_files.h"
#include "pipeline/store/index.h"
#include "pipeline/store/store.h"

namespace satdl {

enum class Access {
    ReadOnly,  // a store that does not exist is not created
    ReadWrite,
};

// A store with its index. One whose index was lost is indexed again when it is opened. Opened to be written, it is kept out of Git.
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
