// JSON as satdl writes it. Only files that build or read JSON include <nlohmann/json.hpp> itself: it costs seconds of compiling.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "pipeline/core/table.h"

namespace satdl {

using Json = nlohmann::ordered_json;  // members keep the order in which they were added

// On one line; bytes that are not UTF-8 are replaced.
[[nodiscard]] std::string dump_json(const Json& json);

// A text as it is, anything else as JSON.
[[nodiscard]] std::string plain_text(const Json& value);

// A number, or "nan", "inf", "-inf", which JSON has no numbers for.
[[nodiscard]] Json number_to_json(double number);

[[nodiscard]] Json table_to_json(const Table& table);
[[nodiscard]] Table table_from_json(const Json& json);  // throws what nlohmann-json throws if it is not a table

}  // namespace satdl
