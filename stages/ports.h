// What flows through ports, read and made: the few lines that every stage would write again.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/stage.h"

namespace satdl::stages {

using Numbers = std::vector<std::pair<std::string, double>>;

// The array at an array port. Precondition (checked): the port is connected.
[[nodiscard]] const Array& array_at(const StageInputs& inputs, const std::string& port);
[[nodiscard]] inline bool connected(const StageInputs& inputs, const std::string& port) { return inputs.contains(port); }

[[nodiscard]] inline NamedArrays one_array(Array array) { return {{"", std::move(array)}}; }
// A metrics port.
[[nodiscard]] NamedArrays metrics_group(const Numbers& numbers);
[[nodiscard]] std::map<std::string, double> metrics_at(const StageInputs& inputs, const std::string& port);

// Of a stage whose bytes are the same with any number of threads: plain loops (parallel.h) and everything within a KernelThreadScope
// (tensor.h).
[[nodiscard]] ParamDescription threads_param();

// A mistake of the user's that shows only when the stage runs.
[[nodiscard]] inline Error stage_error(std::string message, std::string hint = {}) {
    return Error(ExitCode::StageFailed, std::move(message), std::move(hint));
}

}  // namespace satdl::stages
