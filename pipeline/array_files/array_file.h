// An array out of a file of the user's own, whatever its format. A folder of images counts as a file where only the type is asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "pipeline/array_files/csv.h"
#include "pipeline/core/array.h"

namespace satdl {

struct ArraySelection {
    std::string name{};                  // HDF5 and .npz: which array; "": the only one
    std::optional<Columns> columns{};    // CSV: all, if absent
    std::optional<std::int64_t> limit{}; // the first entries along the first dimension
};

// Each throws Error{Store} naming the file, also where its array has no elements.

[[nodiscard]] Array read_array_file(const std::filesystem::path& path, const ArraySelection& selection);

// What the file's header says of its array, without `limit`; -1: an extent that only reading determines (the rows of a CSV file). nullopt:
// only reading determines it (a CSV file whose first row is very long). Throws whatever of read_array_file() shows by then.
[[nodiscard]] std::optional<ArrayType> array_type_of_file(const std::filesystem::path& path, const ArraySelection& selection);

// Whether that is a matter of a few bytes: not of HDF5, which a process of its own parses, nor of a folder of many images. Throws only if
// the file cannot be opened.
[[nodiscard]] bool has_cheap_header(const std::filesystem::path& path);

// array_type_of_file, or something that remembers what it said.
using ArrayTypeReader = std::function<std::optional<ArrayType>(const std::filesystem::path& path, const ArraySelection& selection)>;

}  // namespace satdl
