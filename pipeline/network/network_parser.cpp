#include "pipeline/network/network_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

constexpr std::int64_t kMaxRepeats = 1000;
constexpr std::size_t kLongestName = 64;

bool is_name(std::string_view text) { return text.size() <= kLongestName && is_identifier(text); }

std::vector<std::string> layer_kind_names() {
    std::vector<std::string> names;
    for (const LayerDescription& description : layer_descriptions()) names.push_back(description.kind);
    names.emplace_back("repeat");
    return names;
}

bool is_option_of_any(std::string_view key) {
    const auto has = [&](const LayerDescription& description) { return description.option(key) != nullptr; };
    return key == "name" || std::ranges::any_of(layer_descriptions(), has);
}

// Reads layers whose names may still be empty: numbering comes last, when all layers are known.
class Reader {
public:
    explicit Reader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

    std::vector<Layer> list(const ConfigValue& list, std::string_view what);

private:
    void item(const ConfigValue& value, std::vector<Layer>& layers);
    void repeat(const ConfigValue& map, std::vector<Layer>& layers);
    void from_map(const ConfigValue& map, std::vector<Layer>& layers);
    [[nodiscard]] const ConfigValue::Entry* kind_entry(const ConfigValue& map);
    [[nodiscard]] std::string name(const ConfigValue& value);
    void options(const LayerDescription& description, const ConfigValue::Entry& kind, const ConfigValue& map, Layer& layer);
    [[nodiscard]] bool set(const LayerDescription& description, const LayerOption& option, const ConfigValue& value,
                           LayerSpec& spec);
    void finish(const LayerDescription& description, const std::set<std::string, std::less<>>& given, const Place& place,
                LayerSpec& spec);

    Diagnostics& diagnostics_;
};

std::vector<Layer> Reader::list(const ConfigValue& list, std::string_view what) {
    std::vector<Layer> layers;
    if (!list.is_list()) {
        diagnostics_.add(list.place(), fmt::format("{} must be a list of layers, not {}", what, list.describe()));
    } else if (list.items().empty()) {
        diagnostics_.add(list.place(), fmt::format("{} must have at least one layer", what));
    }
    for (const ConfigValue& value : list.items()) item(value, layers);
    return layers;
}

void Reader::item(const ConfigValue& value, std::vector<Layer>& layers) {
    if (value.is_map()) {
        if (value.find("repeat") != nullptr) repeat(value, layers);
        else from_map(value, layers);
        return;
    }
    if (!value.is_scalar()) {
        diagnostics_.add(value.place(), fmt::format("a layer must be a name or a map, not {}", value.describe()),
                         "write `relu`, or `{conv: 32, kernel: 3}`");
        return;
    }
    const LayerDescription* description = find_layer_description(value.text());
    if (description == nullptr) {
        diagnostics_.add(value.place(), fmt::format("unknown layer '{}'", printable(value.text())),
                         did_you_mean(value.text(), layer_kind_names()));
        return;
    }
    Layer layer{"", description->defaults, value.place()};
    finish(*description, {}, value.place(), layer.spec);
    layers.push_back(std::move(layer));
}

void Reader::repeat(const ConfigValue& map, std::vector<Layer>& layers) {
    for (const ConfigValue::Entry& entry : map.entries()) {
        if (entry.key == "repeat" || entry.key == "layers") continue;
        const std::vector<std::string> known{"repeat", "layers"};
        diagnostics_.add(entry.key_place, fmt::format("repeat has no option '{}'", printable(entry.key)),
                         did_you_mean(entry.key, known));
    }
    const ConfigValue& count = *map.find("repeat");
    const auto times = count.as_integer();
    if (!times || *times < 1 || *times > kMaxRepeats)
        diagnostics_.add(count.place(),
                         fmt::format("repeat must be an integer from 1 to {}, not {}", kMaxRepeats, count.describe()));
    const ConfigValue* body = map.find("layers");
    if (body == nullptr) {
        diagnostics_.add(map.place(), "repeat needs `layers`", "write `{repeat: 2, layers: [...]}`");
        return;
    }
    const std::vector<Layer> once = list(*body, "'layers'");
    if (!times || *times < 1 || *times > kMaxRepeats) return;
    for (const Layer& layer : once) {
        if (layer.name.empty() || *times == 1) continue;
        diagnostics_.add(
            layer.place,
            fmt::format("a repeated layer cannot have a name: '{}' would occur {} times", layer.name, *times),
            "remove the name, or write the layers one by one");
    }
    if (once.size() * static_cast<std::size_t>(*times) > kMaxLayers) {
        diagnostics_.add(count.place(), fmt::format("a network has at most {} layers", kMaxLayers));
        return;
    }
    for (std::int64_t round = 0; round < *times; ++round) layers.insert(layers.end(), once.begin(), once.end());
}

// The entry whose key is the layer's kind; reports a mistake and returns null unless there is exactly one.
const ConfigValue::Entry* Reader::kind_entry(const ConfigValue& map) {
    const ConfigValue::Entry* kind = nullptr;
    const ConfigValue::Entry* unknown = nullptr;
    for (const ConfigValue::Entry& entry : map.entries()) {
        if (find_layer_description(entry.key) == nullptr) {
            if (unknown == nullptr && !is_option_of_any(entry.key)) unknown = &entry;
        } else if (kind == nullptr) {
            kind = &entry;
        } else {
            diagnostics_.add(entry.key_place, fmt::format("one layer cannot be both {} and {}", kind->key, entry.key),
                             "write each layer as its own item");
            return nullptr;
        }
    }
    if (kind != nullptr) return kind;
    if (unknown != nullptr) {
        diagnostics_.add(unknown->key_place, fmt::format("unknown layer '{}'", printable(unknown->key)),
                         did_you_mean(unknown->key, layer_kind_names()));
    } else {
        diagnostics_.add(map.place(), "this layer has no kind", did_you_mean("", layer_kind_names()));
    }
    return nullptr;
}

void Reader::from_map(const ConfigValue& map, std::vector<Layer>& layers) {
    const ConfigValue::Entry* kind = kind_entry(map);
    if (kind == nullptr) return;
    const LayerDescription& description = *find_layer_description(kind->key);
    Layer layer{"", description.defaults, kind->key_place ? kind->key_place : map.place()};
    if (const ConfigValue* given = map.find("name"); given != nullptr) layer.name = name(*given);
    options(description, *kind, map, layer);
    layers.push_back(std::move(layer));
}

std::string Reader::name(const ConfigValue& value) {
    if (value.is_null()) return "";
    if (value.is_scalar() && is_name(value.text())) return value.text();
    diagnostics_.add(value.place(), fmt::format("a layer's name cannot be {}", value.describe()),
                     fmt::format("use letters, digits and '_', starting with a letter or '_', at most {}", kLongestName));
    return "";
}

void Reader::options(const LayerDescription& description, const ConfigValue::Entry& kind, const ConfigValue& map, Layer& layer) {
    std::set<std::string, std::less<>> given;
    std::vector<std::string> known{"name"};
    for (const LayerOption& option : description.options) known.push_back(option.name);

    const auto take = [&](const ConfigValue::Entry& entry) {
        const LayerOption* option = description.option(entry.key);
        if (option == nullptr) {
            diagnostics_.add(entry.key_place, fmt::format("{} has no option '{}'", description.kind, printable(entry.key)),
                             did_you_mean(entry.key, known));
        } else if (!given.insert(entry.key).second) {
            diagnostics_.add(entry.key_place, fmt::format("{} is given twice", entry.key));
        } else if (entry.value.is_null()) {
            given.erase(entry.key);
        } else {
            (void)set(description, *option, entry.value, layer.spec);
        }
    };
    if (kind.value.is_map()) {
        for (const ConfigValue::Entry& entry : kind.value.entries()) {
            if (entry.key == "name") {
                if (layer.name.empty()) layer.name = name(entry.value);
                else diagnostics_.add(entry.key_place, "name is given twice");
            } else {
                take(entry);
            }
        }
    } else if (description.main.empty() && !kind.value.is_null()) {
        diagnostics_.add(kind.value.place(),
                         fmt::format("{} has no main option, so it cannot be {}", kind.key, kind.value.describe()),
                         fmt::format("write `{}`", kind.key));
    } else if (!kind.value.is_null()) {
        take(ConfigValue::Entry{description.main, kind.key_place, kind.value});
    }
    for (const ConfigValue::Entry& entry : map.entries()) {
        if (&entry != &kind && entry.key != "name") take(entry);
    }
    finish(description, given, layer.place, layer.spec);
}

bool Reader::set(const LayerDescription& description, const LayerOption& option, const ConfigValue& value, LayerSpec& spec) {
    const auto number = value.as_number();
    const bool in_range =
        !number || ((!option.min || *number >= *option.min) && (!option.max || *number <= *option.max));
    LayerSpec changed = spec;
    if (in_range && option.set(changed, value)) {
        spec = std::move(changed);
        return true;
    }
    diagnostics_.add(
        value.place(),
        fmt::format("{} of {} must be {}, not {}", option.name, description.kind, wanted(option), value.describe()),
        option.type == LayerOption::Type::Choice && value.is_scalar() ? did_you_mean(value.text(), option.choices) : "");
    return false;
}

// Handles absent options: required ones, and those that default to another option.
void Reader::finish(const LayerDescription& description, const std::set<std::string, std::less<>>& given, const Place& place,
                    LayerSpec& spec) {
    for (const LayerOption& option : description.options) {
        if (given.contains(option.name)) continue;
        if (option.required) {
            diagnostics_.add(place, fmt::format("{} needs {}: {}", description.kind, option.name, wanted(option)),
                             fmt::format("write `{{{}: 32}}`", description.kind));
        } else if (!option.same_as.empty()) {
            (void)option.set(spec, description.option(option.same_as)->get(spec));
        }
    }
}

// Names unnamed layers by kind and number; reports a duplicate name at its second place.
void name_layers(std::vector<Layer>& layers, Diagnostics& diagnostics) {
    std::map<std::string_view, std::int64_t> numbers;
    for (Layer& layer : layers) {
        const std::int64_t number = ++numbers[layer.kind()];
        if (layer.name.empty()) layer.name = fmt::format("{}_{}", layer.kind(), number);
    }
    std::map<std::string_view, const Layer*> seen;
    for (const Layer& layer : layers) {
        const auto [first, fresh] = seen.emplace(layer.name, &layer);
        if (fresh) continue;
        const Place& other = first->second->place;
        diagnostics.add(layer.place, fmt::format("two layers are named '{}'", layer.name),
                        other ? fmt::format("the other is at {}", other.text()) : "");
    }
}

}  // namespace

Network parse_network(const ConfigValue& list, Diagnostics& diagnostics) {
    Network network{Reader(diagnostics).list(list, "a network")};
    if (network.layers.size() > kMaxLayers) {
        diagnostics.add(list.place(), fmt::format("a network has at most {} layers", kMaxLayers));
        network.layers.resize(kMaxLayers);
    }
    name_layers(network.layers, diagnostics);
    return network;
}

}  // namespace satdl
