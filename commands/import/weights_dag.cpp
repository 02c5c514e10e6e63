#include "commands/import/weights_dag.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "pipeline/array_files/named_arrays_file.h"
#include "pipeline/core/ascii.h"
#include "pipeline/network/architecture.h"
#include "pipeline/network/weight_match.h"
#include "pipeline/yaml/yaml_writer.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

constexpr double kTorchEpsilon = 1e-5;  // of its batch and layer norm

using Entries = std::vector<ConfigValue::Entry>;

// {conv: {filters: 16, activation: relu}, name: first}: the options that are not at their defaults.
ConfigValue to_value(const Layer& layer) {
    const LayerDescription& description = description_of(layer.spec);
    Entries options;
    for (const LayerOption& option : description.options) {
        const ConfigValue value = option.get(layer.spec);
        const ConfigValue usual =
            option.same_as.empty() ? option.get(description.defaults) : description.option(option.same_as)->get(layer.spec);
        const bool is_default = !option.required && value.canonical() == usual.canonical();
        if (!is_default) options.push_back({option.name, {}, value});
    }
    return ConfigValue::map(
        {{description.kind, {}, ConfigValue::map(std::move(options))}, {"name", {}, ConfigValue::of_text(layer.name)}});
}

// From the shapes of its arrays; nullopt if no layer has such.
std::optional<LayerSpec> layer_of(const std::map<std::string, ArrayType>& arrays) {
    const auto weight = arrays.find("weight");
    const bool has_bias = arrays.contains("bias"),
               has_moments = arrays.contains("running_mean") && arrays.contains("running_var");
    if (weight == arrays.end() || arrays.size() != 1u + (has_bias ? 1 : 0) + (has_moments ? 2 : 0)) return std::nullopt;
    const Shape& shape = weight->second.shape;
    if (shape.size() == 4 && shape[2] == shape[3] && !has_moments)
        return Conv{.filters = shape[0], .kernel = shape[2], .bias = has_bias};
    if (shape.size() == 2 && !has_moments) return Dense{.units = shape[0], .bias = has_bias};
    if (shape.size() != 1 || !has_bias) return std::nullopt;
    if (has_moments) return BatchNorm{.momentum = BatchNorm().momentum, .epsilon = kTorchEpsilon};
    return LayerNorm{.epsilon = kTorchEpsilon};
}

struct Imported {
    Network network;
    std::vector<ConfigValue> sample;
    std::string names;  // of the parameter; "" if it is not needed
    std::string comments;
};

Imported of_satdl(Architecture architecture) {
    Imported imported{.network = std::move(architecture.network), .sample = {}, .names = {}, .comments = {}};
    for (const std::int64_t extent : architecture.input) imported.sample.push_back(ConfigValue::of(extent));
    return imported;
}

Imported of_others(const fs::path& file, const std::map<std::string, ArrayType>& arrays) {
    Imported imported;
    std::map<std::string_view, int> numbers;  // of layers, by kind
    for (const FileLayer& found : layers_of(arrays)) {
        const auto spec = layer_of(found.arrays);
        if (!spec) {
            std::vector<std::string> parts;
            for (const auto& [part, type] : found.arrays)
                parts.push_back(fmt::format("{} {}", printable(part), shape_text(type.shape)));
            throw Error(ExitCode::Usage,
                        fmt::format("{}: '{}' has {}, which no layer of satdl has", printable(file.string()),
                                    printable(found.name), fmt::join(parts, ", ")),
                        "`satdl stages --layers` lists the layers; their tensors: docs/sharing.md");
        }
        const std::string_view kind = description_of(*spec).kind;
        const std::string automatic = fmt::format("{}_{}", kind, ++numbers[kind]);
        const bool is_name = is_identifier(found.name);
        imported.network.layers.push_back({is_name ? found.name : automatic, *spec, {}});
        if (!is_name) imported.names += fmt::format("{}{}={}", imported.names.empty() ? "" : ", ", automatic, found.name);
        if (imported.network.layers.size() > 1) continue;
        const Shape& weight = found.arrays.at("weight").shape;
        imported.sample.push_back(ConfigValue::of(weight.size() > 1 ? weight[1] : weight[0]));
        if (weight.size() == 4)
            for (const char* extent : {"HEIGHT", "WIDTH"}) imported.sample.push_back(ConfigValue::scalar(extent));
    }
    imported.comments =
        "# Not in the file, so complete it: the size of images; activations, pooling, flatten, dropout; strides and padding "
        "of convolutions\n"
        "# (PyTorch's default is padding: valid). The epsilon of norms is PyTorch's default.\n";
    return imported;
}

std::string stage_name_of(const fs::path& file) {
    std::string name = file.stem().string();
    for (char& c : name)
        if (!is_alphanumeric(c) && c != '_') c = '_';
    return is_identifier(name) ? name : "model_" + name;
}

}  // namespace

std::string weights_dag(const fs::path& file, const fs::path& folder) {
    const auto arrays = named_array_types(file);
    if (arrays.empty()) throw Error(ExitCode::Usage, fmt::format("{}: has no tensors", printable(file.string())));
    const auto metadata = safetensors_metadata(file);
    const auto text = metadata.find(kArchitecture);
    Diagnostics diagnostics;
    auto architecture = text == metadata.end() ? std::nullopt : parse_architecture(text->second, diagnostics);
    const bool is_satdls = architecture && diagnostics.empty();
    const Imported imported = is_satdls ? of_satdl(std::move(*architecture)) : of_others(file, arrays);

    std::vector<ConfigValue> layers;
    for (const Layer& layer : imported.network.layers) layers.push_back(to_value(layer));
    std::error_code error;
    const fs::path path = fs::proximate(file, folder.empty() ? "." : folder, error);
    const std::string name = stage_name_of(file);
    Entries stage{{"kind", {}, ConfigValue::of_text("model")},
                  {"file", {}, ConfigValue::of_text((error ? file : path).string())},
                  {"sample", {}, ConfigValue::list(imported.sample)},
                  {"net", {}, ConfigValue::of_text(name)}};
    if (!imported.names.empty()) stage.push_back({"names", {}, ConfigValue::of_text(imported.names)});
    const ConfigValue dag =
        ConfigValue::map({{"networks", {}, ConfigValue::map({{name, {}, ConfigValue::list(std::move(layers))}})},
                          {"stages", {}, ConfigValue::map({{name, {}, ConfigValue::map(std::move(stage))}})}});
    return fmt::format("# The weights of {}, by `satdl import` (docs/sharing.md). Other stages read {}.model.\n{}{}",
                       printable(file.filename().string()), name, imported.comments, yaml_text(dag));
}

}  // namespace satdl
