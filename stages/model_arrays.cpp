// Read back by a JSON library and not as YAML: a stage library has no YAML, and what was written is JSON.
#include "stages/model_arrays.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "pipeline/network/network_parser.h"
#include "stages/ports.h"

namespace satdl::stages {
namespace {

constexpr const char* kArchitecture = "architecture";

ConfigValue value_of(const nlohmann::json& json) {
    switch (json.type()) {
        case nlohmann::json::value_t::array: {
            std::vector<ConfigValue> items;
            for (const nlohmann::json& item : json) items.push_back(value_of(item));
            return ConfigValue::list(std::move(items));
        }
        case nlohmann::json::value_t::object: {
            std::vector<ConfigValue::Entry> entries;
            for (const auto& [key, item] : json.items()) entries.push_back({key, {}, value_of(item)});
            return ConfigValue::map(std::move(entries));
        }
        case nlohmann::json::value_t::string: return ConfigValue::of_text(json.get<std::string>());
        case nlohmann::json::value_t::boolean: return ConfigValue::of(json.get<bool>());
        case nlohmann::json::value_t::number_integer:
        case nlohmann::json::value_t::number_unsigned: return ConfigValue::of(json.get<std::int64_t>());
        case nlohmann::json::value_t::number_float: return ConfigValue::of(json.get<double>());
        default: return ConfigValue::null();
    }
}

}  // namespace

NamedArrays to_group(const Model& model) {
    std::vector<ConfigValue> extents;
    for (const std::int64_t extent : model.input) extents.push_back(ConfigValue::of(extent));
    const ConfigValue architecture = ConfigValue::map({{"input", {}, ConfigValue::list(std::move(extents))},
                                           {"layers", {}, to_value(model.network)}});
    const std::string text = architecture.canonical();
    NamedArrays group(model.weights.begin(), model.weights.end());
    group[kArchitecture] =
        Array::copy_of(DType::UInt8, {static_cast<std::int64_t>(text.size())}, std::as_bytes(std::span(text)));
    return group;
}

Model model_from(const NamedArrays& group) {
    const auto found = group.find(kArchitecture);
    if (found == group.end()) throw stage_error("this is not a model: it has no 'architecture'");
    const std::span<const std::uint8_t> text = found->second.values<std::uint8_t>();
    const nlohmann::json json = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
    if (!json.is_object() || !json.contains("input") || !json.contains("layers")) {
        throw stage_error("this is not a model: its 'architecture' is not JSON with 'input' and 'layers'");
    }
    Model model;
    for (const nlohmann::json& extent : json["input"]) model.input.push_back(extent.get<std::int64_t>());
    Diagnostics diagnostics;
    model.network = parse_network(value_of(json["layers"]), diagnostics);
    diagnostics.throw_if_any();
    for (const auto& [name, array] : group) {
        if (name != kArchitecture) model.weights.emplace(name, array);
    }
    return model;
}

}  // namespace satdl::stages
