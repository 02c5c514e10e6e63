#include "commands/shared/result_links.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "pipeline/os/symbolic_link.h"
#include "pipeline/records/link_results.h"
#include "pipeline/records/results_note.h"

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

// Judges the stages of one folder.
class FreshnessJudge {
public:
    FreshnessJudge(std::vector<LinkedStage>& stages, const std::optional<ResultsNote>& note) : note_(note) {
        for (LinkedStage& stage : stages) stages_.emplace(stage.name, &stage);
    }

    void judge() {
        for (const auto& [name, stage] : stages_)
            if (stage->header) compare_inputs(*stage);
        // What is made of something stale may be stale, too: a run could make the same again.
        for (bool changed = true; std::exchange(changed, false);)
            for (const auto& [name, stage] : stages_)
                for (const auto& [port, origin] : stage->origins)
                    if (source_of(origin)->freshness != Freshness::Current) changed = mark(*stage, port, Freshness::MaybeStale) || changed;
        for (const auto& [name, stage] : stages_)
            for (const std::string& port : stage->stale_inputs) stage->origins.erase(port);
    }

private:
    void compare_inputs(LinkedStage& stage) {
        const std::map<std::string, Digest> made_of = inputs_of(*stage.header);
        const ResultsNote::Inputs* reads = nullptr;
        if (note_) {
            const auto noted = note_->stages.find(stage.name);
            if (noted != note_->stages.end()) reads = &noted->second;
        }
        for (const auto& [port, digest] : made_of) {
            if (reads == nullptr) {
                mark(stage, port, Freshness::MaybeStale);
                continue;
            }
            const auto origin = reads->find(port);
            const std::optional<Digest> content = origin == reads->end() ? std::nullopt : content_of(origin->second);
            if (origin == reads->end() || (content && *content != digest)) mark(stage, port, Freshness::Stale);
            else if (!content) mark(stage, port, Freshness::MaybeStale);
            else stage.origins.emplace(port, origin->second);
        }
        if (reads == nullptr) return;
        for (const auto& [port, origin] : *reads)
            if (!made_of.contains(port)) mark(stage, port, Freshness::Stale);
    }

    // Of "noisy.images": the stage noisy, if it has a link; and the content of its port, if the link leads to an artifact.
    LinkedStage* source_of(const std::string& origin) const {
        const auto found = stages_.find(origin.substr(0, origin.rfind('.')));
        return found == stages_.end() ? nullptr : found->second;
    }
    std::optional<Digest> content_of(const std::string& origin) const {
        const LinkedStage* source = source_of(origin);
        if (source == nullptr || !source->header) return std::nullopt;
        const auto port = source->header->port_digests.find(origin.substr(origin.rfind('.') + 1));
        return port == source->header->port_digests.end() ? std::nullopt : std::optional(port->second);
    }

    // Returns whether that is new.
    static bool mark(LinkedStage& stage, const std::string& port, Freshness freshness) {
        const bool is_new = std::ranges::count(stage.stale_inputs, port) == 0;
        if (is_new) stage.stale_inputs.push_back(port);
        stage.freshness = std::max(stage.freshness, freshness);
        return is_new;
    }

    const std::optional<ResultsNote>& note_;
    std::map<std::string, LinkedStage*> stages_;  // by name
};

std::string last_dag(const std::filesystem::path& folder) {
    if (const auto last = last_folder(folder)) return *last;
    std::error_code unknown;
    if (std::filesystem::exists(std::filesystem::symlink_status(last_link(folder), unknown)))
        throw Error(ExitCode::Usage, fmt::format("'{}' is not a link that satdl made, and so does not lead to the DAG that ran last",
                                                 printable(last_link(folder).string())),
                    "name a DAG with --dag, or move the file away and run one");
    throw Error(ExitCode::Usage, fmt::format("there are no results in {}", printable(folder.string())),
                "`satdl run DAG` creates them; use --results for another folder");
}

}  // namespace

std::optional<Error> without_store(const std::filesystem::path& link) {
    const auto target = link_target(link.string());
    if (!target || !is_artifact_link(link)) return std::nullopt;
    // STORE/objects/ab/<key>.h5
    const auto store = (link.parent_path() / *target).parent_path().parent_path().parent_path().lexically_normal();
    std::error_code unknown;
    if (std::filesystem::exists(store, unknown)) return std::nullopt;
    const std::string dag = name_from_file(link.parent_path().filename().string());
    return Error(ExitCode::Usage,
                 fmt::format("there is no store here: '{}' leads into {}, which does not exist", printable(link.string()),
                             printable(store.string())),
                 fmt::format("results/ has links alone. Where the store is: satdl export {0} {0}.tar; here: satdl import {0}.tar, and a "
                             "run of the DAG",
                             printable(dag)));
}

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

std::optional<ResultsNote> ResultLinks::note() const {
    auto note = read_results_note(folder_, files_);
    std::error_code unknown;
    const auto here = std::filesystem::current_path(unknown);
    if (note) {
        const auto file = std::filesystem::weakly_canonical(folder_ / note->dag_file, unknown),
                   near = file.lexically_relative(here);
        note->dag_file = near.empty() || *near.begin() == ".." ? file : near;
    }
    return note;
}

std::filesystem::path ResultLinks::path_of(const std::string& stage) const {
    return folder_ / link_name_of(stage);
}

std::vector<LinkedStage> ResultLinks::stages(const Elsewhere& elsewhere) const {
    std::vector<LinkedStage> stages;
    for (const std::string& name : names()) {
        LinkedStage& stage = stages.emplace_back(LinkedStage{.name = name, .path = path_of(name)});
        stage.is_link = is_artifact_link(stage.path);
        if (!stage.is_link) continue;
        if (files_.stamp(stage.path)) {
            stage.header = read_header(files_, stage.path);
        } else if (elsewhere) {
            const auto target = link_target(stage.path.string());
            const auto key = target ? Digest::from_hex(std::filesystem::path(*target).stem().string()) : std::nullopt;
            if (key) stage.header = elsewhere(*key);
            stage.is_elsewhere = stage.header.has_value();
        }
    }
    if (std::ranges::none_of(stages, [](const LinkedStage& stage) { return stage.header.has_value(); })) {
        for (const LinkedStage& stage : stages)
            if (auto error = without_store(stage.path)) throw std::move(*error);
    }
    FreshnessJudge(stages, read_results_note(folder_, files_)).judge();
    return stages;
}

std::vector<std::string> ResultLinks::gone(const Dag& dag) const {
    std::vector<std::string> names;
    for (const std::string& file : links_of_gone_stages(folder_, dag, files_)) names.push_back(stage_of_file(file));
    return names;
}

}  // namespace satdl
