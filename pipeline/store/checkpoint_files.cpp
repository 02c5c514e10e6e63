#include "pipeline/store/checkpoint_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".h5";
constexpr const char* kPort = "state";

// The parts that a checkpoint's recipe has at its end.
constexpr std::array<std::pair<std::string_view, std::int64_t CheckpointPosition::*>, 4> kPlaceParts{{
    {"checkpoint epoch", &CheckpointPosition::epoch},
    {"checkpoint epochs", &CheckpointPosition::epochs},
    {"checkpoint step", &CheckpointPosition::step},
    {"checkpoint steps", &CheckpointPosition::steps},
}};
constexpr std::string_view kOfPart = "checkpoint of";

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

struct Header {
    ArtifactHeader object;
    CheckpointPosition place;
    Digest of;
};

// The header of a checkpoint under this key. Throws DamagedArtifact where it is something else.
Header header_of(FileSystem& files, const fs::path& path, const Digest& key) {
    Header header{read_header(files, path), {}, {}};
    Recipe recipe = header.object.recipe;
    constexpr std::size_t kParts = kPlaceParts.size() + 1;
    if (recipe.size() < kParts || recipe.back().name != kOfPart) throw DamagedArtifact(path, "it is no checkpoint");
    const auto of = Digest::from_hex(recipe.back().value);
    if (!of) throw DamagedArtifact(path, "it says of no key whose it is");
    header.of = *of;
    const std::size_t own = recipe.size() - kParts;
    for (std::size_t i = 0; i < kPlaceParts.size(); ++i) {
        if (recipe[own + i].name != kPlaceParts[i].first) throw DamagedArtifact(path, "it is no checkpoint");
        header.place.*kPlaceParts[i].second = number_in(recipe[own + i].value);
    }
    recipe.resize(own);
    if (key_of(recipe) != key) throw DamagedArtifact(path, "it is a checkpoint of another key");
    return header;
}

struct Whole {
    Header header;
    MappedFile file;
};

// With every byte verified. Throws DamagedArtifact, FileError.
Whole read_whole(FileSystem& files, const fs::path& path, const Digest& key) {
    Whole whole{header_of(files, path, key), files.map(path)};
    verify_artifact(whole.header.object, whole.file.bytes, path);
    return whole;
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

double CheckpointPosition::share() const {
    const double all = static_cast<double>(epochs) * static_cast<double>(std::max<std::int64_t>(1, steps));
    if (all <= 0) return 0;
    const double done = static_cast<double>(epoch - 1) * static_cast<double>(std::max<std::int64_t>(1, steps)) + static_cast<double>(step);
    return std::clamp(done / all, 0.0, 1.0);
}

std::string CheckpointPosition::text() const {
    const std::string where = steps > 0 && step >= steps ? fmt::format("the end of epoch {}", epoch) : fmt::format("epoch {}, step {}", epoch, step);
    return fmt::format("{}, {:.0f} %", where, 100 * share());
}

CheckpointPosition place_of(const Progress& at) { return {at.epoch, at.epochs, at.epoch_ended ? at.steps : at.step, at.steps}; }

bool is_farther(const CheckpointPosition& place, const CheckpointPosition& other) {
    return std::pair(place.epoch, place.step) > std::pair(other.epoch, other.step);
}

CheckpointFiles::CheckpointFiles(const fs::path& store_folder, const std::string& name, FileSystem& files,
                                   std::function<Hdf5LayoutFunction()> layout)
    : folder_(store_folder / name), quarantine_(store_folder / "quarantine"), files_(files), layout_(std::move(layout)),
      staging_(store_folder / "tmp", files) {}

fs::path CheckpointFiles::path_of(const Digest& key, std::uint64_t number) const {
    return folder_ / fmt::format("{}.{}{}", key.hex(), number, kExtension);
}

// Once: a plan asks for every stage that is to run. Called with mutex_ held.
void CheckpointFiles::list() {
    if (known_) return;
    known_.emplace();
    for (const std::string& name : files_.list(folder_)) {
        if (const auto found = parsed(name)) (*known_)[found->first].push_back(found->second);
    }
}

std::vector<std::uint64_t> CheckpointFiles::numbers_of(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    list();
    const auto found = known_->find(key);
    std::vector<std::uint64_t> numbers = found == known_->end() ? std::vector<std::uint64_t>{} : found->second;
    std::ranges::sort(numbers, std::greater());
    return numbers;
}

std::optional<CheckpointPosition> CheckpointFiles::newest(const Digest& key, std::uint64_t max) {
    try {
        for (const std::uint64_t number : numbers_of(key)) {
            if (number > max) continue;
            try {
                return header_of(files_, path_of(key, number), key).place;
            } catch (const Error&) {  // gone meanwhile, or damaged: load() tells
            }
        }
    } catch (const FileError&) {  // the folder cannot be read: nothing to go on from
    }
    return std::nullopt;
}

std::optional<Checkpoint> CheckpointFiles::load(const Digest& key, std::vector<std::string>& damaged, std::uint64_t max) {
    for (const std::uint64_t number : numbers_of(key)) {
        if (number > max) continue;
        const fs::path path = path_of(key, number);
        try {
            const Whole whole = read_whole(files_, path, key);
            return Checkpoint{whole.header.place, view_artifact(whole.header.object, whole.file).outputs.at(kPort)};
        } catch (const DamagedArtifact& error) {
            quarantine(path);
            damaged.emplace_back(error.diagnostics().front().message);
        } catch (const FileError&) {  // gone meanwhile, or it cannot be read: another one will do
        }
    }
    return std::nullopt;
}

VerifiedFiles CheckpointFiles::verify() {
    VerifiedFiles verified;
    for (const std::string& name : files_.list(folder_)) {
        const auto found = parsed(name);
        if (!found) continue;
        const fs::path path = folder_ / name;
        try {
            verified.bytes += read_whole(files_, path, found->first).header.object.file_bytes;
            ++verified.good;
        } catch (const DamagedArtifact& error) {
            quarantine(path);
            verified.damaged.emplace_back(error.diagnostics().front().message);
        } catch (const FileError& error) {
            if (error.number() != ENOENT) throw;  // dropped meanwhile
        }
    }
    return verified;
}

bool CheckpointFiles::write(const Recipe& recipe, const Digest& of, const CheckpointPosition& place, const NamedArrays& state,
                             std::uint64_t number) {
    const Digest key = key_of(recipe);
    Recipe placed = recipe;
    for (const auto& [name, member] : kPlaceParts) placed.push_back({std::string(name), std::to_string(place.*member)});
    placed.push_back({std::string(kOfPart), of.hex()});
    StageOutput outcome;
    outcome.outputs[kPort] = state;
    const ArtifactImage image = make_artifact(placed, description(), outcome, layout_());
    prepare();
    if (staging_.write_and_link(image.header.file_bytes, image.extents, path_of(key, number)) == LinkResult::AlreadyThere) return false;
    files_.sync_folder(folder_);
    const std::scoped_lock lock(mutex_);
    list();
    std::vector<std::uint64_t>& numbers = (*known_)[key];
    if (std::ranges::find(numbers, number) == numbers.end()) numbers.push_back(number);
    return true;
}

void CheckpointFiles::remove(const Digest& key, std::uint64_t number) {
    files_.remove(path_of(key, number));
    const std::scoped_lock lock(mutex_);
    if (known_) std::erase((*known_)[key], number);
}

std::vector<CheckpointFiles::Entry> CheckpointFiles::entries() {
    std::vector<Entry> entries;
    for (const std::string& name : files_.list(folder_)) {
        const auto found = parsed(name);
        if (!found) continue;
        const auto& [key, number] = *found;
        try {
            const Header header = header_of(files_, path_of(key, number), key);
            entries.push_back({key, number, header.of, header.object.file_bytes});
        } catch (const Error&) {  // gone meanwhile, or damaged: load() tells
        }
    }
    return entries;
}

void CheckpointFiles::prepare() {
    const std::scoped_lock lock(mutex_);
    if (prepared_) return;
    staging_.prepare();
    files_.make_folders(folder_);
    files_.sync_folder(folder_.parent_path());  // another process may have made it, and died
    prepared_ = true;
}

void CheckpointFiles::quarantine(const fs::path& path) {
    try {
        files_.make_folders(quarantine_);
        files_.rename(path, quarantine_ / fmt::format("{}-{}", folder_.filename().string(), path.filename().string()));
    } catch (const FileError&) {  // it stays, and is never used
    }
}

}  // namespace satdl
