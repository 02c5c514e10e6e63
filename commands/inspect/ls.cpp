// satdl ls: lists the stages of a DAG and their stored results.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/shared/metric_order.h"
#include "commands/shared/result_links.h"
#include "commands/shared/session.h"
#include "pipeline/core/json.h"
#include "pipeline/core/metric_text.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"
#include "pipeline/records/link_results.h"
#include "pipeline/records/results_note.h"
#include "pipeline/remote/remote_memory.h"
#include "pipeline/store/layout.h"

namespace satdl {

namespace {

struct LsOptions {
    DagOptions dag;
    StoreOptions store;
    std::vector<std::string> parameters;
    std::string dag_name;
    bool json = false;
};

struct Row {
    std::string stage;
    std::string state;
    std::optional<ArtifactHeader> header;
};

std::optional<ArtifactHeader> header_or_none(Store& store, const Digest& key) {
    try {
        return store.header(key);
    } catch (const DamagedArtifact&) {
        return std::nullopt;  // it was moved to quarantine
    }
}

// For a DAG file: each stage with the artifact under its current key, else with its last one; then what the next run removes from results/.
std::vector<Row> rows_of_dag(const LsOptions& options, std::string& name) {
    Session session(options.dag, options.store, Access::ReadOnly);
    const Dag dag = session.dag();
    name = dag.name;
    StoreCacheView cache = session.cache(dag);
    const Plan plan = session.plan(dag, {}, cache);
    OpenStore& open = session.open();
    std::vector<Row> rows;
    for (const auto& planned : plan.nodes) {
        Row row{dag.nodes[planned.node].name, planned.action == Action::Reuse ? "up to date" : "none", std::nullopt};
        if (planned.action == Action::Reuse) {
            row.header = header_or_none(open.store(), *planned.key);
        } else if (const auto last = open.index().history(dag.name, row.stage)) {
            row.header = header_or_none(open.store(), last->key);
            if (row.header) row.state = planned.action == Action::Unknown ? "maybe stale" : "stale";
        }
        if (planned.action == Action::Resume) row.state = fmt::format("interrupted at {}, resumable", planned.starts_from->text());
        rows.push_back(std::move(row));
    }
    const auto results = options.store.results_folder();
    const auto folder = results / file_name_of(dag.name);
    if (open.files().stamp(folder) && !other_dag_file(folder, dag, open.files()))
        for (const std::string& gone : ResultLinks(results, dag.name, open.files()).gone(dag)) rows.push_back({gone, "not in the DAG", {}});
    return rows;
}

std::string state_of(const LinkedStage& linked) {
    if (!linked.is_link) return "other file";
    if (!linked.header) return "none";
    switch (linked.freshness) {
        case Freshness::Current:
            return linked.is_elsewhere ? "remote" : "kept";
        case Freshness::MaybeStale:
            return "maybe stale";
        case Freshness::Stale:
            break;
    }
    return "stale";
}

// For the run that created the links in results/.
std::vector<Row> rows_of_results(const LsOptions& options, std::string& name) {
    const auto files = real_file_system();
    const ResultLinks results(options.store.results_folder(), options.dag_name, *files);
    name = results.dag();
    std::vector<Row> rows;
    std::optional<Index> index;  // opened if a link leads nowhere
    const auto elsewhere = [&](const Digest& key) {
        if (!index) index.emplace(std::filesystem::path(options.store.store) / store_layout::kIndex);
        return remembered_header(*index, key);
    };
    for (LinkedStage& linked : results.stages(elsewhere)) {
        rows.push_back({linked.name, state_of(linked), std::move(linked.header)});
    }
    return rows;
}

constexpr std::size_t kMetricsShown = 3;

// "val/loss 0.0377, train/loss 0.0501, ...": what people look at first.
std::string metrics_line(const std::map<std::string, double>& metrics) {
    std::vector<std::string> names;
    for (const auto& [name, value] : metrics) names.push_back(name);
    std::ranges::stable_sort(names, {}, metric_rank);
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kMetricsShown); ++i)
        text += fmt::format("{}{} {}", i == 0 ? "" : ", ", names[i], metric_text(metrics.at(names[i])));
    return names.size() > kMetricsShown ? text + ", ..." : text;
}

std::string port_text(const ArtifactHeader& header, const std::string& port, PortKind kind) {
    std::size_t tensors = 0;
    std::uint64_t bytes = 0;
    const TensorRecord* first = nullptr;
    for (const auto& tensor : header.tensors) {
        if (tensor.port != port) continue;
        if (tensors++ == 0) first = &tensor;
        bytes += tensor.bytes();
    }
    if (first == nullptr) return fmt::format("{}: empty", port);
    switch (kind) {
        case PortKind::Array:
            return fmt::format("{} {} {}", port, name_of(first->dtype), shape_text(first->shape));
        case PortKind::Model:
            return fmt::format("{}: {} tensors, {}", port, tensors, bytes_text(bytes));
        case PortKind::History: {
            const std::int64_t epochs = first->shape.empty() ? 0 : first->shape.front();
            return fmt::format("{} of {} epoch{}", port, epochs, epochs == 1 ? "" : "s");
        }
        case PortKind::Arrays:
            return fmt::format("{}: {} array{}, {}", port, tensors, tensors == 1 ? "" : "s", bytes_text(bytes));
        case PortKind::File:
            return fmt::format("{}: file {}, {}", port, first->name.substr(first->name.find('/') + 1), bytes_text(bytes));
        case PortKind::Folder:
            return fmt::format("{}: {} file{}, {}", port, tensors, tensors == 1 ? "" : "s", bytes_text(bytes));
        case PortKind::Metrics:
            break;
    }
    const auto metrics = header.metrics.find(port);
    return metrics == header.metrics.end() ? "" : metrics_line(metrics->second);
}

// Metrics first, then arrays, models and files; what a history has, the metrics say, too.
std::string contents_text(const ArtifactHeader& header) {
    const auto rank = [](PortKind kind) { return kind == PortKind::Metrics ? 0 : kind == PortKind::History ? 2 : 1; };
    std::vector<std::pair<std::string, PortKind>> ports(header.ports.begin(), header.ports.end());
    std::ranges::stable_sort(ports, {}, [&](const auto& port) { return rank(port.second); });
    std::string text;
    for (const auto& [port, kind] : ports)
        text += fmt::format("{}{}", text.empty() ? "" : "; ", port_text(header, port, kind));
    return text;
}

// A line a stage; on a terminal what does not fit is left out.
void print_rows(const std::string& dag, const std::vector<Row>& rows) {
    constexpr int kGaps = 6, kShortest = 16;
    const auto columns = stdout_columns();
    Table table{.title = dag, .columns = {"stage", "state", "size", "what"}, .rows = {}, .notes = {}};
    int stages = display_width("stage"), states = display_width("state"), sizes = display_width("size");
    for (const auto& row : rows) {
        const std::string stage = printable(row.stage), size = row.header ? bytes_text(row.header->file_bytes) : "";
        table.rows.push_back({columns ? fitted(stage, std::max(*columns / 2, kShortest)) : stage, row.state, size,
                              row.header ? printable(contents_text(*row.header)) : ""});
        stages = std::max(stages, display_width(table.rows.back().front()));
        states = std::max(states, display_width(row.state));
        sizes = std::max(sizes, display_width(size));
    }
    if (columns)
        for (auto& row : table.rows)
            row.back() = fitted(row.back(), std::max(*columns - stages - states - sizes - kGaps, kShortest));
    fmt::print("{}", table_text(table, columns));
}

Json rows_json(const std::string& dag, const std::vector<Row>& rows) {
    Json stages = Json::array();
    for (const auto& row : rows) {
        Json json = {{"stage", row.stage}, {"state", row.state}, {"key", nullptr}};
        if (row.header) {
            json["key"] = row.header->key.hex();
            json["bytes"] = row.header->file_bytes;
            Json tensors = Json::array();
            for (const auto& tensor : row.header->tensors) {
                tensors.push_back({{"tensor", tensor.path()}, {"dtype", name_of(tensor.dtype)}, {"shape", tensor.shape}});
            }
            json["tensors"] = std::move(tensors);
            json["metrics"] = row.header->metrics;
        }
        stages.push_back(std::move(json));
    }
    return {{"dag", dag}, {"stages", std::move(stages)}};
}

ExitCode ls(LsOptions options) {
    if (is_override(options.dag.file) && !std::filesystem::is_regular_file(options.dag.file))
        options.parameters.push_back(std::exchange(options.dag.file, ""));
    take_only_settings(options.parameters, options.dag);
    if (options.dag.file.empty()) check_settings_have_dag(options.dag);
    check_named_store(options.store);
    std::string name;
    const auto rows = options.dag.file.empty() ? rows_of_results(options, name) : rows_of_dag(options, name);
    if (options.json) {
        fmt::print("{}\n", dump_json(rows_json(name, rows)));
    } else {
        print_rows(name, rows);
    }
    return ExitCode::Done;
}

}  // namespace

void add_ls_command(Command& program) {
    program.add_command<LsOptions>(
        "ls", "list stages and their stored results",
        "Examples:\n"
        "  satdl ls                                     of the DAG that ran last\n"
        "  satdl ls dags/full.yaml                      of a DAG file as it is now\n"
        "  satdl ls dags/full.yaml noise_factor=0.2     ... with another value",
        [](Command& command, LsOptions& options) {
            command.add_option("dag", options.dag.file, "a DAG file; default: the DAG that ran last").type_name("DAG");
            command.add_option("parameters", options.parameters, "parameters of the DAG: name=value").type_name("NAME=VALUE");
            command.add_option("--dag", options.dag_name, "the name of a DAG that ran before").type_name("NAME");
            add_dag_options(command, options.dag);
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_store_options(command, options.store);
        },
        ls);
}

}  // namespace satdl
