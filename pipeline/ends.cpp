#include "pipeline/ends.h"

#include <algorithm>
#include <utility>

namespace satdl {
namespace {

std::uint64_t number_of(std::int64_t reached) { return static_cast<std::uint64_t>(std::max<std::int64_t>(reached, 0)); }

}  // namespace

DiskEnds::DiskEnds(const std::filesystem::path& store_folder, FileSystem& files, std::function<Hdf5LayoutFunction()> layout)
    : folder_(store_folder, "ends", files, std::move(layout)) {}

std::optional<CheckpointPlace> DiskEnds::farthest(const Continuation& continuation) {
    return folder_.newest(key_of(continuation.way), number_of(continuation.goal));
}

std::optional<Checkpoint> DiskEnds::load(const Continuation& continuation, std::vector<std::string>& damaged) {
    return folder_.load(key_of(continuation.way), damaged, number_of(continuation.goal));
}

void DiskEnds::keep(const Continuation& continuation, const Digest& of, const CheckpointPlace& place, const Group& state) {
    const std::uint64_t number = number_of(place.epoch);
    const auto numbers = folder_.numbers_of(key_of(continuation.way));
    if (std::ranges::find(numbers, number) != numbers.end()) return;
    static_cast<void>(folder_.write(continuation.way, of, place, state, number));
}

}  // namespace satdl
