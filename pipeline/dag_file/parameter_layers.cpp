#include "pipeline/dag_file/parameter_layers.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

void check_names(const ConfigValue& params, bool outermost, Diagnostics& diagnostics) {
    for (const ConfigValue::Entry& entry : params.entries()) {
        if (!is_dashed_identifier(entry.key))
            diagnostics.add(entry.key_place, fmt::format("'{}' is not a valid parameter name", printable(entry.key)),
                            "use letters, digits, '_' and '-', starting with a letter or '_'");
        else if (outermost && (entry.key == "item" || entry.key == "key"))
            diagnostics.add(entry.key_place, fmt::format("'{}' is not a valid parameter name", entry.key),
                            "${" + entry.key + "} is defined by 'foreach' and 'matrix'");
        check_names(entry.value, false, diagnostics);
    }
}

std::vector<std::string> keys(const ConfigValue& map) {
    std::vector<std::string> names;
    for (const ConfigValue::Entry& entry : map.entries()) names.push_back(entry.key);
    return names;
}

// `base` overridden by `over`: what is a map in both is merged, else `over` wins.
ConfigValue overridden(const ConfigValue& base, const ConfigValue& over, const std::string& path, Diagnostics& diagnostics) {
    if (!base.is_map()) return over;
    if (!over.is_map()) {
        const std::string first = base.entries().empty() ? "" : "set one of them, such as " + path + "." + base.entries()[0].key;
        diagnostics.add(over.place(), fmt::format("'{}' must be a map of parameters, not {}", path, over.describe()), first);
        return base;
    }
    if (base.entries().empty() && !path.empty()) return over;
    std::vector<ConfigValue::Entry> merged = base.entries();
    for (const ConfigValue::Entry& entry : over.entries()) {
        const auto found = std::find_if(merged.begin(), merged.end(), [&](const auto& one) { return one.key == entry.key; });
        const std::string inner = path.empty() ? entry.key : path + "." + entry.key;
        if (found == merged.end())
            diagnostics.add(entry.key_place, fmt::format("there is no parameter '{}'", printable(inner)),
                            merged.empty() ? "declare it under 'params', or set it in one stage: STAGE." + inner + "=VALUE"
                                           : did_you_mean(entry.key, keys(base)));
        else
            found->value = overridden(found->value, entry.value, inner, diagnostics);
    }
    return ConfigValue::map(std::move(merged), base.place());
}

// "a.b" and a value, as {a: {b: value}}.
ConfigValue nested(std::string_view name, const ConfigValue& value) {
    const Place place = value.place() ? Place{value.place().source, 1, 1} : Place{};
    const std::size_t dot = name.find('.');
    const ConfigValue inner = dot == std::string_view::npos ? value : nested(name.substr(dot + 1), value);
    return ConfigValue::map({{std::string(name.substr(0, dot)), place, inner}}, place);
}

}  // namespace

ConfigValue merged_parameters(const ParameterLayers& layers, Diagnostics& diagnostics) {
    check_names(layers.params, true, diagnostics);
    const ConfigValue params = layers.params.is_map() ? layers.params : ConfigValue::map({}, layers.params.place());
    ConfigValue merged = params;
    for (const ConfigValue::Entry& profile : layers.profiles.entries()) {
        if (!profile.value.is_map()) {
            diagnostics.add(profile.value.place(), "a profile must be a map of parameters, not " + profile.value.describe());
            continue;
        }
        const ConfigValue with = overridden(params, profile.value, "", diagnostics);
        if (profile.key == layers.profile) merged = with;
    }
    if (!layers.profile.empty() && !layers.profiles.find(layers.profile)) {
        const std::vector<std::string> known = keys(layers.profiles);
        diagnostics.add({}, fmt::format("there is no profile '{}'", printable(layers.profile)),
                        known.empty() ? "the file has no profiles" : did_you_mean(layers.profile, known));
    }
    for (const Override& one : layers.set) merged = overridden(merged, nested(one.name, one.value()), "", diagnostics);
    return merged;
}

}  // namespace satdl
