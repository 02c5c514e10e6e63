#include "pipeline/records/link_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "pipeline/core/digest.h"
#include "pipeline/core/error.h"
#include "pipeline/os/symbolic_link.h"
#include "pipeline/records/results_note.h"
#include "pipeline/store/layout.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

constexpr std::size_t kLongestName = 200;  // bytes: file systems take 255, and a link's name gets a suffix

// objects/ab/<key>.h5, below any folder.
bool is_path_of_artifact(const fs::path& path) {
    return path.extension() == store_layout::kArtifactExtension && Digest::from_hex(path.stem().string()) &&
           path.parent_path().parent_path().filename() == store_layout::kArtifacts;
}

// The stage of which a sweep made this variant: "m1" of "m1[seed=1]". A '[' is the same in the name of a file.
std::string_view base_of(std::string_view name) { return name.substr(0, name.find('[')); }

using Names = std::set<std::string, std::less<>>;

// Those of `names` that are links of stages that the DAG does not have.
std::vector<std::string> gone_of(const Names& names, const fs::path& folder, const Dag& dag) {
    std::vector<std::string> gone;
    const auto may_be_link = [](const std::string& name) { return name.ends_with(store_layout::kArtifactExtension); };
    if (std::ranges::none_of(names, may_be_link)) return gone;
    Names known;
    for (const Node& node : dag.nodes) known.insert({file_name_of(node.name), file_name_of(base_of(node.name))});
    for (const std::string& name : names) {
        if (!may_be_link(name)) continue;
        const std::string_view stage = std::string_view(name).substr(0, name.size() - store_layout::kArtifactExtension.size());
        if (!known.contains(stage) && !known.contains(base_of(stage)) && is_artifact_link(folder / name)) gone.push_back(name);
    }
    return gone;
}

Names names_in(const fs::path& folder, FileSystem& files) {
    std::vector<std::string> names = files.list(folder);
    return {std::make_move_iterator(names.begin()), std::make_move_iterator(names.end())};
}

}  // namespace

std::string file_name_of(std::string_view name) {
    std::string text;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = byte > 0x20 && byte != 0x7F && std::string_view("/\\%<>:\"|?*").find(c) == std::string_view::npos;
        const bool at_start = i == 0 && (c == '.' || c == '-');
        text += plain && !at_start ? std::string(1, c) : fmt::format("%{:02X}", byte);
    }
    if (text.size() <= kLongestName) return text;
    return text.substr(0, kLongestName - 13) + "%" + sha256(name).short_hex();
}

std::string link_name_of(std::string_view stage) { return file_name_of(stage) + std::string(store_layout::kArtifactExtension); }

bool is_artifact_link(const fs::path& link) {
    const auto target = link_target(link);
    return target && is_path_of_artifact(*target);
}

fs::path last_link(const fs::path& results) { return results / ".last"; }

std::optional<std::string> last_folder(const fs::path& results) {
    const auto target = link_target(last_link(results));
    return target && target->find('/') == std::string::npos && !target->starts_with('.') ? target : std::nullopt;
}

std::vector<std::string> links_of_gone_stages(const fs::path& folder, const Dag& dag, FileSystem& files) {
    return gone_of(names_in(folder, files), folder, dag);
}

void link_results(const fs::path& results, const Dag& dag, const std::vector<CurrentArtifact>& current, const fs::path& store,
                  FileSystem& files, const std::function<void(const std::string&)>& warn) {
    const fs::path folder = results / file_name_of(dag.name);
    files.make_folders(folder);
    // Texts and not paths from here on: this is all that a run in which nothing ran does for each stage.
    const std::string to_store = fs::canonical(store).lexically_relative(fs::canonical(folder));
    if (!write_results_note(folder, dag, files))
        warn(fmt::format("'{}' is not a file that satdl made: it stays, and `satdl ls` cannot tell what is stale",
                         note_path(folder).string()));
    Names present = names_in(folder, files);
    bool changed = false;
    for (const auto& [stage, artifact] : current) {
        SATDL_CHECK(artifact.starts_with(store.native()), "an artifact is in the store");
        const std::string name = link_name_of(stage), link = folder.native() + "/" + name;
        const std::string target = to_store + "/" + artifact.substr(artifact.find(store_layout::kArtifacts, store.native().size()));
        const bool is_there = present.erase(name) > 0;
        if (is_there && link_target(link) == target) continue;
        if (is_there && !is_artifact_link(link)) {
            warn(fmt::format("'{}' is not a link that satdl made: it stays, and there is no link to the artifact of {}", link, stage));
            continue;
        }
        files.point_link(target, link);
        changed = true;
    }
    for (const std::string& name : gone_of(present, folder, dag)) {
        files.remove(folder / name);
        changed = true;
    }
    if (changed) files.sync_folder(folder);
    std::error_code unknown;
    const fs::path last = last_link(results);
    if (fs::exists(fs::symlink_status(last, unknown)) && !last_folder(results))
        warn(fmt::format("'{}' is not a link that satdl made: it stays, and does not lead to the results of {}", last.string(), dag.name));
    else files.point_link(file_name_of(dag.name), last);
}

}  // namespace satdl
