#include "report/comparison.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "pipeline/core/json.h"
#include "pipeline/network/metric_names.h"
#include "pipeline/sweep/sweep_summary.h"
#include "report/gallery.h"

namespace satdl {

namespace {

struct Side {
    PortRole role;
    const char* data;
    bool candidate;
};
constexpr Side kSides[] = {{PortRole::Baseline, "test", false},
                           {PortRole::Candidate, "test", true},
                           {PortRole::BaselineTraining, "training", false},
                           {PortRole::CandidateTraining, "training", true}};

using Pair = std::pair<std::string, std::string>;

Pair names_of(const StageFacts& stage) { return stage.pair().value_or(Pair{"baseline", "candidate"}); }

Json row_json(const Side& side, const StageFacts& stage, double value, const Source& source) {
    const Pair names = names_of(stage);
    return {{"side", side.candidate ? names.second : names.first},
            {"label", stage.label(side.role)},
            {"data", side.data},
            {"candidate", side.candidate},
            {"value", number_to_json(value)},
            {"source", source_json(source)}};
}

// The metric of what each side reads, by its name or as a training calls it.
Json rows_read(const StageFacts& stage, const std::string& metric, Evidence& evidence) {
    Json rows = Json::array();
    for (const Side& side : kSides) {
        const Reads* reads = stage.reads(side.role);
        const ArtifactHeader* header = reads ? evidence.header(reads->from) : nullptr;
        if (header == nullptr || !header->metrics.contains(reads->from_port)) continue;
        const auto& values = header->metrics.at(reads->from_port);
        std::vector<std::string> names;
        for (const auto& [name, value] : values) names.push_back(name);
        if (const auto name = find_metric(metric, names))
            rows.push_back(row_json(side, stage, values.at(*name), *evidence.source(reads->from, reads->from_port)));
    }
    return rows;
}

// For a stage without a parameter for the metric: its own results for the two sides.
Json own_rows(const StageFacts& stage, const ArtifactHeader& header, Evidence& evidence) {
    const auto pair = stage.pair();
    for (const auto& [port, values] : header.metrics) {
        if (!pair || !values.contains(pair->first) || !values.contains(pair->second)) continue;
        const Source source = *evidence.source(stage.name, port);
        return {row_json(kSides[0], stage, values.at(pair->first), source), row_json(kSides[1], stage, values.at(pair->second), source)};
    }
    return Json::array();
}

Json comparison_json(const StageFacts& stage, Evidence& evidence) {
    const Reads* first = stage.reads(PortRole::Baseline);
    const Reads* second = stage.reads(PortRole::Candidate);
    const ArtifactHeader* header = first && second ? evidence.header(stage.name) : nullptr;
    if (header == nullptr) return nullptr;
    const std::string metric = stage.metric_of(PortRole::Baseline);
    Json rows = metric.empty() ? own_rows(stage, *header, evidence) : rows_read(stage, metric, evidence);
    std::erase_if(rows.get_ref<Json::array_t&>(), [](const Json& row) { return !row["value"].is_number(); });
    if (rows.empty()) return nullptr;
    const Pair names = names_of(stage);
    return {{"stage", stage.name},   {"first", first->from}, {"second", second->from}, {"names", {names.first, names.second}},
            {"metric", metric}, {"rows", std::move(rows)}};
}

}  // namespace

Json comparisons_json(const RunFacts& run, Evidence& evidence) {
    Json comparisons = Json::array();
    for (const auto& stage : run.stages) {
        if (Json comparison = comparison_json(stage, evidence); !comparison.is_null()) comparisons.push_back(std::move(comparison));
    }
    return comparisons;
}

Json paired_json(const RunFacts& run) {
    std::map<Pair, std::string> metrics;  // of the columns
    for (const auto& stage : run.stages) {
        if (stage.description == nullptr) continue;
        const std::string metric = stage.metric_of(PortRole::Baseline);
        for (const Pair& columns : paired_columns(plain_name(stage.name), *stage.description)) {
            const auto [known, is_new] = metrics.emplace(columns, metric);
            if (!is_new && known->second != metric) known->second.clear();  // it differs between the points of the sweep
        }
    }
    Json paired = Json::array();
    for (const auto& [columns, metric] : metrics) {
        const auto short_name = [](const std::string& column) { return column.substr(column.rfind('.') + 1); };
        const auto best = usual_best(metric);
        paired.push_back({{"a", columns.first},
                          {"b", columns.second},
                          {"names", {short_name(columns.first), short_name(columns.second)}},
                          {"metric", metric},
                          {"best", best ? Json(name_of(*best)) : Json(nullptr)}});
    }
    return paired;
}

}  // namespace satdl
