#include "pipeline/network/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

// "conv_12" for kind conv: what automatic() makes.
bool looks_automatic(const Layer& layer) {
    const std::string_view kind = layer.kind();
    const std::string_view name = layer.name;
    if (!name.starts_with(kind) || name.size() < kind.size() + 2 || name[kind.size()] != '_') return false;
    const std::string_view number = name.substr(kind.size() + 1);
    return number.front() != '0' && std::ranges::all_of(number, is_digit);
}

std::string automatic(std::string_view kind, std::int64_t number) { return fmt::format("{}_{}", kind, number); }

// Numbers the head's automatic names on from the base's layers of their kind.
void renumber(const std::vector<Layer>& base, std::vector<Layer>& head, std::string_view kind) {
    std::set<std::string, std::less<>> taken;
    for (const Layer& layer : base) taken.insert(layer.name);
    for (const Layer& layer : head) {
        if (layer.kind() != kind || !looks_automatic(layer)) taken.insert(layer.name);
    }
    std::int64_t number = std::ranges::count(base, kind, &Layer::kind);
    for (Layer& layer : head) {
        if (layer.kind() != kind) continue;
        ++number;
        if (!looks_automatic(layer)) continue;
        while (taken.contains(automatic(kind, number))) ++number;
        layer.name = automatic(kind, number);
    }
}

}  // namespace

const Layer* Network::find(std::string_view name) const {
    const auto found = std::ranges::find(layers, name, &Layer::name);
    return found == layers.end() ? nullptr : &*found;
}

std::vector<std::string> Network::layer_names() const {
    std::vector<std::string> names;
    names.reserve(layers.size());
    for (const Layer& layer : layers) names.push_back(layer.name);
    return names;
}

ConfigValue to_value(const Network& network) {
    std::vector<ConfigValue> layers;
    for (const Layer& layer : network.layers) {
        const LayerDescription& description = description_of(layer.spec);
        std::vector<ConfigValue::Entry> options;
        for (const LayerOption& option : description.options)
            options.push_back({option.name, layer.place, option.get(layer.spec)});
        std::vector<ConfigValue::Entry> entries;
        entries.push_back({description.kind, layer.place, ConfigValue::map(std::move(options), layer.place)});
        entries.push_back({"name", layer.place, ConfigValue::scalar(layer.name, true, layer.place)});
        layers.push_back(ConfigValue::map(std::move(entries), layer.place));
    }
    return ConfigValue::list(std::move(layers));
}

Network extend(const Network& base, std::string_view until, const Network& head, Diagnostics& diagnostics) {
    auto end = base.layers.end();
    if (!until.empty()) {
        end = std::ranges::find(base.layers, until, &Layer::name);
        SATDL_CHECK(end != base.layers.end(), fmt::format("no layer '{}' in the base", until));
        ++end;
    }
    std::vector<Layer> all(base.layers.begin(), end);
    std::vector<Layer> added = head.layers;
    std::set<std::string, std::less<>> names;
    for (const Layer& layer : all) names.insert(layer.name);
    std::set<std::string_view> clashing;
    for (const Layer& layer : added) {
        if (!names.contains(layer.name)) continue;
        if (looks_automatic(layer)) {
            clashing.insert(layer.kind());
        } else {
            diagnostics.add(layer.place, fmt::format("the base already has a layer '{}'", layer.name),
                            "choose another name");
        }
    }
    for (const std::string_view kind : clashing) renumber(all, added, kind);
    std::ranges::move(added, std::back_inserter(all));
    return Network{std::move(all)};
}

}  // namespace satdl
