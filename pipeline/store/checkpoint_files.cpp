#include "pipeline/store/checkpoint_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "pipeline/store/layout.h"
#include "pipeline/store/quarantine.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPort = "state";
constexpr std::size_t kRetained = 2;

// The parts that a checkpoint's recipe has at its end.
constexpr std::array<std::pair<std::string_view, std::int64_t CheckpointPosition::*>, 4> kPositionParts{{
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
    ArtifactHeader artifact;
    CheckpointPosition position;
    Digest of;
};

// The header of a checkpoint under this key. Throws DamagedArtifact where it is something else.
Header header_of(File& file, const Digest& key) {
    Header header{read_header(file), {}, {}};
    Recipe recipe = header.artifact.recipe;
    constexpr std::size_t kParts = kPositionParts.size() + 1;
    if (recipe.size() < kParts || recipe.back().name != kOfPart) throw DamagedArtifact(file.path(), "it is not a checkpoint");
    const auto of = Digest::from_hex(recipe.back().value);
    if (!of) throw DamagedArtifact(file.path(), "it does not name the key that it belongs to");
    header.of = *of;
    const std::size_t own = recipe.size() - kParts;
    for (std::size_t i = 0; i < kPositionParts.size(); ++i) {
        if (recipe[own + i].name != kPositionParts[i].first) throw DamagedArtifact(file.path(), "it is not a checkpoint");
        header.position.*kPositionParts[i].second = number_in(recipe[own + i].value);
    }
    recipe.resize(own);
    if (key_of(recipe) != key) throw DamagedArtifact(file.path(), "it is a checkpoint of another key");
    return header;
}

// "<key>.<n>.h5"
std::optional<std::pair<Digest, std::uint64_t>> parsed(std::string_view name) {
    if (!name.ends_with(store_layout::kArtifactExtension)) return std::nullopt;
    name.remove_suffix(store_layout::kArtifactExtension.size());
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const auto key = Digest::from_hex(name.substr(0, dot));
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data() + dot + 1, name.data() + name.size(), number);
    if (!key || error != std::errc() || end != name.data() + name.size()) return std::nullopt;
    return std::pair(*key, number);
}

std::string_view folder_of(Retention retention) {
    return retention == Retention::First ? store_layout::kFinalCheckpoints : store_layout::kCheckpoints;
}

}  // namespace

struct CheckpointFiles::Loaded {
    ArtifactHeader artifact;
    CheckpointPosition position;
    MappedFile file;
};

CheckpointFiles::CheckpointFiles(fs::path store_folder, Retention retention, FileSystem& files, std::function<Hdf5LayoutFunction()> layout)
    : store_folder_(std::move(store_folder)), retention_(retention), folder_(store_folder_ / folder_of(retention)), files_(files),
      layout_(std::move(layout)), staging_(store_folder_ / store_layout::kStaging, files) {}

fs::path CheckpointFiles::path_of(const Digest& key, std::uint64_t number) const {
    return folder_ / fmt::format("{}.{}{}", key.hex(), number, store_layout::kArtifactExtension);
}

// Once, until look_again(): a plan asks for every stage that must run. Called with mutex_ held.
void CheckpointFiles::list() {
    if (known_) return;
    known_.emplace();
    for (const std::string& name : files_.list(folder_)) {
        if (const auto found = parsed(name)) (*known_)[found->first].push_back(found->second);
    }
}

// The greatest first. Throws FileError.
std::vector<std::uint64_t> CheckpointFiles::numbers_of(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    list();
    const auto found = known_->find(key);
    std::vector<std::uint64_t> numbers = found == known_->end() ? std::vector<std::uint64_t>{} : found->second;
    std::ranges::sort(numbers, std::greater());
    return numbers;
}

std::optional<CheckpointPosition> CheckpointFiles::newest(const Digest& key, std::int64_t max) {
    try {
        for (const std::uint64_t number : numbers_of(key)) {
            if (std::cmp_greater(number, max)) continue;
            try {
                return header_of(*files_.open(path_of(key, number)), key).position;
            } catch (const Error&) {  // gone meanwhile, or damaged: load() reports it
            }
        }
    } catch (const FileError&) {  // the folder cannot be read: nothing to start from
    }
    return std::nullopt;
}

// Every byte verified; a damaged one goes into quarantine. Throws DamagedArtifact, FileError.
CheckpointFiles::Loaded CheckpointFiles::read_whole(const fs::path& path, const Digest& key) {
    const std::unique_ptr<File> file = files_.open(path);
    try {
        Header header = header_of(*file, key);
        Loaded loaded{std::move(header.artifact), header.position, file->map()};
        verify_artifact(loaded.artifact, loaded.file.bytes, path);
        return loaded;
    } catch (const DamagedArtifact&) {
        quarantine(store_folder_, files_, *file, fmt::format("{}-{}", folder_.filename().string(), path.stem().string()));
        throw;
    }
}

std::optional<Checkpoint> CheckpointFiles::load(const Digest& key, std::vector<std::string>& damaged, std::int64_t max) {
    for (const std::uint64_t number : numbers_of(key)) {
        if (std::cmp_greater(number, max)) continue;
        try {
            const Loaded loaded = read_whole(path_of(key, number), key);
            return Checkpoint{loaded.position, view_artifact(loaded.artifact, loaded.file).outputs.at(kPort)};
        } catch (const DamagedArtifact& error) {
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
        try {
            verified.bytes += read_whole(folder_ / name, found->first).artifact.file_bytes;
            ++verified.good;
        } catch (const DamagedArtifact& error) {
            verified.damaged.emplace_back(error.diagnostics().front().message);
        } catch (const FileError& error) {
            if (error.number() != ENOENT) throw;  // removed meanwhile
        }
    }
    return verified;
}

void CheckpointFiles::write(const Recipe& recipe, const Digest& of, const CheckpointPosition& position, const NamedArrays& state) {
    const Digest key = key_of(recipe);
    const std::vector<std::uint64_t> numbers = numbers_of(key);
    const auto epochs = static_cast<std::uint64_t>(std::max<std::int64_t>(position.epoch, 0));
    if (retention_ == Retention::First && std::ranges::find(numbers, epochs) != numbers.end()) return;

    Recipe placed = recipe;
    for (const auto& [name, member] : kPositionParts) placed.push_back({std::string(name), std::to_string(position.*member)});
    placed.push_back({std::string(kOfPart), of.hex()});
    StageOutput outcome;
    outcome.outputs[kPort] = state;
    const ArtifactImage image = make_artifact(placed, description(), outcome, layout_());
    prepare();
    if (retention_ == Retention::First) {
        (void)publish(image, key, epochs);  // false: another process was first, and its checkpoint is as good
        return;
    }
    std::uint64_t number = numbers.empty() ? 1 : numbers.front() + 1;
    // Another process that makes the same may have taken the number: its checkpoint is as good, ours comes after it.
    while (!publish(image, key, number)) ++number;
    for (std::size_t i = kRetained - 1; i < numbers.size(); ++i) remove(key, numbers[i]);
}

// Durable when it returns; false: the number is taken.
bool CheckpointFiles::publish(const ArtifactImage& image, const Digest& key, std::uint64_t number) {
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

void CheckpointFiles::look_again() {
    const std::scoped_lock lock(mutex_);
    known_.reset();
}

void CheckpointFiles::remove(const Digest& key) {
    try {
        for (const std::uint64_t number : numbers_of(key)) remove(key, number);
    } catch (const FileError&) {  // they only take space: the artifact comes before them
    }
}

std::vector<CheckpointFiles::Entry> CheckpointFiles::entries() {
    std::vector<Entry> entries;
    for (const std::string& name : files_.list(folder_)) {
        const auto found = parsed(name);
        if (!found) continue;
        const auto& [key, number] = *found;
        try {
            const Header header = header_of(*files_.open(path_of(key, number)), key);
            entries.push_back({key, number, header.of, header.artifact.file_bytes});
        } catch (const Error&) {  // gone meanwhile, or damaged: load() reports it
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

}  // namespace satdl
