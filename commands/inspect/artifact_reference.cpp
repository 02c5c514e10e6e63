#include "commands/inspect/artifact_reference.h"

#include <fmt/format.h>

#include <cctype>
#include <utility>

#include "pipeline/records/link_results.h"
#include "pipeline/records/run_record.h"
#include "report/facts.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

Error artifact_is_gone(const fs::path& link) {
    if (auto error = without_store(link)) return std::move(*error);
    return Error(ExitCode::Usage,
                 fmt::format("'{}' leads nowhere: its artifact is gone from the store", printable(link.string())),
                 "a run of the DAG makes it again");
}

// "m1/model" as stage and tensor.
ArtifactRef split(const std::string& what) {
    const std::size_t slash = what.find('/');
    return {what.substr(0, slash), {}, slash == std::string::npos ? "" : what.substr(slash + 1)};
}

}  // namespace

ArtifactRef ArtifactReferences::find(const std::string& what) {
    const bool is_file = fs::is_regular_file(what);
    if (!is_file && is_artifact_link(what)) throw artifact_is_gone(what);
    if (is_file) return {"", what, "", true};
    if (auto found = by_key(what)) return *found;
    if (auto found = by_run(what)) return *found;
    return by_stage(what);
}

std::optional<ArtifactRef> ArtifactReferences::by_key(const std::string& what) {
    if (what.size() < kShortestKey || what.find_first_not_of("0123456789abcdef") != std::string::npos) return std::nullopt;
    std::vector<Digest> keys;
    for (const auto& key : open_.store().keys()) {
        if (key.hex().starts_with(what)) keys.push_back(key);
    }
    if (keys.empty()) return std::nullopt;
    if (keys.size() > 1)
        throw Error(ExitCode::Usage, fmt::format("{} keys begin with {}", keys.size(), what), "give more digits");
    return ArtifactRef{{}, open_.store().path_of(keys.front()), {}};
}

// Ids of runs begin with a digit, names of stages with a letter.
std::optional<ArtifactRef> ArtifactReferences::by_run(const std::string& what) {
    const std::size_t colon = what.find(':');
    if (colon == std::string::npos || what.empty() || std::isdigit(static_cast<unsigned char>(what.front())) == 0)
        return std::nullopt;
    const std::string run = find_run(open_.folder(), what.substr(0, colon), open_.files());
    ArtifactRef found = split(what.substr(colon + 1));
    const RunFacts facts = facts_of_run(open_.folder(), run, open_.files());
    const StageFacts* const stage = facts.find(found.stage);
    if (stage == nullptr) {
        std::vector<std::string> names;
        for (const StageFacts& one : facts.stages) names.push_back(one.name);
        throw Error(ExitCode::Usage, fmt::format("run {} has no stage '{}'", run, printable(found.stage)),
                    did_you_mean(found.stage, names));
    }
    if (!stage->has_outcome() || !stage->key)
        throw Error(ExitCode::Usage,
                    fmt::format("run {} has no artifact of {}: {}", run, printable(found.stage), stage->outcome), "");
    found.path = open_.store().path_of(*stage->key);
    if (!open_.files().stamp(found.path))
        throw Error(ExitCode::Usage,
                    fmt::format("the artifact of {} in run {} is gone from the store", printable(found.stage), run),
                    "a run with the settings that it had makes it again: `satdl log` lists them");
    return found;
}

ArtifactRef ArtifactReferences::by_stage(const std::string& what) {
    if (!results_) results_.emplace(options_.results_folder(), dag_, open_.files());
    ArtifactRef found = split(what);
    found.path = results_->path_of(found.stage);
    const bool is_named = fs::exists(fs::symlink_status(found.path));
    if (is_named && !is_artifact_link(found.path))
        throw Error(ExitCode::Usage,
                    fmt::format("'{}' is not a link that satdl made, so there is none to the artifact of {}",
                                printable(found.path.string()), printable(found.stage)),
                    "move it away and run the DAG, or show the file by its path");
    if (open_.files().stamp(found.path)) return found;
    if (is_named) throw artifact_is_gone(found.path);
    throw Error(ExitCode::Usage,
                fmt::format("the last run of {} has no artifact of a stage '{}'", printable(results_->dag()),
                            printable(found.stage)),
                did_you_mean(found.stage, results_->names()));
}

OpenArtifact open_artifact(const ArtifactRef& found, FileSystem& files) {
    OpenArtifact opened{header_of(found, files), {}};
    const MappedFile mapped = files.map(found.path);
    verify_artifact(opened.header, mapped.bytes, found.path);
    opened.outcome = view_artifact(opened.header, mapped);
    return opened;
}

ArtifactHeader header_of(const ArtifactRef& found, FileSystem& files) {
    try {
        return read_header(files, found.path);
    } catch (const DamagedArtifact& error) {
        if (!found.is_file) throw;
        throw Error(ExitCode::Store, error.diagnostics().front().message,
                    "if satdl did not write this HDF5 file, show it with h5dump, and read it into a DAG with `kind: read`");
    }
}

}  // namespace satdl
