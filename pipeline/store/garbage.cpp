#include "pipeline/store/garbage.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "pipeline/core/error.h"
#include "pipeline/store/key_claims.h"
#include "pipeline/store/layout.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

constexpr double kSecondsPerDay = 86400;

// A time in the future is as far from now as one in the past: whichever way a clock was wrong, what was written just now stays, and nothing
// stays for ever.
double age_seconds(const FileStamp& stamp, double now) { return std::abs(now - static_cast<double>(stamp.modified_nanoseconds) / 1e9); }

std::string kind_of(const Recipe& recipe) {
    const KeyPart* const kind = find_part(recipe, "kind");
    return kind == nullptr ? "" : kind->value;
}

// "<key>.<n>.h5": the key.
std::optional<Digest> key_in(std::string_view name) { return Digest::from_hex(name.substr(0, name.find('.'))); }

struct Contents {
    std::vector<UnusedArtifact> unused;
    std::size_t count = 0;    // of all artifacts, used and unused
    std::uint64_t bytes = 0;  // theirs
};

Contents contents_of(OpenStore& open, const std::set<Digest>& used, double now) {
    Contents contents;
    for (const Digest& key : open.store().keys()) {
        const auto stamp = open.files().stamp(open.store().path_of(key));
        if (!stamp) continue;
        UnusedArtifact artifact{.key = key, .bytes = stamp->bytes, .age_days = age_seconds(*stamp, now) / kSecondsPerDay};
        if (!used.contains(key)) {
            try {
                if (const auto header = open.store().header(key)) artifact.kind = kind_of(header->recipe);
            } catch (const DamagedArtifact&) {
                continue;  // read_header() has moved it to quarantine
            }
            artifact.seconds = open.index().seconds(key, artifact.kind);
            contents.unused.push_back(std::move(artifact));
        }
        ++contents.count;
        contents.bytes += stamp->bytes;
    }
    return contents;
}

// A final checkpoint goes with the artifact of the training that it ended; one whose artifact is gone already goes, too.
std::vector<CheckpointFiles::Entry> final_checkpoints_of(OpenStore& open, const std::vector<UnusedArtifact>& going) {
    std::set<Digest> staying;
    for (const Digest& key : open.store().keys()) staying.insert(key);
    for (const UnusedArtifact& artifact : going) staying.erase(artifact.key);
    auto entries = open.final_checkpoints().entries();
    std::erase_if(entries, [&](const CheckpointFiles::Entry& entry) { return staying.contains(entry.of); });
    return entries;
}

std::vector<LeftoverFile> leftovers_of(OpenStore& open, const std::set<Digest>& used, const GarbagePolicy& policy, double now) {
    std::vector<LeftoverFile> found;
    const auto look_into = [&](const fs::path& folder, const auto& stays) {
        for (const std::string& name : open.files().list(folder)) {
            const auto stamp = open.files().stamp(folder / name);
            if (!stamp || stays(name) || age_seconds(*stamp, now) < policy.older_days * kSecondsPerDay) continue;
            found.push_back({folder / name, stamp->bytes});
        }
    };
    look_into(open.folder() / store_layout::kCheckpoints, [&](const std::string& name) {
        const auto key = key_in(name);
        return !key || used.contains(*key);
    });
    // An artifact in quarantine stays while `cache verify --repair` may still recompute it.
    look_into(open.folder() / store_layout::kQuarantine, [&](const std::string& name) {
        const auto key = key_in(name);
        return key && used.contains(*key) && !open.files().stamp(open.store().path_of(*key));
    });
    const fs::path claims = open.folder() / store_layout::kClaims;
    look_into(claims, [&](const std::string& name) { return is_claim_held(claims / name); });
    const std::string damaged_index = fmt::format("{}{}", store_layout::kIndex, store_layout::kDamagedExtension);
    look_into(open.folder(), [&](const std::string& name) { return !name.starts_with(damaged_index); });
    return found;
}

// A link may lead to a folder of links, or to another link. One that leads nowhere still names an artifact, which may be in quarantine.
void add_linked(const fs::path& folder, std::set<Digest>& keys, std::set<fs::path>& visited) {
    if (!visited.insert(fs::canonical(folder)).second) return;
    for (const auto& entry : fs::directory_iterator(folder)) {
        std::error_code error;
        if (entry.is_directory(error)) add_linked(entry.path(), keys, visited);
        if (!entry.is_symlink()) continue;
        for (const fs::path& target : {fs::read_symlink(entry.path()), fs::canonical(entry.path(), error)})
            if (const auto key = Digest::from_hex(target.stem().string())) keys.insert(*key);
    }
}

}  // namespace

std::set<Digest> linked_artifacts(const fs::path& results) {
    std::set<Digest> keys;
    std::set<fs::path> visited;
    try {
        add_linked(results, keys, visited);
    } catch (const fs::filesystem_error& error) {
        throw Error(ExitCode::Usage,
                    fmt::format("cannot read '{}' with the links to current artifacts: {}", printable(error.path1().string()),
                                error.code().message()),
                    "use --results for another folder");
    }
    return keys;
}

std::vector<UnusedArtifact> choose_garbage(std::vector<UnusedArtifact> unused, std::uint64_t all_bytes, const GarbagePolicy& policy) {
    std::erase_if(unused, [&](const UnusedArtifact& artifact) { return artifact.age_days < policy.older_days; });
    std::ranges::sort(unused, {}, [](const UnusedArtifact& artifact) {
        const auto bytes = static_cast<double>(std::max<std::uint64_t>(artifact.bytes, 1));
        return std::tuple(!artifact.seconds, artifact.seconds.value_or(0) / bytes, artifact.key);
    });
    if (policy.to_bytes == 0) return unused;
    auto end = unused.begin();
    while (end != unused.end() && all_bytes > policy.to_bytes) all_bytes -= (end++)->bytes;
    unused.erase(end, unused.end());
    return unused;
}

Garbage find_garbage(OpenStore& open, const std::set<Digest>& used, const GarbagePolicy& policy, double now) {
    Contents contents = contents_of(open, used, now);
    Garbage garbage;
    garbage.artifacts = choose_garbage(std::move(contents.unused), contents.bytes, policy);
    garbage.final_checkpoints = final_checkpoints_of(open, garbage.artifacts);
    garbage.leftovers = leftovers_of(open, used, policy, now);
    garbage.kept = contents.count - garbage.artifacts.size();
    garbage.kept_bytes = contents.bytes;
    for (const UnusedArtifact& artifact : garbage.artifacts) garbage.kept_bytes -= artifact.bytes;
    return garbage;
}

void remove_garbage(OpenStore& open, const Garbage& garbage) {
    for (const UnusedArtifact& artifact : garbage.artifacts) {
        open.store().erase(artifact.key);
        fs::remove_all(open.folder() / store_layout::kFiles / artifact.key.hex());
    }
    for (const auto& entry : garbage.final_checkpoints) open.final_checkpoints().erase(entry);
    for (const LeftoverFile& leftover : garbage.leftovers) open.files().remove(leftover.path);
}

}  // namespace satdl
