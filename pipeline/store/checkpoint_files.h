// Checkpoints on disk, each an artifact like any other (artifact.h): every byte under a digest, published whole, readable with h5py.
//
//   checkpoints/<key>.<n>.h5   a stage's own (Retention::LastTwo)
//   ends/<key>.<epochs>.h5     final ones (Retention::First)
//
// A checkpoint's recipe is that of the key with its position added, so it has a key of its own and cannot be taken for a result.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/store/artifact.h"
#include "pipeline/store/checkpoint_store.h"
#include "pipeline/store/staging.h"

namespace satdl {

struct VerifiedFiles {
    std::size_t good = 0;
    std::uint64_t bytes = 0;           // of the good ones
    std::vector<std::string> damaged;  // messages, with file and tensor
};

// Safe from any thread.
class CheckpointFiles final : public CheckpointStore {
public:
    // `store_folder`: .satdl/. `layout`: gives the HDF5 writer when the first one is written.
    CheckpointFiles(std::filesystem::path store_folder, Retention retention, FileSystem& files, std::function<Hdf5LayoutFunction()> layout);

    [[nodiscard]] std::optional<CheckpointPosition> newest(const Digest& key, std::int64_t max = kAny) override;
    [[nodiscard]] std::optional<Checkpoint> load(const Digest& key, std::vector<std::string>& damaged, std::int64_t max = kAny) override;
    void write(const Recipe& recipe, const Digest& of, const CheckpointPosition& position, const NamedArrays& state) override;
    void remove(const Digest& key) override;
    void look_again() override;

    // Every byte of every one; what is damaged is put into quarantine. Throws FileError.
    [[nodiscard]] VerifiedFiles verify();

    struct Entry {
        Digest key;
        std::uint64_t number = 0;
        Digest of;  // the key of the artifact that it was made with
        std::uint64_t bytes = 0;
    };
    // All that can be read.
    [[nodiscard]] std::vector<Entry> entries();
    void erase(const Entry& entry) { remove(entry.key, entry.number); }  // throws FileError

private:
    struct Loaded;
    [[nodiscard]] std::filesystem::path path_of(const Digest& key, std::uint64_t number) const;
    [[nodiscard]] std::vector<std::uint64_t> numbers_of(const Digest& key);
    [[nodiscard]] Loaded read_whole(const std::filesystem::path& path, const Digest& key);
    [[nodiscard]] bool publish(const ArtifactImage& image, const Digest& key, std::uint64_t number);
    void remove(const Digest& key, std::uint64_t number);
    void list();
    void prepare();

    const std::filesystem::path store_folder_;
    const Retention retention_;
    const std::filesystem::path folder_;
    FileSystem& files_;
    const std::function<Hdf5LayoutFunction()> layout_;
    Staging staging_;
    std::mutex mutex_;
    // Guarded by mutex_:
    std::optional<std::map<Digest, std::vector<std::uint64_t>>> known_;  // the folder's content when it was listed; then updated
    bool prepared_ = false;
};

}  // namespace satdl
