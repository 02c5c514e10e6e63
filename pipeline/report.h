// Tables at the end: the summary of a run, the metrics of a sweep's points; as text, CSV and JSON.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/observer.h"
#include "pipeline/sweep.h"

namespace satdl {

// Stage, outcome, seconds, because, in the plan's order. Beyond kReusedRows reused stages a note counts them.
inline constexpr std::size_t kReusedRows = 40;
[[nodiscard]] Table summary_table(const Dag& dag, const RunResult& result);
// "full: 15 stages: 9 ran, 6 reused, in 12.3 s". `seconds`: of all that the user waited for, planning included.
[[nodiscard]] std::string summary_line(const Dag& dag, const RunResult& result, double seconds);

// Port -> name -> value, of one outcome's Metrics ports.
using Metrics = std::map<std::string, std::map<std::string, double>>;

// A sweep's points against their metrics.
struct SweepReport {
    struct Row {
        std::vector<std::string> settings;           // in the order of `axes`
        std::vector<std::optional<double>> metrics;  // in the order of `metrics`; nothing where the point has none
    };
    std::vector<std::string> axes;
    std::vector<std::string> metrics;  // "compare.p", or "stage.port.name" where a stage has several Metrics ports
    std::vector<Row> rows;             // one a point, in the sweep's order
};

// `metrics_of` gives a node's metrics, or none where it has no outcome. Columns: those of the stages that nobody reads;
// or, where `wanted` names some, those ("compare.p", or "p": of every stage that has it).
[[nodiscard]] SweepReport sweep_report(const Sweep& sweep, const std::function<Metrics(NodeId)>& metrics_of,
                                       const std::vector<std::string>& wanted);

[[nodiscard]] Table to_table(const SweepReport& report);       // rounded, for people
[[nodiscard]] std::string to_csv(const SweepReport& report);   // every digit; an empty cell where there is no value
[[nodiscard]] std::string to_json(const SweepReport& report);  // {"points":[{"settings":{...},"metrics":{...}}]}
[[nodiscard]] std::string to_json(const Table& table);         // {"title","columns","rows","notes"}

}  // namespace satdl
