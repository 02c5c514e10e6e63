#include "commands/shared/result_links.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "pipeline/records/link_results.h"

namespace satdl {

namespace {

constexpr std::string_view kSuffix = ".h5";

// The inverse of file_name_of(). A name that was too long stays shortened; it can be used as it is.
std::string name_from_file(std::string_view file) {
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
    std::string name;
    for (std::size_t i = 0; i < file.size(); ++i) {
        const bool escape = file[i] == '%' && i + 2 < file.size() && digit(file[i + 1]) >= 0 && digit(file[i + 2]) >= 0;
        name += escape ? static_cast<char>(digit(file[i + 1]) * 16 + digit(file[i + 2])) : file[i];
        if (escape) i += 2;
    }
    return name;
}

std::string stage_of_file(std::string_view file) {
    file.remove_suffix(kSuffix.size());
    return name_from_file(file);
}

// The content of a stage's inputs, by port.
std::map<std::string, Digest> inputs_of(const ArtifactHeader& header) {
    constexpr std::string_view kInput = "input ";
    std::map<std::string, Digest> inputs;
    for (const KeyPart& part : header.recipe) {
        const auto digest = part.name.starts_with(kInput) ? Digest::from_hex(part.value) : std::nullopt;
        if (digest) inputs.emplace(part.name.substr(kInput.size()), *digest);
    }
    return inputs;
}

// The content of all ports of the stages that are as fresh as this, or fresher.
std::set<Digest> contents_of(const std::vector<LinkedStage>& stages, Freshness at_most) {
    std::set<Digest> contents;
    for (const LinkedStage& stage : stages) {
        if (!stage.header || stage.freshness > at_most) continue;
        for (const auto& [port, digest] : stage.header->port_digests) contents.insert(digest);
    }
    return contents;
}

// Adds to a stage's stale inputs those that are not among `contents`; whether there are any.
bool add_stale_inputs(LinkedStage& stage, const std::set<Digest>& contents) {
    if (!stage.header) return false;
    const std::size_t before = stage.stale_inputs.size();
    for (const auto& [port, digest] : inputs_of(*stage.header))
        if (!contents.contains(digest) && std::ranges::count(stage.stale_inputs, port) == 0) stage.stale_inputs.push_back(port);
    return stage.stale_inputs.size() > before;
}

// A stage is stale if an input is the content of no link. What is made of something stale may be stale, too: a run could make the same
// again.
void judge_freshness(std::vector<LinkedStage>& stages) {
    const bool all_known = std::ranges::all_of(stages, [](const LinkedStage& stage) { return stage.header.has_value(); });
    const std::set<Digest> linked = contents_of(stages, Freshness::Stale);
    for (LinkedStage& stage : stages)
        if (add_stale_inputs(stage, linked)) stage.freshness = all_known ? Freshness::Stale : Freshness::MaybeStale;
    for (bool changed = true; std::exchange(changed, false);) {
        const std::set<Digest> current = contents_of(stages, Freshness::Current);
        for (LinkedStage& stage : stages) {
            if (stage.freshness == Freshness::Stale || !add_stale_inputs(stage, current)) continue;
            stage.freshness = Freshness::MaybeStale;
            changed = true;
        }
    }
}

std::string last_dag(const std::filesystem::path& folder) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(folder / ".last", error);
    if (error) {
        throw Error(ExitCode::Usage, fmt::format("there are no results in {}", printable(folder.string())),
                    "`satdl run DAG` creates them; use --results for another folder");
    }
    return target.string();
}

}  // namespace

ResultLinks::ResultLinks(std::filesystem::path folder, const std::string& dag, FileSystem& files) : files_(files) {
    const std::string file = dag.empty() ? last_dag(folder) : file_name_of(dag);
    dag_ = name_from_file(file);
    folder_ = folder / file;
    if (files_.stamp(folder_)) return;
    std::vector<std::string> known;
    if (files_.stamp(folder)) {
        for (const auto& entry : files_.list(folder)) {
            if (entry.front() != '.') known.push_back(name_from_file(entry));
        }
    }
    throw Error(ExitCode::Usage,
                fmt::format("there are no results of a DAG '{}' in {}", printable(dag_), printable(folder.string())),
                did_you_mean(dag_, known));
}

std::vector<std::string> ResultLinks::names() const {
    std::vector<std::string> names;
    for (const std::string& file : files_.list(folder_)) {
        if (file.size() > kSuffix.size() && file.ends_with(kSuffix)) names.push_back(stage_of_file(file));
    }
    return names;
}

std::filesystem::path ResultLinks::path_of(const std::string& stage) const {
    return folder_ / link_name_of(stage);
}

std::vector<LinkedStage> ResultLinks::stages() const {
    std::vector<LinkedStage> stages;
    for (const std::string& name : names()) {
        LinkedStage& stage = stages.emplace_back(LinkedStage{.name = name, .path = path_of(name)});
        stage.is_link = is_artifact_link(stage.path);
        if (stage.is_link && files_.stamp(stage.path)) stage.header = read_header(files_, stage.path);
    }
    judge_freshness(stages);
    return stages;
}

std::vector<std::string> ResultLinks::gone(const Dag& dag) const {
    std::vector<std::string> names;
    for (const std::string& file : links_of_gone_stages(folder_, dag, files_)) names.push_back(stage_of_file(file));
    return names;
}

std::string origin_of(const Digest& port_digest, const std::vector<LinkedStage>& stages) {
    for (const LinkedStage& stage : stages) {
        if (!stage.header) continue;
        for (const auto& [port, digest] : stage.header->port_digests) {
            if (digest == port_digest) return fmt::format("{}.{}", stage.name, port);
        }
    }
    return {};
}

}  // namespace satdl
