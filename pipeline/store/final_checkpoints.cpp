#include "pipeline/store/final_checkpoints.h"

#include <algorithm>
#include <utility>

namespace satdl {
namespace {

std::uint64_t number_of(std::int64_t reached) { return static_cast<std::uint64_t>(std::max<std::int64_t>(reached, 0)); }

}  // namespace

DiskFinalCheckpoints::DiskFinalCheckpoints(const std::filesystem::path& store_folder, FileSystem& files, std::function<Hdf5LayoutFunction()> layout)
    : folder_(store_folder, "ends", files, std::move(layout)) {}

std::optional<CheckpointPosition> DiskFinalCheckpoints::longest_prefix(const Recipe& base, std::int64_t target) {
    return folder_.newest(key_of(base), number_of(target));
}

std::optional<Checkpoint> DiskFinalCheckpoints::load(const Recipe& base, std::int64_t target, std::vector<std::string>& damaged) {
    return folder_.load(key_of(base), damaged, number_of(target));
}

void DiskFinalCheckpoints::keep(const Recipe& base, const Digest& of, const CheckpointPosition& place, const NamedArrays& state) {
    const std::uint64_t number = number_of(place.epoch);
    const auto numbers = folder_.numbers_of(key_of(base));
    if (std::ranges::find(numbers, number) != numbers.end()) return;
    static_cast<void>(folder_.write(base, of, place, state, number));
}

}  // namespace satdl
