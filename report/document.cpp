#include "report/document.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "pipeline/core/json.h"
#include "report/comparison.h"
#include "report/gallery.h"
#include "report/run_diagram.h"

namespace satdl {

namespace {

// Of more than this many, the page shows only the first ones, and says so.
constexpr std::size_t kMaxMatrices = 24;
constexpr std::size_t kMaxPictured = 8;
constexpr std::size_t kMaxPairs = 4;
constexpr std::size_t kMaxNoise = 2;

Json or_null(const std::optional<double>& value) {
    return value ? number_to_json(*value) : Json(nullptr);
}

Json ports_json(const ArtifactHeader& header) {
    Json ports = Json::array();
    for (const auto& [port, kind] : header.ports) {
        Json shape = nullptr;
        std::size_t tensors = 0;
        for (const auto& tensor : header.tensors) {
            if (tensor.port != port) continue;
            if (tensors++ == 0 && kind == PortKind::Array)
                shape = fmt::format("{} {}", name_of(tensor.dtype), shape_text(tensor.shape));
        }
        ports.push_back({{"port", port},
                         {"kind", name_of(kind)},
                         {"digest", header.port_digests.at(port).hex()},
                         {"shape", shape},
                         {"tensors", tensors}});
    }
    return ports;
}

Json metrics_json(const ArtifactHeader& header) {
    Json metrics = Json::object();
    for (const auto& [port, values] : header.metrics) {
        metrics[port] = Json::object();
        for (const auto& [name, value] : values) metrics[port][name] = number_to_json(value);
    }
    return metrics;
}

Json tables_json(const ArtifactHeader& header) {
    Json tables = Json::array();
    for (const auto& table : header.tables) tables.push_back(table_to_json(table));
    return tables;
}

Json stage_json(const StageFacts& stage, Evidence& evidence) {
    Json inputs = Json::array();
    for (const auto& input : stage.inputs) {
        inputs.push_back({{"port", input.port}, {"from", input.from}, {"from_port", input.from_port}});
    }
    Json json = {{"name", stage.name},
                 {"kind", stage.kind},
                 {"about", stage.about},
                 {"inputs", std::move(inputs)},
                 {"params", stage.params},
                 {"outcome", stage.outcome},
                 {"key", stage.key ? Json(stage.key->hex()) : Json(nullptr)},
                 {"seconds", or_null(stage.seconds)},
                 {"started", or_null(stage.started_seconds)},
                 {"queued", or_null(stage.queued_seconds)},
                 {"where", stage.where},
                 {"jobs", stage.jobs},
                 {"threads", stage.threads},
                 {"because", stage.because},
                 {"error", stage.error},
                 {"not_kept", stage.not_kept},
                 {"attempt", stage.attempt},
                 {"attempts", stage.attempts},
                 {"nondeterministic", stage.nondeterministic}};
    if (const ArtifactHeader* header = evidence.header(stage.name)) {
        json["bytes"] = header->file_bytes;
        json["ports"] = ports_json(*header);
        json["metrics"] = metrics_json(*header);
        json["tables"] = tables_json(*header);
        json["recipe"] = Json::array();
        for (const auto& part : header->recipe) json["recipe"].push_back({part.name, part.value});
    }
    return json;
}

Json columns_json(const NamedArrays& history) {
    Json columns = Json::object();
    for (const auto& [name, column] : history) {
        if (column.dtype() != DType::Float64) continue;
        columns[name] = Json::array();
        for (const double value : column.values<double>()) columns[name].push_back(number_to_json(value));
    }
    return columns;
}

Json columns_json(const std::vector<EpochRow>& epochs) {
    Json columns = Json::object();
    for (std::size_t row = 0; row < epochs.size(); ++row) {
        for (const auto& [name, value] : epochs[row].metrics) {
            auto& column = columns[name];
            while (column.size() < row) column.push_back("nan");
            column.push_back(number_to_json(value));
        }
        columns["epoch"].push_back(epochs[row].epoch);
    }
    return columns;
}

// Every epoch of every training: from its history, or, if that was never stored, from the run's record.
Json curves_json(const RunFacts& run, Evidence& evidence) {
    Json curves = Json::array();
    for (const auto& stage : run.stages) {
        const ArtifactHeader* header = evidence.header(stage.name);
        bool stored = false;
        for (const auto& [port, kind] : header ? header->ports : std::map<std::string, PortKind>{}) {
            if (kind != PortKind::History) continue;
            const auto history = evidence.group(stage.name, port);
            const auto source = evidence.source(stage.name, port);
            if (!history || !source) continue;
            stored = true;
            curves.push_back({{"stage", stage.name}, {"columns", columns_json(*history)}, {"source", source_json(*source)}});
        }
        if (!stored && !stage.epochs.empty()) {
            curves.push_back({{"stage", stage.name}, {"columns", columns_json(stage.epochs)}, {"source", nullptr}});
        }
    }
    return curves;
}

Json sources_json(const std::vector<Source>& sources) {
    Json json = Json::array();
    for (const auto& source : sources) json.push_back(source_json(source));
    return json;
}

Json pair_json(const Graded& first, const Graded& second, const StageFacts* compare) {
    const McNemar test = mcnemar(first.answers, second.answers, first.labels);
    Json sources = sources_json(first.sources);
    sources.push_back(source_json(second.sources.front()));
    return {{"first", first.stage},
            {"second", second.stage},
            {"first_name", compare ? compare->label(PortRole::Baseline) : first.stage},
            {"second_name", compare ? compare->label(PortRole::Candidate) : second.stage},
            {"both", test.both},
            {"neither", test.neither},
            {"only_first", test.only_first},
            {"only_second", test.only_second},
            {"p_value", test.p_value},
            {"pictures", differing(first, second)},
            {"sources", std::move(sources)}};
}

// The classifiers with their labels, and the pairs that read the same data.
class Classifiers {
public:
    Classifiers(RunFacts& run, Evidence& evidence) : run_(run) {
        for (const auto& stage : run.stages) {
            if (stage.output(PortRole::Predictions) == nullptr) continue;
            if (graded_.size() == kMaxMatrices) {
                ++left_out_;
                continue;
            }
            if (auto one = graded(stage, evidence)) graded_.push_back(std::move(*one));
        }
        if (left_out_ > 0) {
            run.missing.push_back(
                fmt::format("confusion matrices and pictures of {} more stages: this page shows those of the first {}", left_out_,
                            kMaxMatrices));
        }
    }

    [[nodiscard]] Json matrices() const {
        Json json = Json::array();
        for (const auto& one : graded_) {
            json.push_back({{"stage", one.stage},
                            {"classes", one.answers.classes},
                            {"samples", one.labels.size()},
                            {"counts", confusion_of(one.answers, one.labels)},
                            {"sources", sources_json(one.sources)}});
        }
        return json;
    }

    [[nodiscard]] Json wrong() const {
        Json json = Json::array();
        for (const auto& one : graded_) {
            if (json.size() == kMaxPictured) break;
            json.push_back({{"stage", one.stage}, {"pictures", most_wrong(one)}, {"sources", sources_json(one.sources)}});
        }
        return json;
    }

    // Those that a stage compares with each other; if no stage does, each two that read the same data.
    [[nodiscard]] Json pairs() const {
        Json json = Json::array();
        bool compared = false;
        for (const auto& stage : run_.stages) {
            const Graded* first = read_by(stage, PortRole::Baseline);
            const Graded* second = read_by(stage, PortRole::Candidate);
            if (first == nullptr || second == nullptr || first->labels != second->labels) continue;
            compared = true;
            if (json.size() < kMaxPairs) json.push_back(pair_json(*first, *second, &stage));
        }
        for (std::size_t i = 0; !compared && i < graded_.size(); ++i) {
            for (std::size_t j = i + 1; j < graded_.size() && json.size() < kMaxPairs; ++j) {
                if (same_data(graded_[i], graded_[j])) json.push_back(pair_json(graded_[i], graded_[j], nullptr));
            }
        }
        return json;
    }

private:
    [[nodiscard]] const Graded* read_by(const StageFacts& stage, PortRole role) const {
        const Reads* reads = stage.reads(role);
        for (const auto& one : graded_) {
            if (reads != nullptr && one.stage == reads->from) return &one;
        }
        return nullptr;
    }

    static bool same_data(const Graded& a, const Graded& b) {
        return a.sources.size() == b.sources.size() && a.sources.size() == 3 && a.sources[1].digest == b.sources[1].digest &&
               a.sources[2].digest == b.sources[2].digest;
    }

    const RunFacts& run_;
    std::vector<Graded> graded_;
    std::size_t left_out_ = 0;
};

Json noise_json(const RunFacts& run, Evidence& evidence) {
    std::vector<Json> with_denoised, others;
    for (const auto& stage : run.stages) {
        if (with_denoised.size() == kMaxNoise) break;
        if (Json gallery = noise_gallery(stage, run, evidence); !gallery.is_null()) {
            (gallery["columns"].size() > 2 ? with_denoised : others).push_back(std::move(gallery));
        }
    }
    Json galleries = with_denoised;
    for (auto& gallery : others) {
        if (galleries.empty()) galleries.push_back(std::move(gallery));
    }
    return galleries;
}

}  // namespace

Json run_document(RunFacts run, Store& store) {
    Evidence evidence(run, store);
    Json stages = Json::array();
    for (const auto& stage : run.stages) stages.push_back(stage_json(stage, evidence));
    Json curves = curves_json(run, evidence);
    const Classifiers classifiers(run, evidence);
    Json noise = noise_json(run, evidence);
    Json comparisons = comparisons_json(run, evidence);
    return {{"id", run.id},
            {"dag", run.dag},
            {"file", run.file},
            {"version", run.version},
            {"host", run.host},
            {"wall_time", or_null(run.wall_time)},
            {"seconds", or_null(run.seconds)},
            {"cores", run.cores},
            {"stopped", run.stopped},
            {"missing", run.missing},
            {"stages", std::move(stages)},
            {"graph", run_diagram(run)},
            {"curves", std::move(curves)},
            {"matrices", classifiers.matrices()},
            {"pairs", classifiers.pairs()},
            {"comparisons", std::move(comparisons)},
            {"paired", paired_json(run)},
            {"wrong", classifiers.wrong()},
            {"noise", std::move(noise)},
            {"axes", run.axes},
            {"points", run.points},
            {"rows", run.rows}};
}

}  // namespace satdl
