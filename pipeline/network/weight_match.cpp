#include "pipeline/network/weight_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <utility>

#include "pipeline/core/ascii.h"
#include "pipeline/core/error.h"
#include "pipeline/core/suggest.h"
#include "pipeline/network/layer_tensors.h"
#include "pipeline/network/network_summary.h"

namespace satdl {
namespace {

constexpr std::string_view kCounter = "num_batches_tracked";
constexpr std::size_t kMostNames = 6;  // in a message

std::string text_of(const ArrayType& type) {
    return fmt::format("{} {}", name_of(type.dtype), shape_text(type.shape));
}

std::string_view after_last_dot(std::string_view name) {
    return name.substr(name.rfind('.') + 1);
}

std::string some_of(const std::vector<std::string>& names) {
    const std::size_t shown = std::min(names.size(), kMostNames);
    std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
    if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
    return text;
}

// Runs of digits compare as numbers.
bool comes_before(std::string_view a, std::string_view b) {
    const auto digits = [](std::string_view text) {
        return static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
    };
    while (!a.empty() && !b.empty()) {
        std::size_t of_a = digits(a), of_b = digits(b);
        if (of_a == 0 || of_b == 0) {
            if (a.front() != b.front()) return a.front() < b.front();
            of_a = of_b = 1;
        } else if (const auto one = a.substr(0, of_a), other = b.substr(0, of_b); one != other) {
            return of_a != of_b ? of_a < of_b : one < other;
        }
        a.remove_prefix(of_a);
        b.remove_prefix(of_b);
    }
    return a.empty() && !b.empty();
}

// By layer that has any.
std::vector<std::pair<std::string, std::vector<TensorSpec>>> tensors_by_layer(const Network& network, const Shape& input) {
    Diagnostics misfit;
    const std::vector<LayerSummary> summaries = summarise(network, input, misfit);
    SATDL_CHECK(summaries.size() == network.layers.size(), "a network that cannot read its input");
    std::vector<std::pair<std::string, std::vector<TensorSpec>>> found;
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
        auto tensors = tensors_of(network.layers[i], i == 0 ? input : summaries[i - 1].output);
        if (!tensors.empty()) found.emplace_back(network.layers[i].name, std::move(tensors));
    }
    return found;
}

using Names = std::map<std::string, std::string>;  // layer -> what the file calls it

Names parse_names(std::string_view text, const Network& network, std::vector<WeightMisfit>& misfits) {
    Names names;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(','), text.size());
        const std::string_view one = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t equals = one.find('=');
        const std::string layer(trimmed(one.substr(0, equals)));
        if (equals == std::string_view::npos || layer.empty() || equals + 1 == one.size()) {
            misfits.push_back({WeightMisfit::Of::Names,
                               fmt::format("'{}' does not say what the file calls a layer", printable(one)),
                               "names: conv_1=features.0, dense_1=classifier.1"});
        } else if (network.find(layer) == nullptr) {
            misfits.push_back({WeightMisfit::Of::Names, fmt::format("the network has no layer '{}'", printable(layer)),
                               did_you_mean(layer, network.layer_names())});
        } else {
            names[layer] = std::string(trimmed(one.substr(equals + 1)));
        }
    }
    return names;
}

bool is_transposed(const Shape& found, const Shape& wanted) {
    return found.size() > 1 && !std::ranges::equal(found, wanted) &&
           std::is_permutation(found.begin(), found.end(), wanted.begin(), wanted.end());
}

WeightMisfit wrong_type(const std::string& array, const ArrayType& found, const TensorSpec& wanted) {
    std::string hint;
    if (found.shape == wanted.shape)
        hint = "convert it to float32: satdl never converts by itself";
    else if (is_transposed(found.shape, wanted.shape))
        hint = "PyTorch's layouts are [outputs, inputs] and [filters, channels, height, width]; Keras' are transposed";
    return {WeightMisfit::Of::File,
            fmt::format("the file's '{}' is {}, but the network's {} is {}", printable(array), text_of(found), wanted.name,
                        text_of({DType::Float32, wanted.shape})),
            std::move(hint)};
}

}  // namespace

std::vector<FileLayer> layers_of(const std::map<std::string, ArrayType>& arrays) {
    std::map<std::string, FileLayer> by_name;
    for (const auto& [name, type] : arrays) {
        const std::string_view part = after_last_dot(name);
        const std::string layer = name.substr(0, name.size() - std::min(part.size() + 1, name.size()));
        FileLayer& found = by_name[layer];
        found.name = layer;
        if (part != kCounter) found.arrays.emplace(part, type);
    }
    std::vector<FileLayer> layers;
    for (auto& [name, layer] : by_name) layers.push_back(std::move(layer));
    std::ranges::stable_sort(layers, [](const FileLayer& a, const FileLayer& b) { return comes_before(a.name, b.name); });
    return layers;
}

std::string fitting_names(const Network& network, const Shape& input, const std::map<std::string, ArrayType>& arrays) {
    const auto wanted = tensors_by_layer(network, input);
    const auto found = layers_of(arrays);
    if (wanted.size() != found.size()) return "";
    std::vector<std::string> names;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto& [layer, tensors] = wanted[i];
        if (tensors.size() != found[i].arrays.size()) return "";
        for (const TensorSpec& tensor : tensors) {
            const auto array = found[i].arrays.find(std::string(after_last_dot(tensor.name)));
            if (array == found[i].arrays.end() || array->second != ArrayType{DType::Float32, tensor.shape}) return "";
        }
        if (layer != found[i].name) names.push_back(fmt::format("{}={}", layer, found[i].name));
    }
    return fmt::format("{}", fmt::join(names, ", "));
}

WeightMatch match_weights(const Network& network, const Shape& input, const std::map<std::string, ArrayType>& arrays,
                          std::string_view names) {
    WeightMatch match;
    const Names file_names = parse_names(names, network, match.misfits);
    if (!match.misfits.empty()) return match;

    std::set<std::string> used;
    std::vector<std::pair<std::string, std::string>> missing;  // tensor, array
    for (const auto& [layer, tensors] : tensors_by_layer(network, input)) {
        const auto called = file_names.find(layer);
        for (const TensorSpec& tensor : tensors) {
            const std::string array =
                fmt::format("{}.{}", called == file_names.end() ? layer : called->second, after_last_dot(tensor.name));
            const auto found = arrays.find(array);
            if (found == arrays.end()) {
                missing.emplace_back(tensor.name, array);
                continue;
            }
            used.insert(array);
            match.arrays.emplace(tensor.name, array);
            if (found->second != ArrayType{DType::Float32, tensor.shape})
                match.misfits.push_back(wrong_type(array, found->second, tensor));
        }
    }
    std::vector<std::string> left;
    for (const auto& [name, type] : arrays)
        if (!used.contains(name) && after_last_dot(name) != kCounter) left.push_back(printable(name));

    std::string fitting;
    if (!missing.empty() && !left.empty()) fitting = fitting_names(network, input, arrays);
    if (!fitting.empty() || (used.empty() && !missing.empty())) {
        std::vector<std::string> absent;
        for (const auto& [tensor, array] : missing) absent.push_back(array);
        match.misfits.push_back(
            {WeightMisfit::Of::File,
             fmt::format("the file has no {}; it has {}", some_of(absent), left.empty() ? "no other" : some_of(left)),
             fitting.empty() ? "names: LAYER=NAME, ... says what the file calls a layer"
                             : fmt::format("if they fit in this order: names: {}", fitting)});
        return match;
    }
    for (const auto& [tensor, array] : missing) {
        const auto near = nearest(array, left);
        match.misfits.push_back(
            {WeightMisfit::Of::File, fmt::format("the file has no '{}'", printable(array)), did_you_mean(array, left)});
        if (near) std::erase(left, *near);  // said already
    }
    for (const std::string& name : left)
        match.misfits.push_back(
            {WeightMisfit::Of::File, fmt::format("the network has no tensor for the file's '{}'", name),
             missing.empty() ? "if a layer is missing, add it to the network; else leave the array out of the file" : ""});
    return match;
}

}  // namespace satdl
