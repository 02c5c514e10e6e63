#include "pipeline/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".h5";
constexpr const char* kPort = "state";
constexpr std::size_t kKept = 2;

// The parts that a checkpoint's recipe has beside the node's.
constexpr std::array<std::pair<std::string_view, std::int64_t CheckpointPlace::*>, 4> kPlaceParts{{
    {"checkpoint epoch", &CheckpointPlace::epoch},
    {"checkpoint epochs", &CheckpointPlace::epochs},
    {"checkpoint step", &CheckpointPlace::step},
    {"checkpoint steps", &CheckpointPlace::steps},
}};

const StageDescription& description() {
    static const StageDescription made{
        .kind = "checkpoint", .outputs = {{.name = kPort, .kind = PortKind::Model}}};  // a group of arrays by name
    return made;
}

std::int64_t number_in(std::string_view text) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// The header of a checkpoint of this node's. Throws DamagedObject where it is something else.
ObjectHeader header_of(FileSystem& files, const fs::path& path, const Digest& key, CheckpointPlace& place) {
    ObjectHeader header = read_header(files, path);
    const Recipe& recipe = header.recipe;
    const std::size_t own = recipe.size() - std::min(recipe.size(), kPlaceParts.size());
    for (std::size_t i = 0; i < kPlaceParts.size(); ++i) {
        if (own + i >= recipe.size() || recipe[own + i].name != kPlaceParts[i].first) throw DamagedObject(path, "it is no checkpoint");
        place.*kPlaceParts[i].second = number_in(recipe[own + i].value);
    }
    if (key_of(Recipe(recipe.begin(), recipe.begin() + static_cast<std::ptrdiff_t>(own))) != key) {
        throw DamagedObject(path, "it is a checkpoint of another key");
    }
    return header;
}

// "<key>.<n>.h5"
std::optional<std::pair<Digest, std::uint64_t>> parsed(std::string_view name) {
    if (!name.ends_with(kExtension)) return std::nullopt;
    name.remove_suffix(kExtension.size());
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const auto key = Digest::from_hex(name.substr(0, dot));
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data() + dot + 1, name.data() + name.size(), number);
    if (!key || error != std::errc() || end != name.data() + name.size()) return std::nullopt;
    return std::pair(*key, number);
}

}  // namespace

double CheckpointPlace::share() const {
    const double all = static_cast<double>(epochs) * static_cast<double>(std::max<std::int64_t>(1, steps));
    if (all <= 0) return 0;
    const double done = static_cast<double>(epoch - 1) * static_cast<double>(std::max<std::int64_t>(1, steps)) + static_cast<double>(step);
    return std::clamp(done / all, 0.0, 1.0);
}

std::string CheckpointPlace::text() const {
    const std::string where = steps > 0 && step >= steps ? fmt::format("the end of epoch {}", epoch) : fmt::format("epoch {}, step {}", epoch, step);
    return fmt::format("{}, {:.0f} %", where, 100 * share());
}

CheckpointPlace place_of(const Progress& at) { return {at.epoch, at.epochs, at.epoch_ended ? at.steps : at.step, at.steps}; }

DiskCheckpoints::DiskCheckpoints(const fs::path& store_folder, FileSystem& files, std::function<Hdf5LayoutFunction()> layout)
    : folder_(store_folder / "checkpoints"), quarantine_(store_folder / "quarantine"), files_(files), layout_(std::move(layout)),
      staging_(store_folder / "tmp", files) {}

fs::path DiskCheckpoints::path_of(const Digest& key, std::uint64_t number) const {
    return folder_ / fmt::format("{}.{}{}", key.hex(), number, kExtension);
}

// Newest first. The folder is listed once: a plan asks for every stage that is to run.
std::vector<std::uint64_t> DiskCheckpoints::numbers_of(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    if (!known_) {
        known_.emplace();
        for (const std::string& name : files_.list(folder_)) {
            if (const auto found = parsed(name)) (*known_)[found->first].push_back(found->second);
        }
    }
    const auto found = known_->find(key);
    std::vector<std::uint64_t> numbers = found == known_->end() ? std::vector<std::uint64_t>{} : found->second;
    std::ranges::sort(numbers, std::greater());
    return numbers;
}

std::optional<CheckpointPlace> DiskCheckpoints::newest(const Digest& key) {
    try {
        for (const std::uint64_t number : numbers_of(key)) {
            try {
                CheckpointPlace place;
                static_cast<void>(header_of(files_, path_of(key, number), key, place));
                return place;
            } catch (const Error&) {  // gone meanwhile, or damaged: load() tells
            }
        }
    } catch (const FileError&) {  // the folder cannot be read: nothing to go on from
    }
    return std::nullopt;
}

std::optional<Checkpoint> DiskCheckpoints::load(const Digest& key) {
    Checkpoint checkpoint;
    for (const std::uint64_t number : numbers_of(key)) {
        const fs::path path = path_of(key, number);
        try {
            const ObjectHeader header = header_of(files_, path, key, checkpoint.place);
            const MappedFile file = files_.map(path);
            verify_object(header, file.bytes, path);
            checkpoint.state = view_object(header, file).outputs.at(kPort);
            return checkpoint;
        } catch (const DamagedObject& error) {
            quarantine(path);
            checkpoint.damaged.emplace_back(error.diagnostics().front().message);
        } catch (const FileError&) {  // gone meanwhile, or it cannot be read: an older one will do
        }
    }
    return std::nullopt;
}

void DiskCheckpoints::keep(const Recipe& recipe, const CheckpointPlace& place, const Group& state) {
    const Digest key = key_of(recipe);
    Recipe placed = recipe;
    for (const auto& [name, member] : kPlaceParts) placed.push_back({std::string(name), std::to_string(place.*member)});
    Outcome outcome;
    outcome.outputs[kPort] = state;
    const ObjectImage image = make_object(placed, description(), outcome, layout_());
    prepare();
    std::vector<std::uint64_t> numbers = numbers_of(key);
    std::uint64_t number = numbers.empty() ? 1 : numbers.front() + 1;
    // Another process that makes the same may have taken the number: its checkpoint is as good, ours comes after it.
    while (staging_.write_and_link(image.header.file_bytes, image.extents, path_of(key, number)) == LinkResult::AlreadyThere) ++number;
    files_.sync_folder(folder_);
    numbers.insert(numbers.begin(), number);
    while (numbers.size() > kKept) {
        files_.remove(path_of(key, numbers.back()));
        numbers.pop_back();
    }
    const std::scoped_lock lock(mutex_);
    (*known_)[key] = std::move(numbers);
}

void DiskCheckpoints::drop(const Digest& key) {
    try {
        for (const std::uint64_t number : numbers_of(key)) files_.remove(path_of(key, number));
    } catch (const FileError&) {  // they only take space, and the outcome comes before them
    }
    const std::scoped_lock lock(mutex_);
    if (known_) known_->erase(key);
}

void DiskCheckpoints::prepare() {
    const std::scoped_lock lock(mutex_);
    if (prepared_) return;
    staging_.prepare();
    files_.make_folders(folder_);
    files_.sync_folder(folder_.parent_path());  // another process may have made it, and died
    prepared_ = true;
}

void DiskCheckpoints::quarantine(const fs::path& path) {
    try {
        files_.make_folders(quarantine_);
        files_.rename(path, quarantine_ / fmt::format("checkpoint-{}", path.filename().string()));
    } catch (const FileError&) {  // it stays, and is never used
    }
}

}  // namespace satdl
