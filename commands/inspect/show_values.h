// What is in a tensor, for people: its numbers, and how they are distributed.
#pragma once

#include <optional>
#include <string>

#include "commands/shared/array_slice.h"
#include "commands/shared/tensor_statistics.h"
#include "pipeline/core/table.h"

namespace satdl {

inline constexpr int kColumnsInPipe = 80;  // of bars and pictures, which have no width of their own

[[nodiscard]] std::string number_text(double value);

// "min -0.14  max 0.14  mean ...", as a table of one row.
[[nodiscard]] Table statistics_table(const Statistics& statistics);

// Bars, a line each, at most `width` columns wide.
[[nodiscard]] std::string histogram_text(const Histogram& histogram, int width);

// The elements: of an axis in lines, of two as a table, of more as tables, each under its index. More than a thousand are
// shortened as NumPy does it: the first and last three of each axis.
[[nodiscard]] std::string values_text(const ArraySlice& slice, std::optional<int> width);

// A confusion matrix [classes, classes] by true and predicted class, under their names if there are any.
[[nodiscard]] std::string confusion_text(const ArraySlice& counts, const std::vector<std::string>& class_names,
                                         std::optional<int> width);

}  // namespace satdl
