#include "pipeline/network/metric_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace satdl {
namespace {

bool is_binary(const LossFacts& facts) {
    return facts.loss == "binary_cross_entropy" || (classes_of(facts) > 0 && facts.last == Activation::Sigmoid);
}

Activation activation_of(const Layer& layer) {
    if (const auto* conv = std::get_if<Conv>(&layer.spec)) return conv->activation;
    if (const auto* dense = std::get_if<Dense>(&layer.spec)) return dense->activation;
    if (const auto* activate = std::get_if<Activate>(&layer.spec)) return activate->activation;
    return Activation::None;
}

}  // namespace

std::size_t layer_of_last_activation(const Network& network) {
    SATDL_CHECK(!network.layers.empty(), "a network without layers");
    const auto only_moves = [](const Layer& layer) {
        return std::holds_alternative<Flatten>(layer.spec) || std::holds_alternative<Unflatten>(layer.spec) ||
               std::holds_alternative<Upsample>(layer.spec);
    };
    const std::size_t last = network.layers.size() - 1;
    std::size_t layer = last;
    while (layer > 0 && only_moves(network.layers[layer])) --layer;
    const Activation found = activation_of(network.layers[layer]);
    return found == Activation::Sigmoid || found == Activation::Softmax ? layer : last;
}

Activation last_activation(const Network& network) { return activation_of(network.layers[layer_of_last_activation(network)]); }

std::int64_t classes_of(const LossFacts& facts) {
    if (!facts.labels || facts.loss == "mse" || facts.output.size() != 1) return 0;
    return facts.output[0] == 1 ? 2 : facts.output[0];
}

std::vector<std::string> training_metrics(const LossFacts& facts) {
    std::vector<std::string> names{"loss"};
    if (classes_of(facts) > 0) names.emplace_back("accuracy");
    if (is_binary(facts)) names.emplace_back("binary_accuracy");
    return names;
}

std::vector<std::string> all_training_metrics() { return {"loss", "accuracy", "binary_accuracy"}; }

std::vector<std::string> evaluation_metrics(const LossFacts& facts) {
    std::vector<std::string> names = training_metrics(facts);
    const std::int64_t classes = classes_of(facts);
    if (classes == 0) return names;
    if (!is_binary(facts)) names.emplace_back("binary_accuracy");
    for (const char* metric : {"precision", "recall"}) {
        for (std::int64_t one = 0; one < classes; ++one) names.push_back(fmt::format("{}/{}", metric, one));
        names.push_back(fmt::format("{}/macro", metric));
    }
    return names;
}

bool more_is_better(std::string_view metric) {
    return metric.ends_with("accuracy") || metric.find("precision/") != metric.npos || metric.find("recall/") != metric.npos;
}

bool is_detail(std::string_view metric) {
    if (metric.ends_with("/macro")) return false;
    const auto begins = [&](std::string_view prefix) { return metric.starts_with(prefix); };
    return begins("best/") || begins("last/") || begins("epoch_of_best/") || begins("precision/") || begins("recall/");
}

std::optional<std::string> find_metric(std::string_view name, const std::vector<std::string>& names) {
    std::vector<std::string> meant{std::string(name)};
    if (name.starts_with("val_")) meant.push_back(fmt::format("val/{}", name.substr(4)));
    meant.push_back(fmt::format("train/{}", name));
    meant.push_back(fmt::format("val/{}", name));
    for (const std::string& one : meant)
        if (std::ranges::find(names, one) != names.end()) return one;
    return std::nullopt;
}

}  // namespace satdl
