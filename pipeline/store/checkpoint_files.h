// A folder of checkpoints: states of stages, each an artifact like any other (artifact.h): every byte under a digest, published whole,
// readable with h5py.
//
//   <folder>/<key>.<n>.h5   a state on the way to what has this key; a greater n is farther
//
// A checkpoint's recipe is that of the key with its place added, so it has a key of its own and cannot be taken for a result.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/store/artifact.h"
#include "pipeline/store/staging.h"

namespace satdl {

struct CheckpointPosition {
    std::int64_t epoch = 0, epochs = 0;  // `epoch` has begun; both from 1
    std::int64_t step = 0, steps = 0;    // finished steps of this epoch
    bool operator==(const CheckpointPosition&) const = default;

    [[nodiscard]] double share() const;     // of the whole stage that is done, 0 to 1
    [[nodiscard]] std::string text() const;  // "epoch 7, step 210, 61 %"
};
[[nodiscard]] CheckpointPosition place_of(const Progress& at);
[[nodiscard]] bool is_farther(const CheckpointPosition& place, const CheckpointPosition& other);

struct Checkpoint {
    CheckpointPosition place;
    NamedArrays state;
};

struct VerifiedFiles {
    std::size_t good = 0;
    std::uint64_t bytes = 0;           // of the good ones
    std::vector<std::string> damaged;  // in words, with file and tensor
};

// Safe from any thread.
class CheckpointFiles {
public:
    static constexpr auto kAny = std::numeric_limits<std::uint64_t>::max();

    // `name`: of the folder in the store's. `layout`: gives the HDF5 writer when the first one is written.
    CheckpointFiles(const std::filesystem::path& store_folder, const std::string& name, FileSystem& files,
                     std::function<Hdf5LayoutFunction()> layout);

    // The greatest first. Throws FileError.
    [[nodiscard]] std::vector<std::uint64_t> numbers_of(const Digest& key);
    // Where the greatest that is at most `most` is, by its header; nothing where there is none. Throws nothing.
    [[nodiscard]] std::optional<CheckpointPosition> newest(const Digest& key, std::uint64_t max = kAny);
    // The greatest that is at most `most` and whose every byte is as it was written. What is wrong with greater ones, which are put
    // into quarantine, comes to `damaged`.
    [[nodiscard]] std::optional<Checkpoint> load(const Digest& key, std::vector<std::string>& damaged, std::uint64_t max = kAny);
    // Every byte of every one; what is damaged is put into quarantine. Throws FileError.
    [[nodiscard]] VerifiedFiles verify();
    // Durable when it returns; false: the number is taken. `of`: the key of the node whose state it is. Throws FileError.
    [[nodiscard]] bool write(const Recipe& recipe, const Digest& of, const CheckpointPosition& place, const NamedArrays& state,
                             std::uint64_t number);
    void remove(const Digest& key, std::uint64_t number);  // throws FileError

    struct Entry {
        Digest key;
        std::uint64_t number = 0;
        Digest of;
        std::uint64_t bytes = 0;
    };
    // All that can be read.
    [[nodiscard]] std::vector<Entry> entries();

private:
    [[nodiscard]] std::filesystem::path path_of(const Digest& key, std::uint64_t number) const;
    void list();
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
