#include "pipeline/sweep/sweep_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace satdl {
namespace {

// The values of one entry in YAML.
std::vector<ConfigValue> values_from_yaml(const ConfigValue::Entry& entry) {
    const ConfigValue& value = entry.value;
    if (value.is_list()) {
        if (value.items().empty() || value.items().size() > kMaxValues)
            refuse(value.place(), fmt::format("an axis needs 1 to {} values", kMaxValues));
        std::set<std::string> seen;
        for (const ConfigValue& item : value.items())
            if (!seen.insert(item.canonical()).second) refuse(item.place(), item.describe() + " is duplicated");
        return value.items();
    }
    if (!value.is_scalar())
        refuse(value.place(), fmt::format("'{}' needs a list of values, not {}", printable(entry.key), value.describe()),
               "[0.1, 0.2], or \"range(0.1,0.6,0.1)\"; name a parameter within a map with dots: train.epochs");
    return parse_values(value);
}

}  // namespace

SweepAxis axis_of(Override swept) {
    return {std::move(swept.name), std::move(swept.values), false, std::move(swept.place)};
}

SweepAxis parse_axis(const std::string& text) {
    return axis_of(parse_override(text, "--sweep"));
}

SweepAxis axis_from_yaml(const ConfigValue::Entry& entry) {
    return {entry.key, values_from_yaml(entry), false, entry.key_place};
}

void mark_repetitions(std::vector<SweepAxis>& axes, const std::optional<std::vector<ConfigValue>>& named) {
    if (!named) {
        for (SweepAxis& axis : axes)
            axis.repeats = axis.name == "seed" || axis.name.ends_with(".seed") || axis.name.ends_with("_seed");
        return;
    }
    std::vector<std::string> names;
    for (SweepAxis& axis : axes) {
        names.push_back(axis.name);
        axis.repeats = std::ranges::any_of(*named, [&](const ConfigValue& one) { return one.text() == axis.name; });
    }
    for (const ConfigValue& one : *named) {
        const std::string& name = one.text();
        if ((name == "none" && named->size() == 1) || std::ranges::find(names, name) != names.end()) continue;
        refuse(one.place(), fmt::format("'{}' is named as a repetition, but is not swept", printable(name)), did_you_mean(name, names));
    }
}

}  // namespace satdl
