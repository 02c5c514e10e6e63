#include "pipeline/display/text_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "pipeline/core/ascii.h"
#include "pipeline/core/utf8.h"

namespace satdl {

namespace {

constexpr int kReadable = 16;  // no column of text is wrapped to less

int width_of(char32_t point) {
    struct Range {
        char32_t first, last;
    };
    constexpr std::array kZero{Range{0x300, 0x36F}, Range{0x200B, 0x200F}, Range{0x20D0, 0x20FF}, Range{0xFE00, 0xFE0F}};
    constexpr std::array kWide{Range{0x1100, 0x115F},   Range{0x2E80, 0xA4CF},   Range{0xAC00, 0xD7A3},
                               Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},
                               Range{0xFFE0, 0xFFE6},   Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF},
                               Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD}};
    const auto in = [point](const Range& range) { return point >= range.first && point <= range.last; };
    if (std::any_of(kZero.begin(), kZero.end(), in)) return 0;
    return std::any_of(kWide.begin(), kWide.end(), in) ? 2 : 1;
}

bool is_number(std::string_view cell) {
    if (cell.empty() || cell == "-" || cell == "nan" || cell == "inf" || cell == "-inf") return true;
    const std::string_view digits = cell.substr(cell.front() == '-' || cell.front() == '+' ? 1 : 0);
    return !digits.empty() && is_digit(digits.front()) && std::all_of(digits.begin(), digits.end(), [](char c) {
        return is_digit(c) || std::string_view(".e+-:%").find(c) != std::string_view::npos;
    });
}

struct Column {
    std::string header;
    std::vector<std::string> cells;  // by row
    bool is_numeric = false;
    int width = 0;      // without wrapping
    int min_width = 0;  // wrapped
};

using Part = std::vector<Column>;  // of a table: what stands side by side

// Behind which a long word is broken.
constexpr std::string_view kSeparators = "/.-,|[";

int longest_piece(std::string_view text) {
    int longest = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(std::string(kSeparators) + ' '), text.size() - 1) + 1;
        longest = std::max(longest, display_width(text.substr(0, end)));
        text.remove_prefix(end);
    }
    return longest;
}

// The bytes of the word's beginning that stand on a line of `width` columns: one character at least.
std::size_t beginning_of(std::string_view word, int width) {
    std::size_t end = 0, separated = 0;
    for (int used = 0; end < word.size();) {
        const CodePoint point = code_point(word, end);
        used += width_of(point.value);
        if (used > width && end > 0) break;
        end += point.bytes;
        if (kSeparators.find(word[end - 1]) != std::string_view::npos) separated = end;
    }
    return end < word.size() && separated > 0 ? separated : end;
}

std::vector<std::string_view> split_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        lines.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return lines;
}

std::vector<Column> columns_of(const Table& table) {
    std::vector<Column> columns;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        Column& column = columns.emplace_back();
        column.header = printable(table.columns[i]);
        column.is_numeric = !table.rows.empty();
        int cells_width = 0;
        for (const auto& row : table.rows) {
            const std::string& cell = column.cells.emplace_back(i < row.size() ? printable(row[i]) : "");
            cells_width = std::max(cells_width, display_width(cell));
            column.is_numeric = column.is_numeric && is_number(cell);
        }
        column.width = std::max(display_width(column.header), cells_width);
        const int readable = column.is_numeric ? cells_width : std::min(cells_width, kReadable);
        column.min_width = std::max(longest_piece(column.header), readable);
    }
    return columns;
}

int total_width(const std::vector<Column>& columns, int Column::*width) {
    const auto add = [width](int sum, const Column& column) { return sum + 2 + column.*width; };
    return std::accumulate(columns.begin(), columns.end(), -2, add);
}

// Makes the widest columns narrower, as far as that goes.
void narrow(Part& columns, int width) {
    for (int excess = total_width(columns, &Column::width) - width; excess > 0; --excess) {
        Column* widest = nullptr;
        for (Column& column : columns) {
            const bool can = column.width > column.min_width;
            if (can && (widest == nullptr || column.width >= widest->width)) widest = &column;
        }
        if (widest == nullptr) return;
        --widest->width;
    }
}

// As many columns in each part as fit if they are as wide as `its` says. Each part begins with the first `labels` columns.
std::vector<Part> parts_of(const std::vector<Column>& columns, int Column::*its, int width, std::size_t labels) {
    const std::vector<Column> label_columns(columns.begin(),
                                            columns.begin() + static_cast<std::ptrdiff_t>(std::min(labels, columns.size())));
    std::vector<Part> parts{label_columns};
    for (std::size_t i = label_columns.size(); i < columns.size(); ++i) {
        parts.back().push_back(columns[i]);
        const bool fits = total_width(parts.back(), its) <= width;
        if (fits || parts.back().size() == label_columns.size() + 1) continue;
        parts.back().pop_back();
        parts.push_back(label_columns);
        parts.back().push_back(columns[i]);
    }
    return parts;
}

// Without wrapping, if that takes no more parts.
std::vector<Part> parts_of(const std::vector<Column>& columns, std::optional<int> width, std::size_t labels) {
    if (!width) return {columns};
    std::vector<Part> parts = parts_of(columns, &Column::min_width, *width, labels);
    std::vector<Part> unwrapped = parts_of(columns, &Column::width, *width, labels);
    if (unwrapped.size() <= parts.size()) parts = std::move(unwrapped);
    for (Part& part : parts) narrow(part, *width);
    return parts;
}

// A row, on as many lines as its tallest cell takes. `cell`: of a column.
template <typename Cell>
std::string row_text(const Part& columns, const Cell& cell) {
    std::vector<std::string> texts;
    std::vector<std::vector<std::string_view>> cells;
    std::size_t height = 1;
    texts.reserve(columns.size());  // `cells` refers to them
    for (const Column& column : columns) {
        cells.push_back(split_lines(texts.emplace_back(wrapped(cell(column), column.width))));
        height = std::max(height, cells.back().size());
    }
    std::string text;
    for (std::size_t row = 0; row < height; ++row) {
        std::string line;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const std::string_view part = row < cells[i].size() ? cells[i][row] : "";
            const std::string space(static_cast<std::size_t>(std::max(0, columns[i].width - display_width(part))), ' ');
            if (i != 0) line += "  ";
            line += columns[i].is_numeric ? space : std::string(part);
            line += columns[i].is_numeric ? std::string(part) : space;
        }
        text += line.erase(line.find_last_not_of(' ') + 1) + '\n';
    }
    return text;
}

std::string part_text(const Part& columns, std::size_t rows) {
    std::string text = row_text(columns, [](const Column& column) -> std::string_view { return column.header; });
    for (int i = 0; i < total_width(columns, &Column::width); ++i) text += "─";
    text += '\n';
    for (std::size_t row = 0; row < rows; ++row)
        text += row_text(columns, [row](const Column& column) -> std::string_view { return column.cells[row]; });
    return text;
}

}  // namespace

int display_width(std::string_view text) {
    int width = 0;
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = code_point(text, at);
        width += width_of(point.value);
        at += point.bytes;
    }
    return width;
}

std::string fitted(std::string_view text, int width) {
    if (width <= 0) return {};
    if (display_width(text) <= width) return std::string(text);
    int used = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        const CodePoint point = code_point(text, at);
        if (used + width_of(point.value) > width - 1) break;
        used += width_of(point.value);
        at += point.bytes;
    }
    return std::string(text.substr(0, at)) + "…";
}

std::string wrapped(std::string_view text, int width, int indent) {
    const std::string line_break = '\n' + std::string(static_cast<std::size_t>(indent), ' ');
    std::string lines;
    int used = -1;  // of the last line; before the first word the space between words is not there
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (used < 0) {
            used = 0;
        } else if (used + 1 + display_width(word) <= width) {
            lines += ' ';
            ++used;
        } else if (word.empty()) {
            continue;
        } else {
            lines.erase(lines.find_last_not_of(' ') + 1);
            lines += line_break;
            used = indent;
        }
        while (used + display_width(word) > width) {
            const std::size_t bytes = beginning_of(word, width - used);
            if (bytes == word.size()) break;
            lines += word.substr(0, bytes);
            lines += line_break;
            used = indent;
            word.remove_prefix(bytes);
        }
        lines += word;
        used += display_width(word);
    }
    return lines;
}

std::string wrapped_lines(std::string_view text, std::optional<int> width, int indent) {
    if (!width) return std::string(text);
    std::string all;
    for (const std::string_view line : split_lines(text)) all += wrapped(line, *width, indent) + '\n';
    all.pop_back();
    return all;
}

std::string padded(std::string_view text, int width) {
    return std::string(text) + std::string(static_cast<std::size_t>(std::max(0, width - display_width(text))), ' ');
}

std::string clock_text(double seconds) {
    const auto whole = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
    if (whole < 60) return fmt::format("{}s", whole);
    if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string duration_text(double seconds) {
    if (seconds < 0.0995) return fmt::format("{:.1f} ms", std::max(0.0, seconds) * 1e3);
    if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
    if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
    return fmt::format("{} {}", clock_text(seconds), seconds < 3599.5 ? "min" : "h");
}

std::string bytes_text(std::uint64_t bytes) {
    if (bytes < 1000) return fmt::format("{} B", bytes);
    auto amount = static_cast<double>(bytes);
    constexpr std::array kUnits{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    std::size_t unit = 0;
    while (amount >= 999.5 && unit + 1 < kUnits.size()) {
        amount /= 1000;
        ++unit;
    }
    return fmt::format("{:.{}f} {}", amount, amount < 9.95 ? 1 : 0, kUnits[unit]);
}

std::string table_text(const Table& table, std::optional<int> width, std::size_t labels) {
    constexpr int kIndent = 2;
    std::string text = table.title.empty() ? "" : wrapped_lines(printable(table.title), width, kIndent) + '\n';
    bool first = true;
    for (const Part& part : parts_of(columns_of(table), width, labels)) {
        if (part.empty()) break;  // a table of notes
        if (!std::exchange(first, false)) text += '\n';
        text += part_text(part, table.rows.size());
    }
    for (const auto& note : table.notes) text += wrapped_lines(printable(note), width, kIndent) + '\n';
    return text;
}

std::string table_csv(const Table& table) {
    std::string text;
    const auto add_line = [&text](const std::vector<std::string>& cells) {
        for (std::size_t column = 0; column < cells.size(); ++column) {
            if (column != 0) text += ',';
            if (cells[column].find_first_of(",\"\r\n") == std::string::npos) {
                text += cells[column];
                continue;
            }
            text += '"';
            for (const char c : cells[column]) text += c == '"' ? std::string("\"\"") : std::string(1, c);
            text += '"';
        }
        text += '\n';
    };
    add_line(table.columns);
    for (const auto& row : table.rows) add_line(row);
    return text;
}

std::string table_markdown(const Table& table) {
    std::string text;
    const auto add_line = [&](const std::vector<std::string>& cells) {
        text += '|';
        for (std::size_t column = 0; column < table.columns.size(); ++column) {
            const std::string cell = column < cells.size() ? printable(cells[column]) : "";
            text += ' ';
            for (const char c : cell) text += c == '|' ? std::string("\\|") : std::string(1, c);
            text += " |";
        }
        text += '\n';
    };
    add_line(table.columns);
    add_line(std::vector<std::string>(table.columns.size(), "---"));
    for (const auto& row : table.rows) add_line(row);
    return text;
}

}  // namespace satdl
