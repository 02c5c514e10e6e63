#include "pipeline/dag_file/stage_settings.h"

#include <algorithm>
#include <utility>

namespace satdl {
namespace {

// {stage, key} of "stage.key"; an empty key if there is no dot.
std::pair<std::string_view, std::string_view> parts_of(std::string_view name) {
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) return {name, {}};
    return {name.substr(0, dot), name.substr(dot + 1)};
}

// An empty map has every parameter: it may be filled.
bool has_parameter(const ConfigValue* params, std::string_view name) {
    const auto [first, rest] = parts_of(name);
    const ConfigValue* value = params != nullptr ? params->find(first) : nullptr;
    if (value == nullptr || rest.empty()) return value != nullptr;
    return value->is_map() && (value->entries().empty() || has_parameter(value, rest));
}

ConfigValue with_entry(const ConfigValue& map, ConfigValue::Entry entry) {
    std::vector<ConfigValue::Entry> entries = map.entries();
    const auto found = std::ranges::find(entries, entry.key, &ConfigValue::Entry::key);
    if (found == entries.end())
        entries.push_back(std::move(entry));
    else
        *found = std::move(entry);
    return ConfigValue::map(std::move(entries), map.place());
}

// The stage's map with the setting: under `with` if that has the key, as of a command stage.
ConfigValue with_setting(const ConfigValue& stage, const ConfigValue::Entry& setting) {
    const ConfigValue* values = stage.find("with");
    if (values == nullptr || values->find(setting.key) == nullptr) return with_entry(stage, setting);
    return with_entry(stage, {"with", values->place(), with_entry(*values, setting)});
}

}  // namespace

bool is_of_stage(std::string_view name, const ConfigValue& document) {
    const auto [stage, key] = parts_of(name);
    const ConfigValue* stages = document.find("stages");
    const ConfigValue* found = stages != nullptr && !key.empty() ? stages->find(stage) : nullptr;
    return found != nullptr && found->is_map() && !has_parameter(document.find("params"), name);
}

ConfigValue stages_with(const std::vector<Override>& settings, const ConfigValue& document) {
    const ConfigValue* section = document.find("stages");
    ConfigValue stages = section != nullptr ? *section : ConfigValue::null();
    for (const Override& one : settings) {
        if (!is_of_stage(one.name, document)) continue;
        const auto [name, key] = parts_of(one.name);
        const auto found = std::ranges::find(stages.entries(), name, &ConfigValue::Entry::key);
        const ConfigValue::Entry setting{std::string(key), one.place, one.value()};
        const ConfigValue* body = found->value.find("do");  // of a group
        ConfigValue stage = body != nullptr && body->is_map()
                                ? with_entry(found->value, {"do", body->place(), with_setting(*body, setting)})
                                : with_setting(found->value, setting);
        stages = with_entry(stages, {found->key, found->key_place, std::move(stage)});
    }
    return stages;
}

bool is_set_on_command_line(std::string_view key, const ConfigValue& stage) {
    const auto found = std::ranges::find(stage.entries(), key, &ConfigValue::Entry::key);
    return found != stage.entries().end() && found->key_place.source != stage.place().source;
}

}  // namespace satdl
