#include "pipeline/stage.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/core/config_value.h"

namespace satdl {
namespace {

template <typename Items>
auto find_named(const Items& items, std::string_view name) -> const typename Items::value_type* {
    const auto found = std::ranges::find(items, name, &Items::value_type::name);
    return found == items.end() ? nullptr : &*found;
}

// One overload for each type of ParamValue::Data.
struct Canonical {
    std::string operator()(std::monostate) const { return "null"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return canonical_number(number); }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(const std::string& text) const { return ConfigValue::of_text(text).canonical(); }
    std::string operator()(const std::vector<double>& numbers) const {
        std::string list;
        for (const double number : numbers) {
            if (!list.empty()) list += ',';
            list += canonical_number(number);
        }
        return fmt::format("[{}]", list);
    }
    std::string operator()(const std::shared_ptr<const Network>& network) const { return to_value(*network).canonical(); }
};

template <typename T>
const T& read_as(const Params& params, std::string_view name, std::string_view wanted) {
    const ParamValue& value = params.value(name);
    const T* const found = value.get_if<T>();
    SATDL_CHECK(found != nullptr, fmt::format("parameter '{}' is {}, read as {}", name, value.canonical(), wanted));
    return *found;
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
        case ParamType::Folder: return "folder";
        case ParamType::Numbers: return "numbers";
        case ParamType::Precision: return "precision";
        case ParamType::Device: return "device";
        case ParamType::Threads: break;
    }
    return "threads";
}

std::string_view name_of(Precision precision) {
    switch (precision) {
        case Precision::Fp32: return "fp32";
        case Precision::Tf32: return "tf32";
        case Precision::Bf16: return "bf16";
    }
    return "";
}

std::string_view name_of(Device device) { return device == Device::Cuda ? "cuda" : "cpu"; }

std::string_view name_of(PortKind kind) {
    switch (kind) {
        case PortKind::Array: return "array";
        case PortKind::Model: return "model";
        case PortKind::Metrics: return "metrics";
        case PortKind::History: return "history";
        case PortKind::Arrays: return "arrays";
        case PortKind::File: return "file";
        case PortKind::Folder: break;
    }
    return "folder";
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
    const ParamValue& value = params.value(param);
    if (!values.empty()) return std::ranges::find(values, value.text()) != values.end();
    return !value.is_null() && value.text() != "false" && value.as_number() != 0;
}

const PortDescription* StageDescription::input(std::string_view name) const { return find_named(inputs, name); }
const PortDescription* StageDescription::output(std::string_view name) const { return find_named(outputs, name); }
const ParamDescription* StageDescription::param(std::string_view name) const { return find_named(params, name); }
const ParamDescription* StageDescription::param(ParamType type) const {
    const auto found = std::ranges::find(params, type, &ParamDescription::type);
    return found == params.end() ? nullptr : &*found;
}

std::optional<double> ParamValue::as_number() const {
    if (const auto* integer = get_if<std::int64_t>()) return static_cast<double>(*integer);
    if (const auto* number = get_if<double>()) return *number;
    return std::nullopt;
}

std::string ParamValue::canonical() const { return std::visit(Canonical(), data_); }

std::string ParamValue::text() const {
    const auto* const text = get_if<std::string>();
    return text != nullptr ? *text : canonical();
}

const ParamValue& Params::value(std::string_view name) const {
    const auto found = values_.find(std::string(name));
    SATDL_CHECK(found != values_.end(), fmt::format("the stage's description has no parameter '{}'", name));
    return found->second;
}

bool Params::given(std::string_view name) const {
    const auto found = values_.find(std::string(name));
    return found != values_.end() && !found->second.is_null();
}

std::int64_t Params::integer(std::string_view name) const { return read_as<std::int64_t>(*this, name, "an integer"); }

double Params::number(std::string_view name) const {
    const auto number = value(name).as_number();
    SATDL_CHECK(number.has_value(), fmt::format("parameter '{}' is {}, read as a number", name, value(name).canonical()));
    return *number;
}

bool Params::boolean(std::string_view name) const { return read_as<bool>(*this, name, "a boolean"); }

const std::string& Params::text(std::string_view name) const { return read_as<std::string>(*this, name, "a text"); }

const std::vector<double>& Params::numbers(std::string_view name) const {
    return read_as<std::vector<double>>(*this, name, "a list of numbers");
}

const Network& Params::network(std::string_view name) const {
    return *read_as<std::shared_ptr<const Network>>(*this, name, "a network");
}

std::optional<std::string> fault_of_names(std::string_view port, PortKind kind, const NamedArrays& arrays) {
    if (kind == PortKind::Array) {
        if (arrays.size() == 1 && arrays.begin()->first.empty()) return std::nullopt;
        return fmt::format("output '{}' must be one array without a name", port);
    }
    for (const auto& [name, array] : arrays) {
        if (name.empty()) return fmt::format("output '{}' is a {}, in which every array has a name", port, name_of(kind));
        const std::string framed = fmt::format("/{}/", name);
        const auto holds = [&](std::string_view part) { return framed.find(part) != std::string::npos; };
        // HDF5 cuts a name at a NUL, drops "." and splits at '/'.
        if (holds(std::string_view("\0", 1)) || holds("//") || holds("/./") || holds("/../"))
            return fmt::format("'{}' of output '{}' cannot be a name in HDF5", printable(name), port);
        for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
            if (arrays.contains(name.substr(0, slash)))
                return fmt::format("'{}' and '{}' of output '{}' cannot both be names in HDF5: one would be the other's folder",
                                   printable(name.substr(0, slash)), printable(name), port);
        }
    }
    return std::nullopt;
}

}  // namespace satdl
