#include "pipeline/store/checkpoints.h"

#include <utility>

namespace satdl {
namespace {

constexpr std::size_t kKept = 2;

}  // namespace

DiskCheckpoints::DiskCheckpoints(const std::filesystem::path& store_folder, FileSystem& files,
                                 std::function<Hdf5LayoutFunction()> layout)
    : folder_(store_folder, "checkpoints", files, std::move(layout)) {}

void DiskCheckpoints::keep(const Recipe& recipe, const CheckpointPosition& place, const NamedArrays& state) {
    const Digest key = key_of(recipe);
    std::vector<std::uint64_t> numbers = folder_.numbers_of(key);
    std::uint64_t number = numbers.empty() ? 1 : numbers.front() + 1;
    // Another process that makes the same may have taken the number: its checkpoint is as good, ours comes after it.
    while (!folder_.write(recipe, key, place, state, number)) ++number;
    for (std::size_t i = kKept - 1; i < numbers.size(); ++i) folder_.remove(key, numbers[i]);
}

void DiskCheckpoints::drop(const Digest& key) {
    try {
        for (const std::uint64_t number : folder_.numbers_of(key)) folder_.remove(key, number);
    } catch (const FileError&) {  // they only take space, and the outcome comes before them
    }
}

}  // namespace satdl
