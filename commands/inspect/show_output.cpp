#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/inspect/show.h"
#include "commands/inspect/show_values.h"
#include "commands/shared/metric_order.h"
#include "pipeline/core/json.h"
#include "pipeline/core/metric_text.h"
#include "pipeline/core/time_text.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/run_summary.h"
#include "pipeline/display/sparkline.h"
#include "pipeline/display/text_format.h"
#include "pipeline/network/architecture.h"

namespace satdl {

namespace {

constexpr std::size_t kHistoryRows = 60;
constexpr int kSparklineCells = 60;
constexpr int kLabelColumns = 6;  // "made  "

// A network's canonical text or a digest would fill the screen.
std::string part_text(const std::string& value) {
    return Digest::from_hex(value) ? value.substr(0, 12) + "…" : fitted(printable(value), 90);
}

// At most as wide as the terminal, the end left out.
std::string line_text(const std::string& line) {
    const auto width = stdout_columns();
    return (width ? fitted(line, *width) : line) + '\n';
}

std::string type_text(const TensorView& tensor) {
    return fmt::format("{} {}", name_of(tensor.record.dtype), shape_text(tensor.slice->shape()));
}

bool is_shown_confusion(const TensorView& tensor) {
    constexpr std::int64_t kMostClasses = 50;
    return tensor.is_confusion && tensor.slice->shape().front() <= kMostClasses;
}

int width_of_columns(const Table& table) {
    int sum = -2;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        int width = display_width(table.columns[i]);
        for (const auto& row : table.rows) width = std::max(width, display_width(row[i]));
        sum += width + 2;
    }
    return sum;
}

// Until each row is one line of the terminal: what is least asked for first, but counts of NaN only where they are all 0.
void leave_out_what_does_not_fit(Table& table) {
    const auto width = stdout_columns();
    std::vector<std::string> gone;
    for (const char* name : {"nan", "inf", "mean", "max", "min"}) {
        if (!width || width_of_columns(table) <= *width) break;
        const auto column = std::ranges::find(table.columns, name) - table.columns.begin();
        const auto at = static_cast<std::size_t>(column);
        if (at == table.columns.size()) continue;
        const bool is_count = std::string_view(name) == "nan" || std::string_view(name) == "inf";
        if (is_count && std::ranges::any_of(table.rows, [&](const auto& row) { return row[at] != "0" && row[at] != "-"; }))
            continue;
        table.columns.erase(table.columns.begin() + column);
        for (auto& row : table.rows) row.erase(row.begin() + column);
        gone.emplace_back(name);
    }
    if (!gone.empty()) table.notes.push_back(fmt::format("--json also has {}", fmt::join(gone, ", ")));
}

Table tensor_table(const ArtifactView& view) {
    Table table{.title = {}, .columns = {"tensor", "type", "min", "max", "mean", "std", "nan"}, .rows = {}, .notes = {}};
    const bool has_inf = std::ranges::any_of(
        view.tensors, [](const TensorView& one) { return one.statistics && one.statistics->inf_count > 0; });
    if (has_inf) table.columns.emplace_back("inf");
    std::uint64_t unread = 0;
    for (const auto& tensor : view.tensors) {
        const bool is_of_model = view.header.ports.at(tensor.record.port) == PortKind::Model;
        if (is_of_model && view.networks.contains(tensor.record.port) &&
            (!view.tensors_of_models || tensor.record.name == kArchitecture))
            continue;
        if (is_shown_confusion(tensor)) continue;
        auto& row = table.rows.emplace_back(std::vector<std::string>{tensor.record.path(), type_text(tensor)});
        if (!tensor.statistics) {
            unread += tensor.record.bytes();
            row.insert(row.end(), table.columns.size() - row.size(), "-");
            continue;
        }
        const Statistics& numbers = *tensor.statistics;
        for (const double value : {numbers.min, numbers.max, numbers.mean, numbers.deviation})
            row.push_back(fmt::format("{:.3g}", value));
        row.push_back(std::to_string(numbers.nan_count));
        if (has_inf) row.push_back(std::to_string(numbers.inf_count));
    }
    if (unread > 0)
        table.notes.push_back(fmt::format("{} are read for their statistics only with --stats", bytes_text(unread)));
    leave_out_what_does_not_fit(table);
    return table;
}

// Long names of parameters and values are shortened: one line each.
Table recipe_table(const ArtifactView& view) {
    const auto width = stdout_columns();
    Table table{.title = "Recipe", .columns = {"part", "value", "from"}, .rows = {}, .notes = {}};
    constexpr int kPart = 30, kFrom = 28, kGaps = 4, kShortest = 16;
    const int value_width = std::max(width.value_or(0) - kPart - kFrom - kGaps, kShortest);
    for (const auto& part : view.header.recipe) {
        const auto origin = view.origins.find(part.name);
        const std::string from = origin == view.origins.end() ? "" : origin->second;
        table.rows.push_back(
            {width ? fitted(part.name, kPart) : part.name,
             width ? fitted(part_text(part.value), value_width) : part_text(part.value),
             width ? fitted(from, kFrom) : from});
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
                       printable(fmt::format("{}", fmt::join(view.stale_inputs, ", "))),
                       !sure ? "may have"
                       : one ? "has"
                             : "have",
                       sure ? "recomputes it" : "decides");
}

std::string kind_of(const ArtifactView& view) {
    const KeyPart* const kind = find_part(view.header.recipe, "kind");
    return kind == nullptr ? "" : printable(kind->value);
}

// "m1: train"
std::string title_of(const ArtifactView& view) {
    const std::string name = view.stage.empty() ? view.header.key.short_hex() : printable(view.stage);
    if (view.part == ShownPart::Whole) return line_text(fmt::format("{}: {}", name, kind_of(view)));
    std::string text = fmt::format("{}/{}", name, printable(view.name));
    if (view.part == ShownPart::Tensor && view.tensors.size() == 1) {
        const TensorView& tensor = view.tensors.front();
        text += fmt::format(": {}, {}", type_text(tensor),
                            bytes_text(static_cast<std::uint64_t>(tensor.slice->count()) * size_of(tensor.record.dtype)));
    }
    return line_text(text);
}

// "from  x: noisy@train.images"
std::string origin_text(const ArtifactView& view) {
    std::vector<std::string> inputs;
    std::string files;
    for (const KeyPart& part : view.header.recipe) {
        const bool is_input = part.name.starts_with("input "), is_file = part.name.starts_with("file ");
        if (!is_input && !is_file) continue;
        const auto origin = view.origins.find(part.name);
        inputs.push_back(
            is_file ? fmt::format("{} {}", printable(part.name), part_text(part.value))
                    : fmt::format("{}: {}", printable(part.name.substr(6)),
                                  origin == view.origins.end() ? part_text(part.value) : printable(origin->second)));
    }
    std::string text;
    const auto add = [&](const char* label, const std::string& value) {
        if (!value.empty()) text += wrapped_lines(fmt::format("{:<6}{}\n", label, value), stdout_columns(), kLabelColumns);
    };
    add("from", fmt::format("{}", fmt::join(inputs, ", ")));
    add("set", text_of(view.settings));
    return text;
}

std::string made_text(const ArtifactView& view) {
    std::string text = fmt::format("key   {}\n", view.header.key.hex());
    text += wrapped_lines(fmt::format("file  {} ({})\n", printable(view.path.string()), bytes_text(view.header.file_bytes)),
                          stdout_columns(), kLabelColumns);
    if (view.made) {
        const std::string made = fmt::format(
            "made  {} in {} on {} with {} thread{} (run {})\n", utc_text(static_cast<std::time_t>(view.made->wall_time)),
            duration_text(view.made->seconds), printable(view.made->host), view.made->threads,
            view.made->threads == 1 ? "" : "s", printable(view.made->run));
        text += wrapped_lines(made, stdout_columns(), kLabelColumns);
        if (!view.made->library_sha256.empty())
            text += fmt::format("code  sha256 {}\n", printable(view.made->library_sha256));
    }
    return text;
}

// What people look at first stands first.
std::string metrics_text(const std::map<std::string, double>& metrics, const std::string& port) {
    std::vector<std::string> names;
    for (const auto& [name, value] : metrics) names.push_back(name);
    std::ranges::stable_sort(names, {}, metric_rank);
    Table table{.title = fmt::format("Metrics ({})", port), .columns = {"name", "value"}, .rows = {}, .notes = {}};
    for (const std::string& name : names) table.rows.push_back({name, metric_text(metrics.at(name))});
    return table_text(table, stdout_columns());
}

// Few numbers whole, many as statistics and a histogram; of a slice always the numbers.
std::string tensor_text(const TensorView& tensor, bool is_slice, bool is_text) {
    constexpr std::int64_t kFewValues = 100;
    const auto columns = stdout_columns();
    if (is_text && !is_slice) {
        const Array array = tensor.slice->array();
        const auto bytes = array.bytes();
        const std::string printed = printable(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
        return fmt::format("\n{}\n", wrapped_lines(printed, columns, 0));
    }
    std::string text;
    const bool is_small = tensor.slice->count() <= kFewValues;
    if (!tensor.statistics)
        text += fmt::format("\nits {} are read for statistics only with --stats\n", bytes_text(tensor.record.bytes()));
    if (is_shown_confusion(tensor)) return text + '\n' + confusion_text(*tensor.slice, tensor.class_names, columns);
    if (tensor.statistics && tensor.slice->count() > 1) {
        text += fmt::format("\n{}", table_text(statistics_table(*tensor.statistics), columns));
        if (const std::string bars = histogram_text(tensor.statistics->histogram, columns.value_or(kColumnsInPipe));
            !is_small && !bars.empty())
            text += '\n' + bars;
    }
    if (is_small || is_slice)
        if (const std::string values = values_text(*tensor.slice, columns); !values.empty()) text += '\n' + values;
    return text;
}

std::string whole_text(const ArtifactView& view) {
    std::string text;
    for (const auto& [port, values] : view.header.metrics) text += fmt::format("\n{}", metrics_text(values, port));
    if (const std::string origins = origin_text(view); !origins.empty()) text += '\n' + origins;
    for (const auto& [port, network] : view.networks)
        text += fmt::format("\n{}", network_text(network, port, stdout_columns()));
    if (const Table table = tensor_table(view); !table.rows.empty())
        text += fmt::format("\n{}", table_text(table, stdout_columns()));
    for (const TensorView& tensor : view.tensors)
        if (is_shown_confusion(tensor))
            text += fmt::format("\n{}: {}", printable(tensor.record.path()),
                                confusion_text(*tensor.slice, tensor.class_names, stdout_columns()));
    const bool hides_tensors = !view.networks.empty() && !view.tensors_of_models;
    if (hides_tensors) text += "--tensors lists the tensors of the model\n";
    for (const auto& [port, columns] : view.history)
        text += fmt::format("\n{}", table_text(history_table(port, columns), stdout_columns()));
    for (const auto& table : view.header.tables) text += fmt::format("\n{}", table_text(table, stdout_columns()));
    text += '\n' + made_text(view);
    return view.whole_recipe ? fmt::format("{}\n{}", text, table_text(recipe_table(view), stdout_columns())) : text;
}

std::string port_text(const ArtifactView& view) {
    const auto metrics = view.header.metrics.find(view.name);
    if (metrics != view.header.metrics.end()) return '\n' + metrics_text(metrics->second, view.name);
    const auto history = view.history.find(view.name);
    if (history != view.history.end()) return '\n' + table_text(history_table(view.name, history->second), stdout_columns());
    std::string text;
    if (const auto network = view.networks.find(view.name); network != view.networks.end())
        text += '\n' + network_text(network->second, view.name, stdout_columns());
    if (const Table table = tensor_table(view); !table.rows.empty()) text += '\n' + table_text(table, stdout_columns());
    return text;
}

}  // namespace

std::string artifact_text(const ArtifactView& view) {
    std::string text = title_of(view);
    if (view.freshness != Freshness::Current) text += wrapped_lines(stale_text(view), stdout_columns(), kLabelColumns);
    for (const std::string& warning : view.header.warnings)
        text += wrapped_lines(fmt::format("warning: {}\n", printable(warning)), stdout_columns(), 2);
    if (!view.is_verified)
        text +=
            wrapped_lines(fmt::format("its {} are too large to be checked against their digests unasked: --stats does it\n",
                                      bytes_text(view.header.file_bytes)),
                          stdout_columns(), 2);
    switch (view.part) {
        case ShownPart::Whole:
            return text + whole_text(view);
        case ShownPart::Port:
            return text + port_text(view);
        case ShownPart::Tensor:
            break;
    }
    for (const TensorView& tensor : view.tensors) {
        const bool is_text =
            view.header.ports.at(tensor.record.port) == PortKind::Model && tensor.record.name == kArchitecture;
        text += tensor_text(tensor, view.name.ends_with(']'), is_text);
    }
    return text;
}

namespace {

// The elements as lists within lists.
Json values_json(const ArraySlice& slice) {
    if (slice.shape().empty()) {
        const Array element = slice.element();
        if (element.dtype() == DType::Int64) return element.values<std::int64_t>().front();
        const double number = numbers_of(element).front();
        return element.dtype() == DType::Int32 || element.dtype() == DType::UInt8 ? Json(static_cast<std::int64_t>(number))
                                                                                  : Json(number);
    }
    Json values = Json::array();
    for (std::int64_t i = 0; i < slice.shape().front(); ++i) values.push_back(values_json(slice.at(i)));
    return values;
}

Json tensor_json(const TensorView& tensor, bool with_values) {
    constexpr std::int64_t kMostValues = 10'000;
    Json json = {{"tensor", tensor.record.path()},
                 {"dtype", name_of(tensor.record.dtype)},
                 {"shape", tensor.slice->shape()},
                 {"digest", tensor.record.digest.hex()}};
    if (with_values && tensor.slice->count() <= kMostValues) json["values"] = values_json(*tensor.slice);
    if (tensor.is_confusion) json["class_names"] = tensor.class_names;
    for (const char* name : {"min", "max", "mean", "std", "nan", "inf", "zeros", "histogram"}) json[name] = nullptr;
    if (!tensor.statistics) return json;
    const Statistics& numbers = *tensor.statistics;
    json["min"] = numbers.min;
    json["max"] = numbers.max;
    json["mean"] = numbers.mean;
    json["std"] = numbers.deviation;
    json["nan"] = numbers.nan_count;
    json["inf"] = numbers.inf_count;
    json["zeros"] = numbers.zero_count;
    json["histogram"] = {{"edges", numbers.histogram.edges}, {"counts", numbers.histogram.counts}};
    return json;
}

}  // namespace

Json artifact_json(const ArtifactView& view) {
    Json recipe = Json::array(), tensors = Json::array(), tables = Json::array(), networks = Json::object(),
         settings = Json::object();
    for (const auto& part : view.header.recipe) {
        Json json = {{"part", part.name}, {"value", part.value}};
        if (const auto origin = view.origins.find(part.name); origin != view.origins.end()) json["from"] = origin->second;
        recipe.push_back(std::move(json));
    }
    for (const auto& tensor : view.tensors) tensors.push_back(tensor_json(tensor, view.part == ShownPart::Tensor));
    for (const auto& table : view.header.tables) tables.push_back(table_to_json(table));
    for (const auto& [port, network] : view.networks) networks[port] = network_json(network);
    for (const auto& [name, value] : view.settings) settings[name] = value;
    Json json = {{"stage", view.stage.empty() ? Json(nullptr) : Json(view.stage)},
                 {"kind", kind_of(view)},
                 {"key", view.header.key.hex()},
                 {"path", view.path.string()},
                 {"bytes", view.header.file_bytes},
                 {"verified", view.is_verified},
                 {"stale_inputs", view.stale_inputs},
                 {"made", nullptr},
                 {"set", std::move(settings)},
                 {"networks", std::move(networks)},
                 {"tensors", std::move(tensors)},
                 {"metrics", view.header.metrics},
                 {"history", view.history},
                 {"tables", std::move(tables)},
                 {"warnings", view.header.warnings},
                 {"recipe", std::move(recipe)}};
    if (view.made) {
        json["made"] = {
            {"run", view.made->run},
            {"host", view.made->host},
            {"wall_time", view.made->wall_time},
            {"seconds", view.made->seconds},
            {"threads", view.made->threads},
            {"library_sha256", view.made->library_sha256.empty() ? Json(nullptr) : Json(view.made->library_sha256)}};
    }
    return json;
}

}  // namespace satdl
