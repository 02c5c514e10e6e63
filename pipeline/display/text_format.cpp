#include "pipeline/display/text_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "pipeline/core/ascii.h"
#include "pipeline/core/utf8.h"

namespace satdl {

namespace {

constexpr int kReadable = 24;  // no column is wrapped to less

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

std::string line_of(const std::vector<std::string>& cells, const std::vector<int>& widths,
                    const std::vector<bool>& to_right) {
    std::string line;
    for (std::size_t column = 0; column < cells.size(); ++column) {
        if (column != 0) line += "  ";
        const std::string space(static_cast<std::size_t>(std::max(0, widths[column] - display_width(cells[column]))), ' ');
        line += to_right[column] ? space + cells[column] : cells[column] + space;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line + '\n';
}

// The last cell may take several lines.
std::string lines_of(std::vector<std::string> cells, const std::vector<int>& widths, const std::vector<bool>& to_right) {
    if (cells.empty() || display_width(cells.back()) <= widths.back()) return line_of(cells, widths, to_right);
    const std::string last = wrapped(cells.back(), widths.back());
    std::string text;
    for (std::size_t begin = 0; begin <= last.size();) {
        const std::size_t end = std::min(last.find('\n', begin), last.size());
        cells.back() = last.substr(begin, end - begin);
        text += line_of(cells, widths, to_right);
        std::ranges::fill(cells, "");
        begin = end + 1;
    }
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

std::string wrapped(std::string_view text, int width) {
    std::string lines;
    int used = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const int word = display_width(text.substr(0, end));
        const bool fits = used + 1 + word <= width;
        if (!lines.empty()) lines += fits ? ' ' : '\n';
        lines += text.substr(0, end);
        used = fits && used > 0 ? used + 1 + word : word;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
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

std::string table_text(const Table& table) { return table_text(table, std::nullopt); }

std::string table_text(const Table& table, std::optional<int> width) {
    std::vector<std::string> header;
    for (const auto& cell : table.columns) header.push_back(printable(cell));
    std::vector<int> widths;
    for (const auto& cell : header) widths.push_back(display_width(cell));
    std::vector<bool> to_right(header.size(), !table.rows.empty());
    std::vector<std::vector<std::string>> rows;
    for (const auto& row : table.rows) {
        auto& cells = rows.emplace_back(header.size());
        for (std::size_t column = 0; column < std::min(row.size(), header.size()); ++column) {
            cells[column] = printable(row[column]);
            widths[column] = std::max(widths[column], display_width(cells[column]));
            if (!is_number(cells[column])) to_right[column] = false;
        }
    }
    if (width && !header.empty()) {
        const int others = std::accumulate(widths.begin(), widths.end() - 1, 2 * (static_cast<int>(widths.size()) - 1));
        widths.back() = std::min(widths.back(), std::max(*width - others, kReadable));
    }
    std::string text = table.title.empty() ? "" : printable(table.title) + '\n';
    if (!header.empty()) {
        text += line_of(header, widths, to_right);
        int rule = 2 * (static_cast<int>(widths.size()) - 1);
        for (const int width : widths) rule += width;
        for (int i = 0; i < rule; ++i) text += "─";
        text += '\n';
    }
    for (auto& row : rows) text += lines_of(std::move(row), widths, to_right);
    for (const auto& note : table.notes) text += printable(note) + '\n';
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

}  // namespace satdl
