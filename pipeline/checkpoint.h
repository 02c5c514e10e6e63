// Checkpoints: where a long stage was when it last looked, so that the next run goes on from there.
//
//   checkpoints/<key>.<n>.h5   of the node with this key; a greater n is later. The last two are kept: a damaged one costs a minute
//
// A checkpoint is an artifact like any other (object.h): every byte under a digest, published whole, readable with h5py. Its recipe
// is the node's with its place added, so it has a key of its own and cannot be taken for a result. It says nothing about what the
// result is: a stage that goes on from it returns the bytes that it would have returned without. When the outcome is kept, its
// checkpoints are dropped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/object.h"
#include "pipeline/staging.h"

namespace satdl {

struct CheckpointPlace {
    std::int64_t epoch = 0, epochs = 0;  // `epoch` has begun; both from 1
    std::int64_t step = 0, steps = 0;    // finished steps of this epoch
    bool operator==(const CheckpointPlace&) const = default;

    [[nodiscard]] double share() const;     // of the whole stage that is done, 0 to 1
    [[nodiscard]] std::string text() const;  // "epoch 7, step 210, 61 %"
};
[[nodiscard]] CheckpointPlace place_of(const Progress& at);

struct Checkpoint {
    CheckpointPlace place;
    Group state;
    std::vector<std::string> damaged;  // what was found wrong with later ones, which were put into quarantine
};

// Safe from any thread.
class Checkpoints {
public:
    virtual ~Checkpoints() = default;
    // Where the newest one is, by its header; nothing where there is none. Throws nothing.
    [[nodiscard]] virtual std::optional<CheckpointPlace> newest(const Digest& key) = 0;
    // The newest one whose every byte is as it was written.
    [[nodiscard]] virtual std::optional<Checkpoint> load(const Digest& key) = 0;
    // Durable when it returns. Throws FileError.
    virtual void keep(const Recipe& recipe, const CheckpointPlace& place, const Group& state) = 0;
    virtual void drop(const Digest& key) = 0;  // all of this key; throws nothing
};

class DiskCheckpoints final : public Checkpoints {
public:
    // `store_folder`: .satdl/. `layout`: gives the HDF5 writer when the first one is written.
    DiskCheckpoints(const std::filesystem::path& store_folder, FileSystem& files, std::function<Hdf5LayoutFunction()> layout);

    [[nodiscard]] std::optional<CheckpointPlace> newest(const Digest& key) override;
    [[nodiscard]] std::optional<Checkpoint> load(const Digest& key) override;
    void keep(const Recipe& recipe, const CheckpointPlace& place, const Group& state) override;
    void drop(const Digest& key) override;

private:
    [[nodiscard]] std::filesystem::path path_of(const Digest& key, std::uint64_t number) const;
    [[nodiscard]] std::vector<std::uint64_t> numbers_of(const Digest& key);
    void prepare();
    void quarantine(const std::filesystem::path& path);

    const std::filesystem::path folder_;
    const std::filesystem::path quarantine_;
    FileSystem& files_;
    const std::function<Hdf5LayoutFunction()> layout_;
    Staging staging_;
    std::mutex mutex_;
    // Guarded by mutex_:
    std::optional<std::map<Digest, std::vector<std::uint64_t>>> known_;  // what the folder had when it was first looked at; then kept up
    bool prepared_ = false;
};

}  // namespace satdl
