// A value of YAML against the description of its parameter. What it accepts comes back typed, so that two ways to write the same
// thing are one value and make one key (ParamValue::canonical).
#pragma once

#include <optional>
#include <string>

#include "pipeline/stage.h"

namespace satdl {

struct ParamMistake {
    std::string message;
    std::string hint;  // what to write instead
};

struct CheckedParam {
    ParamValue value;
    std::optional<ParamMistake> mistake;
};

// Whether the parameter may be left out, or given as null, and then is null.
[[nodiscard]] bool may_be_null(const ParamDescription& param);

// "epochs: how often the data are seen", for a hint; "" where the description has no help.
[[nodiscard]] std::string about(const ParamDescription& param);

// All types but Network; of Dataset and File it checks only that they are text.
[[nodiscard]] CheckedParam check_param(const ParamDescription& param, const ConfigValue& value);

}  // namespace satdl
