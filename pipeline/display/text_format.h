// Text for people: how wide it stands on a terminal, columns, durations, sizes. Metrics: core/metric_text.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/core/table.h"

namespace satdl {

// Columns that UTF-8 text takes on a terminal: 2 for East Asian wide characters and emoji, 0 for combining marks.
[[nodiscard]] int display_width(std::string_view text);
// Cut to at most `width` columns, the last one an ellipsis if it was cut.
[[nodiscard]] std::string fitted(std::string_view text, int width);
// In lines of at most `width` columns, broken between words, or within a word that is longer than a line. The lines after the first are
// indented by `indent` spaces.
[[nodiscard]] std::string wrapped(std::string_view text, int width, int indent = 0);
// Each line of the text wrapped on its own; nullopt: no limit.
[[nodiscard]] std::string wrapped_lines(std::string_view text, std::optional<int> width, int indent);
// Filled up with spaces to `width` columns.
[[nodiscard]] std::string padded(std::string_view text, int width);

[[nodiscard]] std::string duration_text(double seconds);    // "0.8 ms", "12.3 s", "4:05 min", "1:02:03 h"
[[nodiscard]] std::string clock_text(double seconds);       // as Keras: "12s", "1:05", "1:02:03"
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);  // "512 B", "1.5 MB": powers of 1000

// Title, header, rule, rows, notes; columns of numbers are aligned to the right. Cells are made printable. At most `width` columns wide:
// text and headers are wrapped in their cells, the widest first, and columns that still do not fit follow in further parts, each with the
// first `labels` columns. Nothing is left out; numbers are never broken, so that a very narrow table may be wider.
[[nodiscard]] std::string table_text(const Table& table, std::optional<int> width = std::nullopt, std::size_t labels = 1);
[[nodiscard]] std::string table_csv(const Table& table);  // RFC 4180 quoting; header and rows, each ended by \n

[[nodiscard]] std::string table_markdown(const Table& table);  // header, rule, rows; | in a cell is escaped

}  // namespace satdl
