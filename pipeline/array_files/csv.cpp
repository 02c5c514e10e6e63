#include "pipeline/array_files/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr const char* kLeaveColumnsOut = "leave columns that are no numbers out: columns: 1-3, for example";
constexpr const char* kHowNamesAre =
    "a first line of names has a name for each column that is read, beginning with a letter or _;\n"
    "leave columns that are no numbers out: columns: 1-3, for example";
constexpr std::size_t kFirstBytes = 1 << 20;  // in which the first row ends, or its type is not known

std::optional<double> number(std::string_view field) {
    double value = 0;
    const auto [end, failed] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (field.empty() || failed != std::errc() || end != field.data() + field.size()) return std::nullopt;
    return value;
}

// Whether a field of the first line is a column's name; what may be meant as a value is none, or a row of data would be lost unnoticed.
bool is_name(std::string_view field) {
    if (field.starts_with('"')) field = trimmed(field.substr(1, field.size() - (field.size() > 1 && field.ends_with('"') ? 2 : 1)));
    if (field.empty()) return false;
    const auto first = static_cast<unsigned char>(field[0]);
    // In UTF-8, letters too, but not what starts with c2 or e2: the signs of currencies, minus.
    const bool starts_name = is_letter(field[0]) || first == '_' || (first > 0xc2 && first != 0xe2);
    constexpr std::array<std::string_view, 7> kValues{"na", "n/a", "nan", "null", "none", "inf", "infinity"};
    return starts_name && std::ranges::find(kValues, lower(field)) == kValues.end();
}

// `value`: of an integer in digits, as float64. Its digits if they are others, for above 2^53 there are gaps.
std::optional<std::string> rounded(std::string_view field, double value) {
    if (std::abs(value) < 9007199254740992.0) return std::nullopt;
    if (field.starts_with('-')) field.remove_prefix(1);
    if (!std::ranges::all_of(field, is_digit)) return std::nullopt;
    field.remove_prefix(std::min(field.find_first_not_of('0'), field.size()));
    std::string nearest = fmt::format("{:.0f}", std::abs(value));
    return nearest == field ? std::nullopt : std::optional((value < 0 ? "-" : "") + nearest);
}

// The lines of a text, without their ends; one after the other.
class Lines {
public:
    explicit Lines(std::string_view text) : rest_(text) {
        if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
    }
    // nullopt after the last.
    std::optional<std::string_view> next() {
        if (rest_.empty()) return std::nullopt;
        ++number_;
        const std::size_t end = std::min(rest_.find('\n'), rest_.size());
        std::string_view line = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        return line;
    }
    [[nodiscard]] std::int64_t number() const { return number_; }  // of the line that came last, from 1

private:
    std::string_view rest_;
    std::int64_t number_ = 0;
};

struct Separator {
    char character;
    std::string_view name;
};

Separator separator_of(std::string_view first_line) {
    for (const Separator one : {Separator{',', "commas"}, Separator{';', "semicolons"}, Separator{'\t', "tabs"}})
        if (first_line.find(one.character) != std::string_view::npos) return one;
    return {',', "commas"};  // it is one column
}

void split(std::string_view line, char separator, std::vector<std::string_view>& fields) {
    fields.clear();
    for (std::size_t from = 0; from <= line.size();) {
        const std::size_t end = std::min(line.find(separator, from), line.size());
        fields.push_back(trimmed(line.substr(from, end - from)));
        from = end + 1;
    }
}

// What to do about a field that is no number; "": whatever else is known of it.
std::string advice_on(std::string_view field, Separator separator) {
    const std::size_t other = field.find_first_of(" ,;\t");
    if (other == std::string_view::npos || !number(field.substr(0, other))) return "";
    return fmt::format("columns are separated by {}, as in the first line, and numbers are written 1234.5:\n"
                       "numpy.savetxt(file, array, delimiter=',')",
                       separator.name);
}

struct Rows {
    std::size_t width = 0;  // chosen columns
    std::vector<double> numbers;  // none: there are no rows
};

Rows read_rows(const BinaryFile& file, std::string_view text, const std::optional<Columns>& columns, std::optional<std::int64_t> limit) {
    Rows rows;
    Lines lines(text);
    std::vector<std::string_view> fields;
    std::size_t all = 0;  // columns of the file
    std::int64_t count = 0;
    bool has_names = false;
    Separator separator{};
    while (!limit || count < *limit) {
        const auto line = lines.next();
        if (!line) break;
        if (trimmed(*line).empty()) continue;
        if (all == 0) separator = separator_of(*line);
        split(*line, separator.character, fields);
        const auto at = [&](std::size_t column) { return fmt::format("line {}, column {}", lines.number(), column + 1); };
        const std::size_t first = columns ? static_cast<std::size_t>(columns->first - 1) : 0;
        if (all == 0) {
            all = fields.size();
            if (columns && columns->last > static_cast<std::int64_t>(all))
                throw file.error(fmt::format("has {} columns, not {}", all, columns->last), "columns are counted from 1");
            rows.width = columns ? static_cast<std::size_t>(columns->last - columns->first + 1) : all;
            const auto chosen = std::span(fields).subspan(first, rows.width);
            has_names = std::ranges::all_of(chosen, is_name);
            if (has_names) continue;
        }
        if (fields.size() != all)
            throw file.error(fmt::format("line {} has {} columns, the first has {}", lines.number(), fields.size(), all),
                             fmt::format("columns are separated by {}, as in the first line; numbers are written 1234.5", separator.name));
        for (std::size_t column = first; column < first + rows.width; ++column) {
            const auto value = number(fields[column]);
            if (!value) {
                std::string hint = advice_on(fields[column], separator);
                if (hint.empty()) hint = count == 0 && !has_names ? kHowNamesAre : columns ? "" : kLeaveColumnsOut;
                throw file.error(fmt::format("{}: '{}' is not a number", at(column), printable(fields[column].substr(0, 40))), hint);
            }
            if (const auto nearest = rounded(fields[column], *value))
                throw file.error(fmt::format("{}: float64 does not have {} exactly, only {}", at(column), fields[column].substr(0, 40),
                                             nearest->substr(0, 40)),
                                 "keep such integers in a NumPy file as int64, or leave this column out");
            rows.numbers.push_back(*value);
        }
        ++count;
    }
    return rows;
}

Error without_rows(const BinaryFile& file) {
    return file.error("has no rows of numbers",
                      "a CSV file has numbers with commas, semicolons or tabs between them, after at most one line of names");
}

// One column is an array of one dimension, as labels are.
Shape shape_of(std::int64_t rows, std::size_t width, const std::optional<Columns>& columns) {
    if (columns && columns->first == columns->last) return {rows};
    return {rows, static_cast<std::int64_t>(width)};
}

}  // namespace

std::optional<Columns> parse_columns(const std::string& text) {
    const std::size_t dash = text.find('-');
    Columns columns;
    const auto read = [](std::string_view part, std::int64_t& column) {
        const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), column);
        return failed == std::errc() && end == part.data() + part.size() && column >= 1;
    };
    const std::string_view whole = text;
    if (!read(whole.substr(0, dash), columns.first)) return std::nullopt;
    columns.last = columns.first;
    if (dash != std::string::npos && !read(whole.substr(dash + 1), columns.last)) return std::nullopt;
    return columns.first <= columns.last ? std::optional(columns) : std::nullopt;
}

Array read_csv(BinaryFile& file, const std::optional<Columns>& columns, std::optional<std::int64_t> limit) {
    const std::string text = file.peek(0, file.size());
    const Rows rows = read_rows(file, text, columns, limit);
    if (rows.numbers.empty()) throw without_rows(file);
    return Array::of<double>(shape_of(static_cast<std::int64_t>(rows.numbers.size() / rows.width), rows.width, columns), rows.numbers);
}

std::optional<ArrayType> read_csv_type(BinaryFile& file, const std::optional<Columns>& columns) {
    std::string text = file.peek(0, kFirstBytes);
    const bool is_whole = text.size() == file.size();
    if (!is_whole) text.resize(text.rfind('\n') + 1);  // whole lines
    const Rows rows = read_rows(file, text, columns, 1);
    if (rows.numbers.empty() && !is_whole) return std::nullopt;
    if (rows.numbers.empty()) throw without_rows(file);
    return ArrayType{DType::Float64, shape_of(-1, rows.width, columns)};
}

}  // namespace satdl
