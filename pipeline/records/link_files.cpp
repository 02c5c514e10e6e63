#include "pipeline/records/link_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "pipeline/os/symbolic_link.h"
#include "pipeline/store/artifact.h"
#include "pipeline/store/file_arrays.h"
#include "pipeline/store/layout.h"
#include "pipeline/store/process_mark.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

bool has_files(const Node& node) {
    return node.command && std::ranges::any_of(node.stage->description.outputs, [](const PortDescription& port) {
        return port.kind == PortKind::File || port.kind == PortKind::Folder;
    });
}

// files/<key> below any folder.
bool is_path_of_files(const fs::path& path) {
    return Digest::from_hex(path.filename().string()) && path.parent_path().filename() == store_layout::kFiles;
}

// Written beside its place, then named: whoever dies in between leaves nothing that looks whole.
void extract(const fs::path& artifact, const fs::path& to, const fs::path& store, FileSystem& files) {
    const auto opened = files.open(artifact);
    const ArtifactHeader header = read_header(files, artifact);
    const StageOutput outcome = view_artifact(header, opened->map());
    const fs::path draft = store / store_layout::kWork / name_with_process(to.filename().string(), 0);
    fs::remove_all(draft);
    fs::create_directories(draft);
    for (const auto& [port, kind] : header.ports) {
        const NamedArrays& group = outcome.outputs.at(port);
        if (kind == PortKind::Folder) write_files(group, draft / port);
        if (kind == PortKind::File)
            for (const auto& [name, bytes] : group)
                write_file(name, bytes, draft / (port + fs::path(path_of_file(name)).extension().string()));
    }
    fs::create_directories(to.parent_path());
    std::error_code error;
    fs::rename(draft, to, error);
    if (error) fs::remove_all(draft);  // another process was faster
    if (error && !fs::exists(to)) throw Error(ExitCode::Store, fmt::format("cannot make {}: {}", printable(to.string()), error.message()));
}

}  // namespace

void link_files(const fs::path& folder, const Dag& dag, const std::vector<CurrentArtifact>& current, const fs::path& store,
                FileSystem& files, const std::function<void(const std::string&)>& warn) {
    std::set<std::string, std::less<>> with_files;
    for (const Node& node : dag.nodes)
        if (has_files(node)) with_files.insert(node.name);
    if (with_files.empty() && !files.stamp(store / store_layout::kFiles)) return;
    std::set<std::string> kept;  // names of links
    for (const std::string& name : with_files) kept.insert(file_name_of(name));
    for (const auto& [stage, artifact] : current) {
        if (!with_files.contains(stage)) continue;
        const fs::path extracted = store / store_layout::kFiles / fs::path(artifact).stem();
        if (!fs::exists(extracted) && !files.stamp(artifact)) {  // only a remote has it: no link is better than one to older files
            kept.erase(file_name_of(stage));
            continue;
        }
        if (!fs::exists(extracted)) extract(artifact, extracted, store, files);
        const fs::path link = folder / file_name_of(stage);
        const auto target = link_target(link);
        if (fs::exists(fs::symlink_status(link)) && !(target && is_path_of_files(*target))) {
            warn(
                fmt::format("'{}' is not a link that satdl made: it stays, and there is no link to the files of {}", link.string(), stage));
            continue;
        }
        files.point_link(fs::canonical(store).lexically_relative(fs::canonical(folder)) / store_layout::kFiles / extracted.filename(),
                         link);
    }
    for (const std::string& name : files.list(folder)) {
        const auto target = link_target(folder / name);
        if (target && is_path_of_files(*target) && !kept.contains(name)) files.remove(folder / name);
    }
}

}  // namespace satdl
