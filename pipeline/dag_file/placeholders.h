// `{in.x}` and its like in the arguments of a command stage, parsed. A brace that is meant is doubled: `{{` and `}}`.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "pipeline/dag/command.h"

namespace satdl {

struct PlaceholderMistake {
    std::string message;
    std::string hint;
};

// Its syntax alone: whether what it names exists is for the caller to check.
[[nodiscard]] std::variant<Argument, PlaceholderMistake> parse_argument(std::string_view text);

}  // namespace satdl
