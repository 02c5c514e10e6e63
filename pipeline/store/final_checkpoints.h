// FinalCheckpoints: the states in which trainings ended, so that longer ones begin there.
//
//   ends/<way>.<n>.h5   where everything that goes this way is after n epochs; `way`: continuation.h
//
// An end is kept beside the artifact that was made with it and says whose it is (CheckpointFiles::Entry::of): garbage collection
// removes it with that artifact. It is never changed: who comes second leaves the first one's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/store/checkpoint_files.h"
#include "pipeline/store/recipe.h"

namespace satdl {

// Safe from any thread.
class FinalCheckpoints {
public:
    virtual ~FinalCheckpoints() = default;
    // Where the longest_prefix one is that does not go beyond the goal, by its header; nothing where there is none. Throws nothing.
    [[nodiscard]] virtual std::optional<CheckpointPosition> longest_prefix(const Recipe& base, std::int64_t target) = 0;
    // The longest_prefix one whose every byte is as it was written. What is wrong with farther ones, which are put into quarantine, comes
    // to `damaged`.
    [[nodiscard]] virtual std::optional<Checkpoint> load(const Recipe& base, std::int64_t target, std::vector<std::string>& damaged) = 0;
    // Durable when it returns. `of`: the key of what ended there. Throws FileError.
    virtual void keep(const Recipe& base, const Digest& of, const CheckpointPosition& place, const NamedArrays& state) = 0;
};

class DiskFinalCheckpoints final : public FinalCheckpoints {
public:
    // `store_folder`: .satdl/. `layout`: as CheckpointFiles takes it.
    DiskFinalCheckpoints(const std::filesystem::path& store_folder, FileSystem& files, std::function<Hdf5LayoutFunction()> layout);

    [[nodiscard]] std::optional<CheckpointPosition> longest_prefix(const Recipe& base, std::int64_t target) override;
    [[nodiscard]] std::optional<Checkpoint> load(const Recipe& base, std::int64_t target, std::vector<std::string>& damaged) override;
    void keep(const Recipe& base, const Digest& of, const CheckpointPosition& place, const NamedArrays& state) override;

    [[nodiscard]] std::vector<CheckpointFiles::Entry> entries() { return folder_.entries(); }
    [[nodiscard]] VerifiedFiles verify() { return folder_.verify(); }  // throws FileError
    void erase(const CheckpointFiles::Entry& entry) { folder_.remove(entry.key, entry.number); }  // throws FileError

private:
    CheckpointFiles folder_;
};

}  // namespace satdl
