#include "pipeline/catalog/catalog.h"

#include <fmt/format.h>

#include <set>

#include "pipeline/catalog/command_kind.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBuiltIn = "libsatdl_stages.json";

// The parts between colons; empty ones left out.
std::vector<fs::path> split_paths(const std::vector<std::string>& lists) {
    std::vector<fs::path> paths;
    for (const std::string& list : lists) {
        for (std::size_t from = 0; from <= list.size();) {
            const std::size_t colon = std::min(list.find(':', from), list.size());
            if (colon > from) paths.emplace_back(list.substr(from, colon - from));
            from = colon + 1;
        }
    }
    return paths;
}

}  // namespace

void Catalog::add(LibraryManifest manifest) {
    for (StageDescription& description : manifest.stages) {
        const auto known = entries_.find(description.kind);
        if (known != entries_.end()) {
            if (known->second->library.empty())
                throw Error(
                    ExitCode::Usage,
                    fmt::format("{} defines the stage kind '{}', which is satdl's own", manifest.library.string(), description.kind),
                    "rename the stage kind");
            throw Error(ExitCode::Usage, fmt::format("two stage libraries define the stage kind '{}': {} and {}", description.kind,
                                                     known->second->library.string(), manifest.library.string()),
                        "load only one of them, or rename the stage kind in one");
        }
        std::string kind = description.kind;
        auto entry = std::make_shared<CatalogEntry>();
        if (description.numeric) entry->numerics = manifest.numerics;
        entry->description = std::move(description);
        entry->library = manifest.library;
        entry->finds_gpus = manifest.finds_gpus;
        entry->identity = manifest.identity;
        entry->manifest_identity = manifest.manifest_identity;
        entry->library_digest = manifest.library_digest;
        entries_.emplace(std::move(kind), std::move(entry));
    }
}

const CatalogEntry* Catalog::find(std::string_view kind) const {
    const auto found = entries_.find(kind);
    return found == entries_.end() ? nullptr : found->second.get();
}

std::vector<std::string> Catalog::kinds() const {
    std::vector<std::string> kinds;
    kinds.reserve(entries_.size());
    for (const auto& [kind, entry] : entries_) kinds.push_back(kind);
    return kinds;
}

Catalog load_catalog(const fs::path& program_folder, const std::vector<std::string>& extra) {
    std::vector<fs::path> manifests = split_paths(extra);
    for (fs::path& path : manifests) path = manifest_of(path);
    // A build without LibTorch has no stages of its own; it can still run programs and the stages of others.
    const fs::path built_in = program_folder / kBuiltIn;
    if (fs::exists(built_in)) manifests.insert(manifests.begin(), built_in);

    Catalog catalog;
    catalog.add({.stages = {command_kind()}});
    std::set<fs::path> seen;  // one library may be named by $SATDL_STAGES and by --stages
    for (const fs::path& path : manifests) {
        if (seen.insert(fs::weakly_canonical(path)).second) catalog.add(read_manifest(path));
    }
    return catalog;
}

}  // namespace satdl
