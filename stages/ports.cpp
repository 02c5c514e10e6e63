#include "stages/ports.h"

#include <fmt/format.h>

#include <span>

namespace satdl::stages {

const Array& array_at(const StageInputs& inputs, const std::string& port) {
    const auto found = inputs.find(port);
    SATDL_CHECK(found != inputs.end() && found->second.contains(""), fmt::format("no array at port '{}'", port));
    return found->second.at("");
}

NamedArrays metrics_group(const Numbers& numbers) {
    NamedArrays group;
    for (const auto& [name, number] : numbers) group[name] = Array::of<double>({1}, std::span(&number, 1));
    return group;
}

std::map<std::string, double> metrics_at(const StageInputs& inputs, const std::string& port) {
    std::map<std::string, double> numbers;
    for (const auto& [name, array] : inputs.at(port)) numbers[name] = array.values<double>()[0];
    return numbers;
}

ParamDescription threads_param() {
    return {.name = "threads", .type = ParamType::Threads, .fallback = "auto", .help = "number of threads; changes no result",
            .changes_result = false};
}

}  // namespace satdl::stages
