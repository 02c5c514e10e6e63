// Checkpoints: where a long stage was when it last looked, so that the next run goes on from there.
//
//   checkpoints/<key>.<n>.h5   of the node with this key; a greater n is later. The last two are kept: a damaged one costs a minute
//
// A checkpoint says nothing about what the result is: a stage that goes on from it returns the bytes that it would have returned
// without. When the outcome is kept, its checkpoints are dropped.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/store/checkpoint_files.h"

namespace satdl {

// Safe from any thread.
class Checkpoints {
public:
    virtual ~Checkpoints() = default;
    // Where the newest one is, by its header; nothing where there is none. Throws nothing.
    [[nodiscard]] virtual std::optional<CheckpointPosition> newest(const Digest& key) = 0;
    // The newest one whose every byte is as it was written. What is wrong with later ones, which are put into quarantine, comes to
    // `damaged`.
    [[nodiscard]] virtual std::optional<Checkpoint> load(const Digest& key, std::vector<std::string>& damaged) = 0;
    // Durable when it returns. Throws FileError.
    virtual void keep(const Recipe& recipe, const CheckpointPosition& place, const NamedArrays& state) = 0;
    virtual void drop(const Digest& key) = 0;  // all of this key; throws nothing
};

class DiskCheckpoints final : public Checkpoints {
public:
    // `store_folder`: .satdl/. `layout`: as CheckpointFiles takes it.
    DiskCheckpoints(const std::filesystem::path& store_folder, FileSystem& files, std::function<Hdf5LayoutFunction()> layout);

    [[nodiscard]] std::optional<CheckpointPosition> newest(const Digest& key) override { return folder_.newest(key); }
    [[nodiscard]] std::optional<Checkpoint> load(const Digest& key, std::vector<std::string>& damaged) override {
        return folder_.load(key, damaged);
    }
    void keep(const Recipe& recipe, const CheckpointPosition& place, const NamedArrays& state) override;
    void drop(const Digest& key) override;

    [[nodiscard]] VerifiedFiles verify() { return folder_.verify(); }  // throws FileError

private:
    CheckpointFiles folder_;
};

}  // namespace satdl
