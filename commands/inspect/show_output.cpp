#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "commands/inspect/show.h"
#include "pipeline/core/json.h"
#include "pipeline/core/metric_text.h"
#include "pipeline/core/time_text.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/run_summary.h"
#include "pipeline/display/sparkline.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

constexpr std::size_t kHistoryRows = 60;
constexpr int kSparklineCells = 60;
constexpr int kLabelColumns = 6;  // "made  "

std::string number_text(double value) {
    return fmt::format("{:.6g}", value);
}

// A network's canonical text or a digest would fill the screen.
std::string part_text(const std::string& value) {
    return Digest::from_hex(value) ? value.substr(0, 12) + "…" : fitted(printable(value), 90);
}

Table tensor_table(const ArtifactView& view) {
    Table table{
        .title = {}, .columns = {"tensor", "dtype", "shape", "min", "max", "mean", "std", "nan"}, .rows = {}, .notes = {}};
    for (const auto& tensor : view.tensors) {
        const Statistics& numbers = tensor.statistics;
        table.rows.push_back({tensor.record.path(), std::string(name_of(tensor.record.dtype)),
                              shape_text(tensor.record.shape), number_text(numbers.min), number_text(numbers.max),
                              number_text(numbers.mean), number_text(numbers.deviation), std::to_string(numbers.nan_count)});
    }
    return table;
}

Table recipe_table(const ArtifactView& view) {
    Table table{.title = "Recipe", .columns = {"part", "value", "from"}, .rows = {}, .notes = {}};
    for (const auto& part : view.header.recipe) {
        const auto origin = view.origins.find(part.name);
        table.rows.push_back({part.name, part_text(part.value), origin == view.origins.end() ? "" : origin->second});
    }
    return table;
}

Table history_table(const std::string& port, const std::map<std::string, std::vector<double>>& columns) {
    Table table{.title = fmt::format("History ({})", port), .columns = {}, .rows = {}, .notes = {}};
    std::size_t rows = 0;
    const bool has_epoch = columns.contains("epoch");
    if (!has_epoch) table.columns.emplace_back("epoch");
    for (const auto& [name, values] : columns) {
        table.columns.push_back(name);
        rows = std::max(rows, values.size());
    }
    const std::size_t first = rows > kHistoryRows ? rows - kHistoryRows : 0;
    for (std::size_t row = first; row < rows; ++row) {
        auto& cells = table.rows.emplace_back();
        if (!has_epoch) cells.push_back(std::to_string(row + 1));
        for (const auto& [name, values] : columns) {
            const bool whole = name == "epoch" || name == "step";
            cells.push_back(row >= values.size() ? "-" : whole ? canonical_number(values[row]) : metric_text(values[row]));
        }
    }
    for (const char* loss : {"train/loss", "val/loss"}) {
        const auto found = columns.find(loss);
        if (found != columns.end() && found->second.size() > 1)
            table.notes.push_back(fmt::format("{:<10}  {}", loss, sparkline(found->second, kSparklineCells)));
    }
    if (first > 0) table.notes.push_back(fmt::format("the last {} of {} epochs; --json prints all", kHistoryRows, rows));
    return table;
}

// "stale its input model has changed since; a run recomputes it"
std::string stale_text(const ArtifactView& view) {
    const bool sure = view.freshness == Freshness::Stale, one = view.stale_inputs.size() == 1;
    return fmt::format("stale {}its input{} {} {} changed since; a run {}\n", sure ? "" : "? ", one ? "" : "s",
                       printable(fmt::format("{}", fmt::join(view.stale_inputs, ", "))), !sure ? "may have" : one ? "has" : "have",
                       sure ? "recomputes it" : "decides");
}

}  // namespace

std::string artifact_text(const ArtifactView& view) {
    std::string text;
    if (!view.stage.empty()) text += fmt::format("{}\n", printable(view.stage));
    text += fmt::format("key   {}\nfile  {} ({})\n", view.header.key.hex(), printable(view.path.string()),
                        bytes_text(view.header.file_bytes));
    if (view.freshness != Freshness::Current) text += wrapped_lines(stale_text(view), stdout_columns(), kLabelColumns);
    if (view.made) {
        const std::string made =
            fmt::format("made  {} in {} on {} with {} thread{} (run {})\n", utc_text(static_cast<std::time_t>(view.made->wall_time)),
                        duration_text(view.made->seconds), printable(view.made->host), view.made->threads,
                        view.made->threads == 1 ? "" : "s", printable(view.made->run));
        text += wrapped_lines(made, stdout_columns(), kLabelColumns);
        if (!view.made->library_sha256.empty()) text += fmt::format("code  sha256 {}\n", printable(view.made->library_sha256));
    }
    for (const std::string& warning : view.header.warnings) text += fmt::format("warning: {}\n", printable(warning));
    if (!view.tensors.empty()) text += fmt::format("\n{}", table_text(tensor_table(view), stdout_columns()));
    for (const auto& tensor : view.tensors) {
        if (view.tensors.size() > 1) break;
        std::string line = tensor.text;
        for (const double value : tensor.values) line += (line.empty() ? "" : "  ") + number_text(value);
        if (!line.empty()) text += fmt::format("\n{}\n", printable(line));
    }
    for (const auto& [port, values] : view.header.metrics) {
        Table table{.title = fmt::format("Metrics ({})", port), .columns = {"name", "value"}, .rows = {}, .notes = {}};
        for (const auto& [name, value] : values) table.rows.push_back({name, metric_text(value)});
        text += fmt::format("\n{}", table_text(table, stdout_columns()));
    }
    for (const auto& [port, columns] : view.history)
        text += fmt::format("\n{}", table_text(history_table(port, columns), stdout_columns()));
    for (const auto& table : view.header.tables) text += fmt::format("\n{}", table_text(table, stdout_columns()));
    return text + "\n" + table_text(recipe_table(view), stdout_columns());
}

Json artifact_json(const ArtifactView& view) {
    Json recipe = Json::array(), tensors = Json::array(), tables = Json::array();
    for (const auto& part : view.header.recipe) {
        Json json = {{"part", part.name}, {"value", part.value}};
        if (const auto origin = view.origins.find(part.name); origin != view.origins.end()) json["from"] = origin->second;
        recipe.push_back(std::move(json));
    }
    for (const auto& tensor : view.tensors) {
        const Statistics& numbers = tensor.statistics;
        tensors.push_back({{"tensor", tensor.record.path()},
                           {"dtype", name_of(tensor.record.dtype)},
                           {"shape", tensor.record.shape},
                           {"digest", tensor.record.digest.hex()},
                           {"min", numbers.min},
                           {"max", numbers.max},
                           {"mean", numbers.mean},
                           {"std", numbers.deviation},
                           {"nan", numbers.nan_count}});
    }
    for (const auto& table : view.header.tables) tables.push_back(table_to_json(table));
    Json json = {{"stage", view.stage.empty() ? Json(nullptr) : Json(view.stage)},
                 {"key", view.header.key.hex()},
                 {"path", view.path.string()},
                 {"bytes", view.header.file_bytes},
                 {"stale_inputs", view.stale_inputs},
                 {"made", nullptr},
                 {"tensors", std::move(tensors)},
                 {"metrics", view.header.metrics},
                 {"history", view.history},
                 {"tables", std::move(tables)},
                 {"warnings", view.header.warnings},
                 {"recipe", std::move(recipe)}};
    if (view.made) {
        json["made"] = {{"run", view.made->run},
                        {"host", view.made->host},
                        {"wall_time", view.made->wall_time},
                        {"seconds", view.made->seconds},
                        {"threads", view.made->threads},
                        {"library_sha256", view.made->library_sha256.empty() ? Json(nullptr) : Json(view.made->library_sha256)}};
    }
    return json;
}

}  // namespace satdl
