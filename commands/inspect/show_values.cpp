#include "commands/inspect/show_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <vector>

#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

constexpr std::int64_t kShownWhole = 1000;  // elements: NumPy's threshold
constexpr std::int64_t kEdge = 3;           // elements at each end of an axis: NumPy's edgeitems
constexpr int kLongestBar = 40;

// The indices of an axis that are shown; -1: what is left out.
std::vector<std::int64_t> shown_indices(std::int64_t extent, bool shortened) {
    std::vector<std::int64_t> indices;
    for (std::int64_t i = 0; i < extent; ++i) {
        if (shortened && extent > 2 * kEdge && i == kEdge) {
            indices.push_back(-1);
            i = extent - kEdge;
        }
        indices.push_back(i);
    }
    return indices;
}

std::string element_text(const ArraySlice& element) {
    const Array array = element.element();
    if (array.dtype() == DType::Int64) return std::to_string(array.values<std::int64_t>().front());  // a double has 53 bits
    return number_text(numbers_of(array).front());
}

std::string index_text(std::int64_t index) {
    return index < 0 ? "…" : std::to_string(index);
}

std::string line_of(const ArraySlice& slice, bool shortened, std::optional<int> width) {
    std::string line;
    for (const std::int64_t i : shown_indices(slice.shape().front(), shortened))
        line += fmt::format("{}{}", line.empty() ? "" : "  ", i < 0 ? "…" : element_text(slice.at(i)));
    return wrapped_lines(line, width, 0) + '\n';
}

Table table_of(const ArraySlice& slice, bool shortened) {
    Table table{.title = {}, .columns = {""}, .rows = {}, .notes = {}};
    const auto columns = shown_indices(slice.shape()[1], shortened);
    for (const std::int64_t column : columns) table.columns.push_back(index_text(column));
    for (const std::int64_t row : shown_indices(slice.shape()[0], shortened)) {
        auto& cells = table.rows.emplace_back(std::vector<std::string>{index_text(row)});
        for (const std::int64_t column : columns)
            cells.push_back(row < 0 || column < 0 ? "…" : element_text(slice.at(row).at(column)));
    }
    return table;
}

void add_blocks(const ArraySlice& slice, const std::string& index, bool shortened, std::optional<int> width,
                std::string& text) {
    if (slice.shape().size() == 2) {
        if (!text.empty()) text += '\n';
        text += fmt::format("[{}:, :]\n{}", index, table_text(table_of(slice, shortened), width));
        return;
    }
    for (const std::int64_t i : shown_indices(slice.shape().front(), shortened)) {
        if (i < 0)
            text += "\n…\n";
        else
            add_blocks(slice.at(i), fmt::format("{}{}, ", index, i), shortened, width, text);
    }
}

// In eighths of a column.
std::string bar(double share, int columns) {
    constexpr std::array<std::string_view, 8> kEighths{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const auto eighths = static_cast<int>(std::ceil(share * columns * 8));
    std::string text;
    for (int i = 0; i < eighths / 8; ++i) text += "█";
    return text + std::string(kEighths[static_cast<std::size_t>(eighths % 8)]);
}

}  // namespace

std::string number_text(double value) {
    return fmt::format("{:.6g}", value);
}

Table statistics_table(const Statistics& statistics) {
    return {.title = {},
            .columns = {"min", "max", "mean", "std", "zeros", "nan", "inf"},
            .rows = {{number_text(statistics.min), number_text(statistics.max), number_text(statistics.mean),
                      number_text(statistics.deviation), std::to_string(statistics.zero_count),
                      std::to_string(statistics.nan_count), std::to_string(statistics.inf_count)}},
            .notes = {}};
}

std::string histogram_text(const Histogram& histogram, int width) {
    std::vector<std::string> labels, counts;
    int label_width = 0, count_width = 0;
    std::int64_t greatest = 1;
    const auto edge = [](double value) { return fmt::format("{:.4g}", value); };
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
        labels.push_back(histogram.is_of_single_numbers()
                             ? number_text(histogram.edges[i])
                             : fmt::format("{} to {}", edge(histogram.edges[i]), edge(histogram.edges[i + 1])));
        counts.push_back(std::to_string(histogram.counts[i]));
        label_width = std::max(label_width, display_width(labels.back()));
        count_width = std::max(count_width, display_width(counts.back()));
        greatest = std::max(greatest, histogram.counts[i]);
    }
    const int longest = std::clamp(width - label_width - count_width - 4, 1, kLongestBar);
    std::string text;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const double share = static_cast<double>(histogram.counts[i]) / static_cast<double>(greatest);
        std::string line = fmt::format(
            "{}{}  {}{}  {}", std::string(static_cast<std::size_t>(label_width - display_width(labels[i])), ' '), labels[i],
            std::string(static_cast<std::size_t>(count_width) - counts[i].size(), ' '), counts[i], bar(share, longest));
        text += line.erase(line.find_last_not_of(' ') + 1) + '\n';
    }
    return text;
}

std::string values_text(const ArraySlice& slice, std::optional<int> width) {
    const bool shortened = slice.count() > kShownWhole;
    if (slice.count() == 0) return {};
    switch (slice.shape().size()) {
        case 0:
            return element_text(slice) + '\n';
        case 1:
            return line_of(slice, shortened, width);
        case 2:
            return table_text(table_of(slice, shortened), width);
        default:
            break;
    }
    std::string text;
    add_blocks(slice, "", shortened, width, text);
    return text;
}

std::string confusion_text(const ArraySlice& counts, const std::vector<std::string>& class_names, std::optional<int> width) {
    const std::int64_t classes = counts.shape().front();
    const auto name = [&](std::int64_t i) {
        return class_names.empty() ? std::to_string(i) : class_names[static_cast<std::size_t>(i)];
    };
    Table table{.title = "true class (rows), predicted class (columns)", .columns = {""}, .rows = {}, .notes = {}};
    for (std::int64_t i = 0; i < classes; ++i) {
        table.columns.push_back(name(i));
        auto& row = table.rows.emplace_back(std::vector<std::string>{name(i)});
        for (std::int64_t k = 0; k < classes; ++k) row.push_back(element_text(counts.at(i).at(k)));
    }
    return table_text(table, width);
}

}  // namespace satdl
