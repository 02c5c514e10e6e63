// Networks are compared layer by layer: two recipes hold a network as one long line of JSON each, and that they differ helps
// no one. JSON is YAML, so the strict parser of yaml/ reads the lines back.
#include "pipeline/plan/recipe_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>

#include "pipeline/yaml/yaml_parser.h"

namespace satdl {
namespace {

// A value for a line of text: without the quotes of JSON, and not too long.
std::string shown(std::string_view canonical) {
    constexpr std::size_t kMax = 48;
    if (canonical.size() >= 2 && canonical.front() == '"') canonical = canonical.substr(1, canonical.size() - 2);
    if (canonical == "null") return "not given";
    if (canonical.size() > kMax) return printable(canonical.substr(0, kMax)) + "...";
    return printable(canonical);
}

// "noise_factor: 0.4 -> 0.2"
std::string changed_value(std::string_view name, std::string_view before, std::string_view now) {
    if (const auto a = shown(before), b = shown(now); a != b) return fmt::format("{}: {} -> {}", name, a, b);
    return fmt::format("{} changed", name);
}

// {"conv": {options}, "name": "conv_1"}, as to_value(Network) spells a layer.
struct LayerText {
    std::string name;
    std::string kind;
    const ConfigValue* options = nullptr;
};

std::optional<std::vector<LayerText>> layers_of(const ConfigValue& list) {
    std::vector<LayerText> layers;
    if (!list.is_list()) return std::nullopt;
    for (const ConfigValue& item : list.items()) {
        LayerText layer;
        for (const ConfigValue::Entry& entry : item.entries()) {
            if (entry.key == "name") {
                layer.name = entry.value.text();
            } else {
                layer.kind = entry.key;
                layer.options = &entry.value;
            }
        }
        if (layer.name.empty() || layer.options == nullptr || !layer.options->is_map()) return std::nullopt;
        layers.push_back(std::move(layer));
    }
    return layers;
}

bool has(const std::vector<LayerText>& layers, std::string_view name) {
    return std::ranges::find(layers, name, &LayerText::name) != layers.end();
}

// nullopt if the layers are the same.
std::optional<std::string> layer_difference(const LayerText& before, const LayerText& now) {
    if (before.kind != now.kind) return fmt::format("layer {}: {} -> {}", now.name, before.kind, now.kind);
    for (const ConfigValue::Entry& option : now.options->entries()) {
        const ConfigValue* old = before.options->find(option.key);
        const std::string text = option.value.canonical();
        if (old == nullptr) return fmt::format("layer {}: {} is new", now.name, option.key);
        if (old->canonical() != text) {
            return fmt::format("layer {} {}", now.name, changed_value(option.key, old->canonical(), text));
        }
    }
    if (before.options->canonical() != now.options->canonical()) return fmt::format("layer {} changed", now.name);
    return std::nullopt;
}

// nullopt if the two are not networks, or cannot be compared layer by layer.
std::optional<std::string> network_difference(const std::string& before_text, const std::string& now_text) {
    if (!before_text.starts_with("[{") || !now_text.starts_with("[{")) return std::nullopt;
    const auto read = [](const std::string& text) {
        return parse_yaml(std::make_shared<const SourceText>(SourceText{"recipe", text}));
    };
    const ConfigValue before_list = read(before_text);
    const ConfigValue now_list = read(now_text);
    const auto before = layers_of(before_list);
    const auto now = layers_of(now_list);
    if (!before || !now) return std::nullopt;
    for (std::size_t i = 0; i < std::max(before->size(), now->size()); ++i) {
        if (i == before->size()) return fmt::format("layer {} is new", (*now)[i].name);
        if (i == now->size()) return fmt::format("layer {} was removed", (*before)[i].name);
        const LayerText& a = (*before)[i];
        const LayerText& b = (*now)[i];
        if (a.name == b.name) {
            if (auto words = layer_difference(a, b)) return words;
        } else {
            if (!has(*before, b.name)) return fmt::format("layer {} is new", b.name);
            if (!has(*now, a.name)) return fmt::format("layer {} was removed", a.name);
            return fmt::format("layer {} moved", b.name);
        }
    }
    return std::nullopt;
}

constexpr std::string_view kSource = "file source ";

// A part of only one of the two recipes: "train.py" of "file source train.py".
std::string subject(const KeyPart& part) {
    for (const std::string_view prefix : {kSource, std::string_view("param ")})
        if (part.name.starts_with(prefix)) return printable(part.name.substr(prefix.size()));
    return printable(part.name);
}

std::string changed(const KeyPart& before, const KeyPart& now) {
    constexpr std::string_view kParam = "param ";
    if (now.name == "file file") return "its file changed";
    if (now.name == "file folder") return "a file in its folder changed";
    if (now.name.starts_with(kSource)) return fmt::format("{} changed", printable(now.name.substr(kSource.size())));
    if (!now.name.starts_with(kParam)) {
        const bool digest = now.name.starts_with("input ") || now.name.starts_with("file ");
        return digest ? fmt::format("{} changed", now.name) : changed_value(now.name, before.value, now.value);
    }
    const std::string name = now.name.substr(kParam.size());
    try {
        if (const auto words = network_difference(before.value, now.value)) return fmt::format("{}: {}", name, *words);
    } catch (const Error&) {
        return fmt::format("{} changed", name);  // a recipe written by another version of satdl, which this one cannot read
    }
    return changed_value(name, before.value, now.value);
}

}  // namespace

std::vector<RecipeDifference> differences(const Recipe& before, const Recipe& now) {
    if (before == now) return {};
    std::vector<RecipeDifference> found;
    for (const KeyPart& part : now) {
        const KeyPart* old = find_part(before, part.name);
        if (old == nullptr)
            found.push_back({part.name, fmt::format("{} is new", subject(part))});
        else if (old->value != part.value)
            found.push_back({part.name, changed(*old, part)});
    }
    for (const KeyPart& part : before) {
        if (find_part(now, part.name) == nullptr) found.push_back({part.name, fmt::format("{} was removed", subject(part))});
    }
    if (found.empty()) found.push_back({"", "the order of its parts changed"});
    return found;
}

std::string first_difference(const Recipe& before, const Recipe& now) {
    const std::vector<RecipeDifference> found = differences(before, now);
    return found.empty() ? "" : found.front().text;
}

}  // namespace satdl
