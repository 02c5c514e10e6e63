#include "stages/training_summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/network/metric_names.h"

namespace satdl::stages {
namespace {

// The row where the metric in `column` was best: the first of several.
std::size_t best_row(const TrainingHistory& history, std::size_t column) {
    const bool more = more_is_better(history.names[column]);
    std::size_t best = 0;
    for (std::size_t row = 1; row < history.rows.size(); ++row) {
        const double value = history.rows[row][column], than = history.rows[best][column];
        if (more ? value > than : value < than) best = row;
    }
    return best;
}

std::string number_text(double number) { return fmt::format("{:.6g}", number); }

}  // namespace

std::vector<std::string> summary_names() { return {"best_epoch", "last_epoch", "stopped_early"}; }

NamedArrays history_group(const TrainingHistory& history) {
    const auto epochs = static_cast<std::int64_t>(history.rows.size());
    const auto add = [&](NamedArrays& group, const std::string& name, auto value_in) {
        std::vector<double> values;
        for (std::size_t row = 0; row < history.rows.size(); ++row) values.push_back(value_in(row));
        group[name] = Array::of<double>({epochs}, std::span<const double>(values));
    };
    NamedArrays group;
    add(group, "epoch", [](std::size_t row) { return static_cast<double>(row + 1); });
    add(group, "step", [&](std::size_t row) { return static_cast<double>(history.steps[row]); });
    add(group, "lr", [&](std::size_t row) { return history.rates[row]; });
    for (std::size_t i = 0; i < history.names.size(); ++i) {
        add(group, history.names[i], [&](std::size_t row) { return history.rows[row][i]; });
    }
    return group;
}

Numbers summary_of(const TrainingState& state) {
    const TrainingHistory& history = state.history;
    Numbers numbers{{"best_epoch", static_cast<double>(state.best_epoch)},
                    {"last_epoch", static_cast<double>(state.epoch)},
                    {"stopped_early", state.stopping.stopped ? 1 : 0}};
    const std::vector<double>& kept = history.rows[static_cast<std::size_t>(state.best_epoch - 1)];
    for (std::size_t i = 0; i < history.names.size(); ++i) {
        const std::size_t best = best_row(history, i);
        numbers.emplace_back(history.names[i], kept[i]);
        numbers.emplace_back(kLast + history.names[i], history.rows.back()[i]);
        numbers.emplace_back(kBest + history.names[i], history.rows[best][i]);
        numbers.emplace_back(kEpochOfBest + history.names[i], static_cast<double>(best + 1));
    }
    return numbers;
}

Table ending_table(const TrainingState& state, const std::string& ending) {
    Table table{"Training", {"metric", "kept", "last", "best", "in epoch"}, {}, {ending}};
    table.notes.push_back(fmt::format("kept: the weights after epoch {}", state.best_epoch));
    const TrainingHistory& history = state.history;
    for (std::size_t i = 0; i < history.names.size(); ++i) {
        const std::size_t best = best_row(history, i);
        table.rows.push_back({history.names[i], number_text(history.rows[static_cast<std::size_t>(state.best_epoch - 1)][i]),
                              number_text(history.rows.back()[i]), number_text(history.rows[best][i]),
                              fmt::format("{}", best + 1)});
    }
    return table;
}

}  // namespace satdl::stages
