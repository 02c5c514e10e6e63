// The half of node_types.h that knows networks: what they make of what arrives, and where it is told that they do not fit.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pipeline/node_types.h"

namespace satdl {

std::optional<Shape> NodeTyper::network_shape(const ShapeRule& rule) {
    const Arrival* input = arrival(rule.input);
    const std::vector<LayerSummary>& layers = apply(rule.net, rule.input);
    if (layers.empty()) return std::nullopt;
    const LayerSummary* last = &layers.back();
    if (!rule.layer.empty()) {
        std::vector<std::string> names;
        for (const LayerSummary& layer : layers) names.push_back(layer.name);
        const Arrival* model = arrival(rule.net);
        const auto name = chosen_layer(rule.layer, names, model != nullptr ? source(*model) : rule.net);
        if (!name) return std::nullopt;
        if (!name->empty()) last = &*std::ranges::find(layers, *name, &LayerSummary::name);
    }
    Shape shape{input->type->shape->front()};
    shape.insert(shape.end(), last->output.begin(), last->output.end());
    return shape;
}

// The layers of parameter or model port `net` on what arrives at `input`. A network that does not fit is told here, once:
// at the layer where the node brings the network, at the edge where the network comes trained.
const std::vector<LayerSummary>& NodeTyper::apply(const std::string& net, const std::string& input) {
    for (const Applied& applied : applied_) {
        if (applied.net == net && applied.input == input) return applied.layers;
    }
    Applied& applied = applied_.emplace_back(Applied{net, input, {}});
    const auto shape = sample(input);
    if (!shape) return applied.layers;
    if (stage_.input(net) == nullptr) {
        const Network network = node_.params.network(net);
        auto layers = summarise(network, *shape, diagnostics_);
        if (layers.size() == network.layers.size()) applied.layers = std::move(layers);
    } else if (const Arrival* model = arrival(net); model != nullptr && model->type != nullptr && model->type->network) {
        const Network& network = *model->type->network;
        Diagnostics unfit;
        auto layers = summarise(network, *shape, unfit);
        if (unfit.empty()) applied.layers = std::move(layers);
        else (void)base_reads(network, *model, *arrival(input));
    }
    return applied.layers;
}

// Whether a model that arrives can read what arrives at `input`; told at the input's edge where it cannot.
bool NodeTyper::base_reads(const Network& base, const Arrival& from, const Arrival& input) {
    Diagnostics unfit;
    (void)summarise(base, *sample(input.port->name), unfit);
    if (unfit.empty()) return true;
    diagnostics_.add(
        input.input->place,
        fmt::format("{} is {}, which the network of {} cannot read", source(input), describe(*input.type), source(from)),
        unfit.found().front().message);
    return false;
}

void NodeTyper::infer_model(const PortDescription::ModelRule& rule, PortType& type) {
    const Arrival* input = arrival(rule.input);
    const auto shape = sample(rule.input);
    if (rule.base.empty()) {
        if (shape && apply(rule.net, rule.input).empty()) return;
        type.network = node_.params.network(rule.net);
        type.net_input = shape;
        return;
    }
    const Arrival* base = arrival(rule.base);
    if (base == nullptr || base->type == nullptr || !base->type->network) return;
    std::string until;
    if (!rule.until.empty()) {
        const auto name = chosen_layer(rule.until, base->type->network->layer_names(), source(*base));
        if (!name) return;
        until = *name;
    }
    Diagnostics found;
    Network whole = extend(*base->type->network, until, node_.params.network(rule.net), found);
    if (shape) {
        const Network kept = extend(*base->type->network, until, Network{}, found);
        if (!base_reads(kept, *base, *input)) return;
        (void)summarise(whole, *shape, found);
    }
    for (const Diagnostic& one : found.found()) diagnostics_.add(one.place, one.message, one.hint);
    if (!found.empty()) return;
    type.network = std::move(whole);
    type.net_input = shape;
}

std::optional<std::string> NodeTyper::chosen_layer(const std::string& param, const std::vector<std::string>& names,
                                                   const std::string& whose) {
    if (!node_.params.given(param)) return "";
    const std::string& name = node_.params.text(param);
    if (name.empty() || std::ranges::find(names, name) != names.end()) return name;
    const Place& place = node_.params.value(param).place();
    diagnostics_.add(place ? place : node_.place, fmt::format("{} has no layer '{}'", whose, printable(name)),
                     did_you_mean(name, names));
    return std::nullopt;
}

}  // namespace satdl
