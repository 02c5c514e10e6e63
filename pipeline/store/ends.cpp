#include "pipeline/store/ends.h"

#include <algorithm>
#include <utility>

namespace satdl {
namespace {

std::uint64_t number_of(std::int64_t reached) { return static_cast<std::uint64_t>(std::max<std::int64_t>(reached, 0)); }

}  // namespace

DiskEnds::DiskEnds(const std::filesystem::path& store_folder, FileSystem& files, std::function<Hdf5LayoutFunction()> layout)
    : folder_(store_folder, "ends", files, std::move(layout)) {}

std::optional<CheckpointPlace> DiskEnds::farthest(const Recipe& base, std::int64_t target) {
    return folder_.newest(key_of(base), number_of(target));
}

std::optional<Checkpoint> DiskEnds::load(const Recipe& base, std::int64_t target, std::vector<std::string>& damaged) {
    return folder_.load(key_of(base), damaged, number_of(target));
}

void DiskEnds::keep(const Recipe& base, const Digest& of, const CheckpointPlace& place, const NamedArrays& state) {
    const std::uint64_t number = number_of(place.epoch);
    const auto numbers = folder_.numbers_of(key_of(base));
    if (std::ranges::find(numbers, number) != numbers.end()) return;
    static_cast<void>(folder_.write(base, of, place, state, number));
}

}  // namespace satdl
