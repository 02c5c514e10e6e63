// Numbers as text: a line for each row, perhaps a first line of names. Between the columns are commas if the first line has any, else
// semicolons if it has any, else tabs; a decimal point is a point in each case.
//
// A file of text has no magic number: whatever is text (file_kind.h) and nothing else that is known is read as this, and each field that is
// no number is an error with its line and column. (RFC 4180, without its quotes: numbers need none.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pipeline/array_files/binary_file.h"

namespace satdl {

// Counted from 1, both included.
struct Columns {
    std::int64_t first = 1, last = 1;
};

inline constexpr const char* kColumnsAre = "write 5, or 2-5: columns are counted from 1";
// "5" or "2-5"; nullopt if it is neither.
[[nodiscard]] std::optional<Columns> parse_columns(const std::string& text);

// float64 [rows, columns], or [rows] if it is one column; nullopt: all columns. Not more than `limit` rows.
// Throws Error{Store} naming file, line and column: a field that is no number, an integer that float64 does not have exactly, a row of
// another length, a column that is not there.
[[nodiscard]] Array read_csv(BinaryFile& file, const std::optional<Columns>& columns, std::optional<std::int64_t> limit);
// The same, of the first row alone: the number of rows is -1, as only reading determines it. nullopt: the row is too long for that.
[[nodiscard]] std::optional<ArrayType> read_csv_type(BinaryFile& file, const std::optional<Columns>& columns);

}  // namespace satdl
