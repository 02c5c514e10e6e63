#include "commands/shared/artifact_reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <utility>

#include "pipeline/core/json.h"
#include "pipeline/records/link_results.h"
#include "pipeline/records/recorded_dag.h"
#include "pipeline/records/run_record.h"
#include "pipeline/records/run_summary.h"
#include "report/facts.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

constexpr std::size_t kCandidates = 8;

Error artifact_is_gone(const fs::path& link, const std::string& command) {
    if (auto error = without_store(link)) return std::move(*error);
    return Error(ExitCode::Usage,
                 fmt::format("'{}' leads nowhere: its artifact is gone from the store", printable(link.string())),
                 command.empty() ? "a run of the DAG makes it again" : fmt::format("{} makes it again", command));
}

// "m1/model" as stage and tensor.
ArtifactRef split_at_slash(const std::string& what) {
    const std::size_t slash = what.find('/');
    return {what.substr(0, slash), {}, slash == std::string::npos ? "" : what.substr(slash + 1)};
}

bool has(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
}

// "a, b, c and 4 more"
std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kCandidates); ++i)
        text += fmt::format("{}{}", i == 0 ? "" : ", ", printable(names[i]));
    return names.size() <= kCandidates ? text : fmt::format("{} and {} more", text, names.size() - kCandidates);
}

// The port or path that the user means: as it is; with a '.' between port and name; or a name that only one port has, of
// metrics if a history has a column of that name, too.
std::string tensor_meant(const std::string& wanted, const ArtifactHeader& header) {
    const auto is_known = [&](const std::string& path) {
        return header.ports.contains(path) ||
               std::ranges::any_of(header.tensors, [&](const TensorRecord& one) { return one.path() == path; });
    };
    if (wanted.empty() || is_known(wanted)) return wanted;
    if (const std::size_t dot = wanted.find('.'); dot != std::string::npos) {
        std::string path = wanted;
        path[dot] = '/';
        if (is_known(path)) return path;
    }
    std::vector<std::string> named;
    for (const TensorRecord& record : header.tensors)
        if (record.name == wanted) named.push_back(record.path());
    if (named.size() > 1)
        std::erase_if(named, [&](const std::string& path) {
            return header.ports.at(path.substr(0, path.size() - wanted.size() - 1)) == PortKind::History;
        });
    if (named.size() > 1)
        throw Error(ExitCode::Usage, fmt::format("the artifact has {} tensors '{}'", named.size(), printable(wanted)),
                    fmt::format("one of {}", listed(named)));
    return named.empty() ? wanted : named.front();
}

}  // namespace

ArtifactRef ArtifactReferences::find(const std::string& what) {
    const bool is_file = fs::is_regular_file(what);
    if (!is_file && is_artifact_link(what)) throw artifact_is_gone(what, "");
    if (is_file) return {"", what, "", true};
    auto found = by_key(what);
    if (!found) found = by_run(what);
    if (!found) found = by_stage(what);
    if (!found->tensor.empty()) found->tensor = tensor_meant(found->tensor, header_of(*found, open_.files()));
    return *found;
}

std::optional<ArtifactRef> ArtifactReferences::by_key(const std::string& what) {
    if (what.size() < kShortestKey || what.find_first_not_of("0123456789abcdef") != std::string::npos) return std::nullopt;
    std::vector<Digest> keys;
    for (const auto& key : open_.store().keys()) {
        if (key.hex().starts_with(what)) keys.push_back(key);
    }
    if (keys.empty()) return std::nullopt;
    if (keys.size() > 1) {
        const auto recorded = find_recorded_stages(open_.folder(), {keys.begin(), keys.end()}, open_.files());
        std::vector<std::string> candidates;
        for (const Digest& key : keys) {
            const auto stage = recorded.find(key);
            candidates.push_back(key.short_hex() +
                                 (stage == recorded.end() ? "" : fmt::format(" ({})", stage->second.stage)));
        }
        throw Error(ExitCode::Usage, fmt::format("{} keys begin with {}", keys.size(), what),
                    fmt::format("one of {}", listed(candidates)));
    }
    return ArtifactRef{{}, open_.store().path_of(keys.front()), {}};
}

// Ids of runs begin with a digit, names of stages with a letter.
std::optional<ArtifactRef> ArtifactReferences::by_run(const std::string& what) {
    const std::size_t colon = what.find(':');
    if (colon == std::string::npos || what.empty() || std::isdigit(static_cast<unsigned char>(what.front())) == 0)
        return std::nullopt;
    const std::string run = find_run(open_.folder(), what.substr(0, colon), open_.files());
    const RunFacts facts = facts_of_run(open_.folder(), run, open_.files());
    std::vector<std::string> names;
    for (const StageFacts& one : facts.stages) names.push_back(one.name);
    const std::string rest = what.substr(colon + 1);
    ArtifactRef found = split(rest, names).value_or(split_at_slash(rest));
    const StageFacts* const stage = facts.find(found.stage);
    if (stage == nullptr)
        throw Error(ExitCode::Usage, fmt::format("run {} has no stage '{}'", run, printable(found.stage)),
                    did_you_mean(found.stage, names));
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

// "m2.model": a stage's name has no '.' but in the settings of a sweep's point, "m1[noise=0.1]".
std::optional<ArtifactRef> ArtifactReferences::split(const std::string& what, const std::vector<std::string>& stages) const {
    const ArtifactRef at_slash = split_at_slash(what);
    if (has(stages, at_slash.stage)) return at_slash;
    const std::string& head = at_slash.stage;
    for (std::size_t dot = head.rfind('.'); dot != std::string::npos && dot > 0; dot = head.rfind('.', dot - 1)) {
        const std::string stage = head.substr(0, dot);
        if (!has(stages, stage)) continue;
        const std::string port = head.substr(dot + 1);
        return ArtifactRef{stage, {}, at_slash.tensor.empty() ? port : port + '/' + at_slash.tensor};
    }
    return std::nullopt;
}

ArtifactRef ArtifactReferences::by_stage(const std::string& what) {
    if (!results_) results_.emplace(options_.results_folder(), dag_, open_.files());
    std::vector<std::string> stages = results_->names();
    if (const auto note = results_->note())
        for (const auto& [name, inputs] : note->stages)
            if (!has(stages, name)) stages.push_back(name);
    const auto known = split(what, stages);
    if (!known) refuse_unknown(what, stages);
    ArtifactRef found = *known;
    found.path = results_->path_of(found.stage);
    const bool is_named = fs::exists(fs::symlink_status(found.path));
    if (is_named && !is_artifact_link(found.path))
        throw Error(ExitCode::Usage,
                    fmt::format("'{}' is not a link that satdl made, so there is none to the artifact of {}",
                                printable(found.path.string()), printable(found.stage)),
                    "move it away and run the DAG, or show the file by its path");
    if (open_.files().stamp(found.path)) return found;
    const std::string command = run_command(found.stage);
    if (is_named) throw artifact_is_gone(found.path, command);
    throw Error(ExitCode::Usage,
                fmt::format("{} of {} has no artifact: it has not run, or not to its end", printable(found.stage),
                            printable(results_->dag())),
                command.empty() ? "" : fmt::format("{} runs it", command));
}

void ArtifactReferences::refuse_unknown(const std::string& what, const std::vector<std::string>& stages) const {
    const ArtifactRef at_slash = split_at_slash(what);
    const std::string& head = at_slash.stage;
    // A point of a sweep that has not run yet.
    const std::string plain = plain_name(head);
    const bool has_points = std::ranges::any_of(stages, [&](const std::string& stage) { return plain_name(stage) == plain; });
    if (const std::string command = plain.size() < head.size() && has_points ? run_command(head) : ""; !command.empty())
        throw Error(ExitCode::Usage,
                    fmt::format("the last run of {} has no artifact of a stage '{}'", printable(results_->dag()), printable(head)),
                    fmt::format("{} runs it", command));
    std::vector<std::string> beginnings{head};
    if (const std::size_t dot = head.find('.'); dot != std::string::npos) beginnings.push_back(head.substr(0, dot));
    for (const std::string& beginning : beginnings) {
        std::vector<std::string> candidates;
        for (const std::string& stage : stages)
            if (stage.starts_with(beginning + '@') || stage.starts_with(beginning + '['))
                candidates.push_back(stage + what.substr(beginning.size()));
        if (candidates.empty()) continue;
        throw Error(ExitCode::Usage,
                    fmt::format("'{}' is {} stage{} of {}", printable(beginning), candidates.size(),
                                candidates.size() == 1 ? "" : "s", printable(results_->dag())),
                    fmt::format("{}{}", candidates.size() == 1 ? "" : "one of ", listed(candidates)));
    }
    throw Error(
        ExitCode::Usage,
        fmt::format("the last run of {} has no artifact of a stage '{}'", printable(results_->dag()), printable(head)),
        did_you_mean(head, stages));
}

// "`satdl run dags/full.yaml --profile quick m1 limit=1000`": with the settings of the DAG's last run, and those of a
// sweep's point. "" if nothing says which file the DAG is in.
std::string ArtifactReferences::run_command(const std::string& stage) const {
    const auto note = results_->note();
    if (!note) return {};
    std::vector<std::string> words{"satdl", "run", note->dag_file.string()};
    std::vector<std::string> settings;
    for (const std::string& run : recorded_runs(open_.folder(), open_.files())) {
        const Json summary = summary_of_run(open_.folder(), run, open_.files(), open_.index());
        if (summary.at("dag") != results_->dag()) continue;
        if (const auto profile = summary.at("profile").get<std::string>(); !profile.empty())
            words.insert(words.end(), {"--profile", profile});
        for (const auto& [name, value] : summary.at("set").items())
            settings.push_back(fmt::format("{}={}", name, plain_text(value)));
        break;
    }
    const std::string name = plain_name(stage);
    words.push_back(name);
    if (name.size() < stage.size()) settings = {stage.substr(name.size() + 1, stage.size() - name.size() - 2)};
    if (name.size() < stage.size()) std::ranges::replace(settings.front(), ',', ' ');
    words.insert(words.end(), settings.begin(), settings.end());
    return fmt::format("`{}`", printable(fmt::format("{}", fmt::join(words, " "))));
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
