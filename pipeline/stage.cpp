#include "pipeline/stage.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/network/network_parser.h"

namespace satdl {
namespace {

template <typename Items>
auto find_named(const Items& items, std::string_view name) -> const typename Items::value_type* {
    const auto found = std::ranges::find(items, name, &Items::value_type::name);
    return found == items.end() ? nullptr : &*found;
}

std::string unreadable(std::string_view name, const ConfigValue& value, std::string_view wanted) {
    return fmt::format("parameter '{}' is {}, read as {}", name, value.describe(), wanted);
}

}  // namespace

std::string_view name_of(ParamType type) {
    switch (type) {
        case ParamType::Integer: return "integer";
        case ParamType::Number: return "number";
        case ParamType::Boolean: return "boolean";
        case ParamType::Text: return "text";
        case ParamType::Choice: return "choice";
        case ParamType::Network: return "network";
        case ParamType::Dataset: return "dataset";
        case ParamType::File: return "file";
        case ParamType::Numbers: return "numbers";
        case ParamType::Precision: return "precision";
        case ParamType::Device: return "device";
        case ParamType::Threads: break;
    }
    return "threads";
}

std::string_view name_of(Precision precision) { return precision == Precision::Bf16 ? "bf16" : "fp32"; }

std::string_view name_of(Device device) { return device == Device::Cuda ? "cuda" : "cpu"; }

std::string_view name_of(PortKind kind) {
    switch (kind) {
        case PortKind::Array: return "array";
        case PortKind::Model: return "model";
        case PortKind::Metrics: return "metrics";
        case PortKind::History: break;
    }
    return "history";
}

std::string_view name_of(PortRole role) {
    switch (role) {
        case PortRole::None: break;
        case PortRole::Images: return "images";
        case PortRole::Labels: return "labels";
        case PortRole::Predictions: return "predictions";
        case PortRole::NoisyImages: return "noisy_images";
        case PortRole::DenoisedImages: return "denoised_images";
        case PortRole::Baseline: return "baseline";
        case PortRole::Candidate: return "candidate";
        case PortRole::BaselineTraining: return "baseline_training";
        case PortRole::CandidateTraining: return "candidate_training";
    }
    return "none";
}

bool ParamDescription::Condition::is_met(const Params& params) const {
    const ConfigValue& value = params.value(param);
    if (!values.empty()) return std::ranges::find(values, value.text()) != values.end();
    return !value.is_null() && value.text() != "false" && !(value.as_number() && *value.as_number() == 0);
}

const PortDescription* StageDescription::input(std::string_view name) const { return find_named(inputs, name); }
const PortDescription* StageDescription::output(std::string_view name) const { return find_named(outputs, name); }
const ParamDescription* StageDescription::param(std::string_view name) const { return find_named(params, name); }
const ParamDescription* StageDescription::param(ParamType type) const {
    const auto found = std::ranges::find(params, type, &ParamDescription::type);
    return found == params.end() ? nullptr : &*found;
}

const ConfigValue& Params::value(std::string_view name) const {
    const auto found = values_.find(std::string(name));
    SATDL_CHECK(found != values_.end(), fmt::format("the stage's description has no parameter '{}'", name));
    return found->second;
}

bool Params::given(std::string_view name) const {
    const auto found = values_.find(std::string(name));
    return found != values_.end() && !found->second.is_null();
}

std::int64_t Params::integer(std::string_view name) const {
    const auto number = value(name).as_integer();
    SATDL_CHECK(number.has_value(), unreadable(name, value(name), "an integer"));
    return *number;
}

double Params::number(std::string_view name) const {
    const auto number = value(name).as_number();
    SATDL_CHECK(number.has_value(), unreadable(name, value(name), "a number"));
    return *number;
}

bool Params::boolean(std::string_view name) const {
    const auto flag = value(name).as_boolean();
    SATDL_CHECK(flag.has_value(), unreadable(name, value(name), "a boolean"));
    return *flag;
}

const std::string& Params::text(std::string_view name) const {
    SATDL_CHECK(value(name).is_scalar(), unreadable(name, value(name), "a text"));
    return value(name).text();
}

std::vector<double> Params::numbers(std::string_view name) const {
    SATDL_CHECK(value(name).is_list(), unreadable(name, value(name), "a list of numbers"));
    std::vector<double> numbers;
    for (const ConfigValue& item : value(name).items()) {
        const auto number = item.as_number();
        SATDL_CHECK(number.has_value(), unreadable(name, item, "a number"));
        numbers.push_back(*number);
    }
    return numbers;
}

Network Params::network(std::string_view name) const {
    Diagnostics diagnostics;
    Network network = parse_network(value(name), diagnostics);
    SATDL_CHECK(diagnostics.empty(),
                fmt::format("parameter '{}' is no network: {}", name, diagnostics.found().front().message));
    return network;
}

}  // namespace satdl
