#include "pipeline/network/metric_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace satdl {
namespace {

bool is_binary(const LossFacts& facts) {
    return facts.loss == "binary_cross_entropy" || (classes_of(facts) > 0 && facts.last == Activation::Sigmoid);
}

}  // namespace

std::int64_t classes_of(const LossFacts& facts) {
    if (!facts.labels || facts.output.size() != 1) return 0;
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
