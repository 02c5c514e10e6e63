// The half of node_types.h that knows metrics: which names a node's outputs will hold, and whether what names one of them
// names one that is there.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pipeline/node_types.h"

namespace satdl {
namespace {

bool is_integral(DType dtype) { return dtype == DType::UInt8 || dtype == DType::Int32 || dtype == DType::Int64; }

constexpr std::int64_t kMostClasses = 10'000;  // with more of them, their names are left to the run

std::string listed(const std::vector<std::string>& names) {
    if (names.empty()) return "none";
    const std::size_t shown = std::min<std::size_t>(names.size(), 12);
    std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
    return shown == names.size() ? text : fmt::format("{} and {} more", text, names.size() - shown);
}

}  // namespace

// What decides the names; nothing where only running can tell.
std::optional<LossFacts> NodeTyper::loss_facts(const PortDescription::MetricsRule& rule, const NodeTypes& outputs) const {
    const Arrival* target = arrival(rule.target);
    if (target == nullptr || target->type == nullptr || !target->type->dtype || !target->type->shape) return std::nullopt;
    const auto made = outputs.find(rule.model);
    const Arrival* brought = arrival(rule.model);
    const PortType* model = made != outputs.end() ? &made->second : brought != nullptr ? brought->type : nullptr;
    if (model == nullptr || !model->network || !model->net_input) return std::nullopt;
    Diagnostics told_elsewhere;
    const std::vector<LayerSummary> layers = summarise(*model->network, *model->net_input, told_elsewhere);
    if (layers.empty() || layers.size() != model->network->layers.size()) return std::nullopt;
    LossFacts facts{node_.params.text(rule.loss), last_activation(*model->network), layers.back().output,
                    is_integral(*target->type->dtype) && target->type->shape->size() == 1};
    if (facts.output.size() == 1 && (facts.output[0] < 0 || facts.output[0] > kMostClasses)) return std::nullopt;
    return facts;
}

std::optional<std::vector<std::string>> NodeTyper::metrics_of(const PortDescription::MetricsRule& rule,
                                                              const NodeTypes& outputs) const {
    std::vector<std::string> names = rule.names;
    for (const auto& [port, name] : rule.if_connected)
        if (arrival(port) != nullptr) names.push_back(name);
    if (rule.loss.empty()) return names;
    const auto facts = loss_facts(rule, outputs);
    if (!facts) return std::nullopt;
    std::vector<std::string> found;
    if (rule.training) {
        const bool validates = (!rule.validation.empty() && arrival(rule.validation) != nullptr) ||
                               (!rule.fraction.empty() && node_.params.number(rule.fraction) > 0);
        for (const std::string& name : training_metrics(*facts)) found.push_back("train/" + name);
        if (validates)
            for (const std::string& name : training_metrics(*facts)) found.push_back("val/" + name);
    } else {
        found = evaluation_metrics(*facts);
    }
    names.insert(names.end(), found.begin(), found.end());
    for (const std::string& prefix : rule.also_under)
        for (const std::string& name : found) names.push_back(prefix + name);
    return names;
}

void NodeTyper::check_metric(const ParamDescription& param, const std::string& port, const NodeTypes& outputs) {
    if (!node_.params.given(param.name)) return;
    const std::string& name = node_.params.text(param.name);
    if (name == "auto" && param.fallback == "auto") return;
    const auto own = outputs.find(port);
    const Arrival* from = arrival(port);
    const PortType* type = own != outputs.end() ? &own->second : from != nullptr ? from->type : nullptr;
    if (type == nullptr || !type->metrics || find_metric(name, *type->metrics)) return;
    const std::string reporter = own != outputs.end() ? node_.name : dag_.nodes[from->input->from].name;
    const Place& place = node_.params.value(param.name).place();
    const auto near = nearest(name, *type->metrics);
    diagnostics_.add(place ? place : node_.place,
                     fmt::format("no metric '{}'; {} reports {}", printable(name), reporter, listed(*type->metrics)),
                     near ? fmt::format("did you mean '{}'?", *near) : "");
}

}  // namespace satdl
