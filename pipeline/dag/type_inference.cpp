#include "pipeline/dag/type_inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>

#include "pipeline/catalog/stage_rules.h"
#include "pipeline/core/reshape.h"
#include "pipeline/core/row_fraction.h"
#include "pipeline/network/loss_rules.h"
#include "pipeline/network/metric_names.h"
#include "pipeline/network/network_memory.h"
#include "pipeline/network/network_summary.h"
#include "pipeline/network/weight_match.h"

namespace satdl {
namespace {

constexpr std::int64_t kMaxClasses = 10'000;  // with more of them, their names are left to the run

// The shape rules of a description, by position of the port.
struct StageRules {
    std::vector<ShapeRule> inputs;
    std::vector<ShapeRule> outputs;
};

// N of [N, ...]; "" if the first extent has no name.
const std::string& rows_of(const ShapeRule& rule) {
    static const std::string none;
    return rule.extents.empty() ? none : rule.extents.front().name;
}

std::string pattern_text(const ShapeRule& rule) {
    std::vector<std::string> extents;
    for (const ShapeRule::Extent& extent : rule.extents)
        extents.push_back(extent.number ? std::to_string(*extent.number) : extent.name.empty() ? "_" : extent.name);
    if (rule.open) extents.emplace_back("...");
    return fmt::format("[{}]", fmt::join(extents, ", "));
}

// "float32, int32 or int64".
std::string dtypes_text(const std::vector<DType>& dtypes) {
    std::string text;
    for (const DType dtype : dtypes)
        text += fmt::format("{}{}", text.empty() ? "" : dtype == dtypes.back() ? " or " : ", ", name_of(dtype));
    return text;
}

// The element types that a stage with these parameters reads.
std::vector<DType> accepted_dtypes(const PortDescription& port, const Params& params) {
    const bool reads_uint8 = !port.uint8_scale.empty() && params.given(port.uint8_scale);
    return reads_uint8 ? std::vector{DType::UInt8} : port.dtypes;
}

// "float32 or uint8 [N, ...]".
std::string wanted_text(const PortDescription& port, const ShapeRule& rule, const Params& params) {
    std::string text = dtypes_text(accepted_dtypes(port, params));
    if (rule.kind != ShapeRule::Kind::Pattern) return text;
    return text.empty() ? pattern_text(rule) : fmt::format("{} {}", text, pattern_text(rule));
}

// Of one sample; 0 if unknown before it runs.
std::int64_t total_cost(std::span<const LayerSummary> layers) {
    std::int64_t total = 0;
    for (const LayerSummary& layer : layers) {
        if (layer.multiply_adds == kUnknown) return 0;
        total += layer.multiply_adds;
    }
    return total;
}

std::vector<Shape> outputs_of(const std::vector<LayerSummary>& layers) {
    std::vector<Shape> outputs;
    for (const LayerSummary& layer : layers) outputs.push_back(layer.output);
    return outputs;
}

// Whether the weights that a layer has are as many as it needs now; -1: unknown.
bool could_be(std::int64_t trained, std::int64_t needed) {
    return trained == needed || trained == kUnknown || needed == kUnknown;
}

// The first of the `reused` layers of a trained model whose weights do not fit what it reads now. `trained` may be empty: unknown.
std::optional<std::string> layer_of_other_size(const std::vector<LayerSummary>& trained, const std::vector<LayerSummary>& now,
                                               std::size_t reused) {
    for (std::size_t i = 0; i < std::min(trained.size(), reused); ++i) {
        if (!could_be(trained[i].trainable, now[i].trainable) || !could_be(trained[i].non_trainable, now[i].non_trainable))
            return now[i].name;
    }
    return std::nullopt;
}

std::string trained_on(const Shape& sample) { return fmt::format("it was trained on samples of shape {}", extents_text(sample)); }

std::string listed(const std::vector<std::string>& names) {
    if (names.empty()) return "none";
    return fmt::format("{}", fmt::join(names, ", "));
}

// Throws Error{Store} where the manifest holds a rule that is none.
StageRules parse_rules(const CatalogEntry& stage) {
    const auto parsed = [&](const PortDescription& port) {
        auto rule = parse_shape_rule(port.shape);
        if (!rule) {
            throw Error(ExitCode::Store,
                        fmt::format("the manifest of {}: port '{}' of stage '{}' has the shape '{}', which is not a valid rule",
                                    stage.library.string(), port.name, stage.description.kind, printable(port.shape)));
        }
        return std::move(*rule);
    };
    StageRules rules;
    for (const PortDescription& port : stage.description.inputs) rules.inputs.push_back(parsed(port));
    for (const PortDescription& port : stage.description.outputs) rules.outputs.push_back(parsed(port));
    return rules;
}

class NodeTyper {
public:
    // `arriving`: what each of the node's inputs reads, in their order; nullptr: unknown. Everything must outlive this.
    NodeTyper(const Dag& dag, NodeId node, const std::vector<const PortType*>& arriving, const StageRules& rules,
              Diagnostics& diagnostics);

    // Checks what arrives and infers what leaves.
    [[nodiscard]] NodeTypes infer();

private:
    struct Arrival {
        const PortDescription* port;
        const ShapeRule* rule;
        const Input* input;
        const PortType* type;  // nullptr: unknown, or already reported as a misfit
    };
    struct Binding {
        std::string_view name;
        std::int64_t extent;
        const Arrival* by;
    };
    struct Rest {
        std::string_view name;
        Shape shape;
        const Arrival* by;
    };
    struct Applied {
        std::string_view net, input;
        std::vector<LayerSummary> layers;  // empty: not known, or reported as a misfit
    };

    struct UsedNetwork {
        NetworkUse use = NetworkUse::Inference;
        std::string input{};                      // the port that it reads
        std::span<const LayerSummary> layers{};  // empty: none, or not known
    };

    void check_existence(Arrival& arrival);
    void check_partners(const Arrival& arrival);
    void check_kind_and_dtype(Arrival& arrival);
    void check_same_dtype(Arrival& arrival);
    void check_pattern(Arrival& arrival);
    void bind(const Arrival& arrival, const std::string& name, std::int64_t extent, bool rows);
    void bind_rest(const Arrival& arrival, const std::string& name, Shape shape);
    void check_expected(Arrival& arrival);
    void misfit(Arrival& arrival, const std::string& wanted, std::string hint = {});
    [[nodiscard]] std::string conversion_hint(const Arrival& arrival, const std::vector<DType>& accepted) const;
    void check_rows(const ParamDescription& param);
    void check_row_fractions();
    void check_row_fraction(const ParamDescription& param, const Arrival& of, std::int64_t& left);
    [[nodiscard]] bool is_replaced(const ParamDescription& param) const;

    [[nodiscard]] PortType output(const PortDescription& port, const ShapeRule& rule);
    [[nodiscard]] std::optional<Shape> shape_of(const ShapeRule& rule);
    [[nodiscard]] std::optional<Shape> pattern_shape(const ShapeRule& rule) const;
    [[nodiscard]] std::optional<Shape> dataset_shape(const ShapeRule& rule);
    [[nodiscard]] std::optional<DType> dataset_dtype(const ShapeRule& rule) const;
    [[nodiscard]] const SourceFile* dataset_file(const ShapeRule& rule) const;
    [[nodiscard]] std::optional<Shape> file_shape(const ShapeRule& rule);
    [[nodiscard]] std::optional<DType> file_dtype(const ShapeRule& rule) const;
    [[nodiscard]] const SourceFile* array_file(const ShapeRule& rule) const;
    [[nodiscard]] std::optional<Shape> network_shape(const ShapeRule& rule);
    void infer_model(const PortDescription::ModelRule& rule, PortType& type);
    void infer_loaded_model(const PortDescription::ModelRule& rule, PortType& type);
    [[nodiscard]] std::optional<Shape> sample_of(const std::string& param);
    void infer_extended_model(const PortDescription::ModelRule& rule, PortType& type);
    void cannot_read(const Arrival& model, const Arrival& input, std::string because);
    [[nodiscard]] UsedNetwork used_network(const NodeTypes& types);
    [[nodiscard]] std::uint64_t bytes_of(const UsedNetwork& network) const;
    [[nodiscard]] const std::vector<LayerSummary>& apply(const std::string& net, const std::string& input);
    [[nodiscard]] std::vector<LayerSummary> apply(const Network& network, const Shape& input);
    // The layer that parameter `param` names, "" for the last; nothing where the network has none of that name (reported).
    [[nodiscard]] std::optional<std::string> chosen_layer(const std::string& param, const std::vector<std::string>& names,
                                                          const std::string& whose);

    [[nodiscard]] const PortType* model_of_loss(const NodeTypes& outputs) const;
    void check_loss(const NodeTypes& outputs);
    void check_target(Arrival& target, const std::string& loss, const Shape& output);
    void check_class_weights(const std::string& param, const NodeTypes& outputs);
    void check_anything_to_train(const PortDescription::ModelRule& rule, const PortType& model);

    [[nodiscard]] std::optional<std::vector<std::string>> metrics_of(const PortDescription::MetricsRule& rule,
                                                                     const NodeTypes& outputs) const;
    [[nodiscard]] std::optional<LossFacts> loss_facts(const NodeTypes& outputs) const;
    [[nodiscard]] std::vector<std::string> names_of(const PortDescription::MetricsRule& rule,
                                                    const std::vector<std::string>& of_loss) const;
    [[nodiscard]] std::optional<std::vector<std::string>> possible_metrics(const std::string& port) const;
    void check_metric(const ParamDescription& param, const std::string& port, const NodeTypes& outputs);

    [[nodiscard]] const Arrival* arrival(std::string_view port) const;
    [[nodiscard]] std::optional<Shape> sample(std::string_view port) const;
    [[nodiscard]] std::string here(const Arrival& arrival) const;    // "m1.x"
    [[nodiscard]] std::string source(const Arrival& arrival) const;  // "noisy@train.images"
    [[nodiscard]] const Place& place_of(const std::string& param) const;  // of the node, if the parameter has none

    const Dag& dag_;
    const Node& node_;
    const StageDescription& stage_;
    const StageRules& rules_;
    Diagnostics& diagnostics_;
    std::vector<Arrival> arrivals_;
    std::vector<Binding> bindings_;
    std::vector<Rest> rests_;
    std::vector<Applied> applied_;
};

NodeTyper::NodeTyper(const Dag& dag, NodeId node, const std::vector<const PortType*>& arriving, const StageRules& rules,
                     Diagnostics& diagnostics)
    : dag_(dag), node_(dag.nodes[node]), stage_(node_.stage->description), rules_(rules), diagnostics_(diagnostics) {
    arrivals_.reserve(node_.inputs.size());
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
        const Input& input = node_.inputs[i];
        const PortDescription* port = stage_.input(input.port);
        SATDL_CHECK(port != nullptr, fmt::format("{} has no input '{}'", node_.name, input.port));
        const auto position = static_cast<std::size_t>(port - stage_.inputs.data());
        arrivals_.push_back({port, &rules_.inputs[position], &input, arriving[i]});
    }
}

NodeTypes NodeTyper::infer() {
    for (Arrival& arrival : arrivals_) check_existence(arrival);
    for (const Arrival& arrival : arrivals_) check_partners(arrival);
    for (Arrival& arrival : arrivals_) check_kind_and_dtype(arrival);
    for (Arrival& arrival : arrivals_) check_same_dtype(arrival);
    for (Arrival& arrival : arrivals_) check_pattern(arrival);
    for (Arrival& arrival : arrivals_) check_expected(arrival);
    for (const ParamDescription& param : stage_.params) check_rows(param);
    check_row_fractions();
    NodeTypes types;
    for (std::size_t i = 0; i < stage_.outputs.size(); ++i)
        types.outputs.emplace(stage_.outputs[i].name, output(stage_.outputs[i], rules_.outputs[i]));
    check_loss(types);
    for (const PortDescription& port : stage_.outputs)
        if (port.metrics) types.outputs.at(port.name).metrics = metrics_of(*port.metrics, types);
    for (const ParamDescription& param : stage_.params)
        for (const std::string& port : param.metric_of) check_metric(param, port, types);
    const UsedNetwork network = used_network(types);
    types.network_cost = total_cost(network.layers);
    types.network_bytes = bytes_of(network);
    return types;
}

// The network that the node makes, else the one that a port's shape applies.
NodeTyper::UsedNetwork NodeTyper::used_network(const NodeTypes& types) {
    for (const PortDescription& port : stage_.outputs) {
        const PortType& type = types.outputs.at(port.name);
        if (port.model && port.model->file.empty() && type.network && type.net_input)
            return {NetworkUse::Training, port.model->input, type.layers};
    }
    for (const auto* rules : {&rules_.outputs, &rules_.inputs}) {
        for (const ShapeRule& rule : *rules) {
            if (rule.kind == ShapeRule::Kind::Network) return {NetworkUse::Inference, rule.input, apply(rule.net, rule.input)};
        }
    }
    return {};
}

std::uint64_t NodeTyper::bytes_of(const UsedNetwork& network) const {
    if (stage_.batch_size.empty()) return 0;
    const auto one = sample(network.input);
    if (!one || network.layers.empty()) return kUnknownNetworkBytes;
    const std::int64_t samples = arrival(network.input)->type->shape->front();
    const std::int64_t batch = node_.params.integer(stage_.batch_size);
    const auto bytes = network_bytes(network.layers, *one, samples == kUnknown ? batch : std::min(batch, samples), network.use);
    return bytes.value_or(kUnknownNetworkBytes);
}

// ---- what arrives ----

void NodeTyper::misfit(Arrival& arrival, const std::string& wanted, std::string hint) {
    diagnostics_.add(arrival.input->place,
                     fmt::format("{} wants {}, {} is {}", here(arrival), wanted, source(arrival), describe(*arrival.type)),
                     std::move(hint));
    arrival.type = nullptr;  // reported once
}

// Of an array whose element type is not accepted: how to get one that is.
std::string NodeTyper::conversion_hint(const Arrival& arrival, const std::vector<DType>& accepted) const {
    const std::string& scale = arrival.port->uint8_scale;
    if (!scale.empty() && accepted.front() == DType::UInt8)
        return fmt::format("{} is for uint8: remove it, since {} is taken as it is", scale, dtypes_text(arrival.port->dtypes));
    if (!scale.empty() && arrival.type->dtype == DType::UInt8)
        return fmt::format("{0}: 255 reads uint8 and divides it by 255 (in {1}, and no array of float32 is made)", scale, node_.name);
    const bool takes_float = std::ranges::find(accepted, DType::Float32) != accepted.end();
    const std::string wanted(name_of(takes_float ? DType::Float32 : accepted.front()));
    const Node& from = dag_.nodes[arrival.input->from];
    const ParamDescription* dtype = from.stage->description.param("dtype");
    if (dtype != nullptr && std::ranges::find(dtype->choices, wanted) != dtype->choices.end())
        return fmt::format("{} can convert it: write dtype: {} there", from.name, wanted);
    return fmt::format("convert it to {} first: satdl never converts by itself", dtypes_text(accepted));
}

// An optional output that takes its element type from an input is there if that input is connected.
void NodeTyper::check_existence(Arrival& arrival) {
    const Node& producer = dag_.nodes[arrival.input->from];
    const PortDescription& port = *producer.stage->description.output(arrival.input->from_port);
    if (!port.optional || port.dtype_of.empty()) return;
    if (std::ranges::find(producer.inputs, port.dtype_of, &Input::port) != producer.inputs.end()) return;
    diagnostics_.add(arrival.input->place,
                     fmt::format("{} does not exist: the input '{}' of {} is not connected", source(arrival), port.dtype_of, producer.name),
                     fmt::format("in: {{{}: stage.port}} of {}", port.dtype_of, producer.name));
    arrival.type = nullptr;
}

// Optional inputs with the same name for their number of samples belong together, unless a required input has that name, too.
void NodeTyper::check_partners(const Arrival& arrival) {
    const std::string& rows = rows_of(*arrival.rule);
    if (!arrival.port->optional || rows.empty()) return;
    for (std::size_t i = 0; i < stage_.inputs.size(); ++i)
        if (!stage_.inputs[i].optional && rows_of(rules_.inputs[i]) == rows) return;
    for (std::size_t i = 0; i < stage_.inputs.size(); ++i) {
        const PortDescription& other = stage_.inputs[i];
        if (rows_of(rules_.inputs[i]) != rows || this->arrival(other.name) != nullptr) continue;
        diagnostics_.add(arrival.input->place, fmt::format("{} needs the input '{}' as well", here(arrival), other.name),
                         fmt::format("in: {{{}: stage.port}}{}", other.name,
                                     other.help.empty() ? "" : fmt::format("\n{}: {}", other.name, other.help)));
    }
}

void NodeTyper::check_kind_and_dtype(Arrival& arrival) {
    if (arrival.type == nullptr) return;
    const PortDescription& port = *arrival.port;
    if (arrival.type->kind != port.kind) {
        const std::string wanted =
            port.kind == PortKind::Array ? wanted_text(port, *arrival.rule, node_.params) : describe(PortType{.kind = port.kind});
        misfit(arrival, wanted.empty() ? "an array" : wanted);
        return;
    }
    const std::vector<DType> accepted = accepted_dtypes(port, node_.params);
    if (port.kind == PortKind::Array && !accepted.empty() && arrival.type->dtype &&
        std::ranges::find(accepted, *arrival.type->dtype) == accepted.end())
        misfit(arrival, wanted_text(port, *arrival.rule, node_.params), conversion_hint(arrival, accepted));
}

void NodeTyper::check_same_dtype(Arrival& arrival) {
    const Arrival* like = arrival.port->dtype_of.empty() ? nullptr : this->arrival(arrival.port->dtype_of);
    if (like == nullptr || like->type == nullptr || arrival.type == nullptr) return;
    const auto wanted = like->type->dtype, found = arrival.type->dtype;
    if (!wanted || !found || *wanted == *found) return;
    misfit(arrival, fmt::format("{} like {}", name_of(*wanted), here(*like)), conversion_hint(arrival, {*wanted}));
}

void NodeTyper::check_pattern(Arrival& arrival) {
    const ShapeRule& rule = *arrival.rule;
    if (rule.kind != ShapeRule::Kind::Pattern || arrival.type == nullptr || !arrival.type->shape) return;
    const Shape& shape = *arrival.type->shape;
    const std::size_t named = rule.extents.size();
    bool fits = rule.open ? shape.size() >= named : shape.size() == named;
    for (std::size_t i = 0; fits && i < named; ++i)
        fits = !rule.extents[i].number || shape[i] == kUnknown || shape[i] == *rule.extents[i].number;
    if (!fits) {
        misfit(arrival, wanted_text(*arrival.port, rule, node_.params));
        return;
    }
    for (std::size_t i = 0; i < named; ++i) {
        if (!rule.extents[i].name.empty() && shape[i] != kUnknown) bind(arrival, rule.extents[i].name, shape[i], i == 0);
    }
    if (rule.open) bind_rest(arrival, rule.rest, Shape(shape.begin() + static_cast<std::ptrdiff_t>(named), shape.end()));
}

void NodeTyper::bind(const Arrival& arrival, const std::string& name, std::int64_t extent, bool rows) {
    const auto known = std::ranges::find(bindings_, name, &Binding::name);
    if (known == bindings_.end()) {
        bindings_.push_back({name, extent, &arrival});
    } else if (known->extent != extent) {
        const char* form = rows ? "{0} has {1} rows, {2} has {3}: {4} differs" : "{0} has {4} = {1}, {2} has {4} = {3}";
        diagnostics_.add(arrival.input->place,
                         fmt::format(fmt::runtime(form), here(arrival), extent, here(*known->by), known->extent, name),
                         fmt::format("{} is {}, {} is {}", source(arrival), describe(*arrival.type), source(*known->by),
                                     describe(*known->by->type)));
    }
}

void NodeTyper::bind_rest(const Arrival& arrival, const std::string& name, Shape shape) {
    const auto known = std::ranges::find(rests_, name, &Rest::name);
    if (known == rests_.end()) {
        rests_.push_back({name, std::move(shape), &arrival});
    } else if (!name.empty() && !could_equal(known->shape, shape)) {
        diagnostics_.add(arrival.input->place,
                         fmt::format("{} has samples of shape {}, {} of shape {}", here(arrival), extents_text(shape),
                                     here(*known->by), extents_text(known->shape)),
                         fmt::format("{} is {}, {} is {}", source(arrival), describe(*arrival.type), source(*known->by),
                                     describe(*known->by->type)));
    }
}

// An input whose shape follows from others: what a network gives, what a dataset holds.
void NodeTyper::check_expected(Arrival& arrival) {
    const ShapeRule& rule = *arrival.rule;
    if (rule.kind == ShapeRule::Kind::Any || rule.kind == ShapeRule::Kind::Pattern) return;
    const auto expected = shape_of(rule);
    if (!expected || arrival.type == nullptr || !arrival.type->shape || could_equal(*expected, *arrival.type->shape)) return;
    misfit(arrival, describe(PortType{.dtype = arrival.type->dtype, .shape = expected}));
}

void NodeTyper::check_rows(const ParamDescription& param) {
    const Arrival* of = param.at_most_rows_of.empty() ? nullptr : arrival(param.at_most_rows_of);
    if (of == nullptr || of->type == nullptr || !of->type->shape || of->type->shape->empty() || !node_.params.given(param.name)) return;
    const std::int64_t rows = of->type->shape->front(), number = node_.params.integer(param.name);
    if (rows == kUnknown || number <= rows) return;
    diagnostics_.add(place_of(param.name), fmt::format("'{}' is {}, but {} has only {} rows", param.name, number, here(*of), rows),
                     fmt::format("{} is {}", source(*of), describe(*of->type)));
}

// Each takes its rows out of what those before it left.
void NodeTyper::check_row_fractions() {
    std::map<const Arrival*, std::int64_t> left;
    for (const ParamDescription& param : stage_.params) {
        const Arrival* of = param.row_fraction ? arrival(param.row_fraction->of) : nullptr;
        if (of == nullptr || of->type == nullptr || !of->type->shape || of->type->shape->empty()) continue;
        const std::int64_t rows = of->type->shape->front();
        if (rows != kUnknown && !is_replaced(param)) check_row_fraction(param, *of, left.try_emplace(of, rows).first->second);
    }
}

void NodeTyper::check_row_fraction(const ParamDescription& param, const Arrival& of, std::int64_t& left) {
    const double fraction = node_.params.number(param.name);
    if (fraction <= 0) return;
    const std::int64_t taken = fraction_of_rows(left, fraction, param.row_fraction->rounded_up);
    if (taken == 0 || taken == left)
        diagnostics_.add(place_of(param.name),
                         fmt::format("'{}' is {}, which takes {} of {} row{}: {}", param.name, node_.params.value(param.name).text(),
                                     taken == 0 ? "none" : "all", left, left == 1 ? "" : "s",
                                     taken == 0 ? "too few" : "nothing is left"),
                         fmt::format("{} is {}", source(of), describe(*of.type)));
    left -= taken;
}

// By a parameter that excludes it and is given.
bool NodeTyper::is_replaced(const ParamDescription& param) const {
    return std::ranges::any_of(stage_.params, [&](const ParamDescription& other) {
        return std::ranges::find(other.excludes, param.name) != other.excludes.end() && node_.params.given(other.name);
    });
}

// ---- what leaves ----

PortType NodeTyper::output(const PortDescription& port, const ShapeRule& rule) {
    PortType type{.kind = port.kind};
    if (port.kind == PortKind::Array) {
        if (!port.dtypes.empty()) type.dtype = port.dtypes.front();
        const Arrival* like = port.dtype_of.empty() ? nullptr : arrival(port.dtype_of);
        if (like != nullptr && like->type != nullptr) type.dtype = like->type->dtype;
        type.shape = shape_of(rule);
        if (port.dtypes.empty() && rule.kind == ShapeRule::Kind::File) type.dtype = file_dtype(rule);
        if (port.dtypes.empty() && rule.kind == ShapeRule::Kind::Dataset) type.dtype = dataset_dtype(rule);
    } else if (port.model) {
        infer_model(*port.model, type);
    }
    return type;
}

std::optional<Shape> NodeTyper::shape_of(const ShapeRule& rule) {
    switch (rule.kind) {
        case ShapeRule::Kind::Any: break;
        case ShapeRule::Kind::Pattern: return pattern_shape(rule);
        case ShapeRule::Kind::Dataset: return dataset_shape(rule);
        case ShapeRule::Kind::File: return file_shape(rule);
        case ShapeRule::Kind::Network: return network_shape(rule);
    }
    return std::nullopt;
}

std::optional<Shape> NodeTyper::pattern_shape(const ShapeRule& rule) const {
    Shape shape;
    for (const ShapeRule::Extent& extent : rule.extents) {
        const auto bound = std::ranges::find(bindings_, extent.name, &Binding::name);
        if (extent.number) shape.push_back(*extent.number);
        else shape.push_back(bound == bindings_.end() ? kUnknown : bound->extent);
    }
    if (!rule.open) return shape;
    const auto rest = std::ranges::find(rests_, rule.rest, &Rest::name);
    if (rest == rests_.end()) return std::nullopt;
    shape.insert(shape.end(), rest->shape.begin(), rest->shape.end());
    return shape;
}

const SourceFile* NodeTyper::dataset_file(const ShapeRule& rule) const {
    const auto is_role = [&](const SourceFile& file) { return file.role == rule.role && !file.dataset.empty(); };
    const auto file = std::ranges::find_if(node_.files, is_role);
    return file == node_.files.end() ? nullptr : &*file;
}

std::optional<DType> NodeTyper::dataset_dtype(const ShapeRule& rule) const {
    const SourceFile* file = dataset_file(rule);
    return file != nullptr ? std::optional(file->dtype) : std::nullopt;
}

std::optional<Shape> NodeTyper::dataset_shape(const ShapeRule& rule) {
    const SourceFile* file = dataset_file(rule);
    if (file == nullptr) {
        diagnostics_.add(place_of("dataset"), fmt::format("dataset '{}' has no {} for stage '{}'", node_.params.text("dataset"), rule.role,
                                                          node_.name));
        return std::nullopt;
    }
    Shape shape = file->shape;
    if (!shape.empty() && node_.params.given("limit"))
        shape.front() = std::min(shape.front(), node_.params.integer("limit"));
    return shape;
}

// nullptr: what its array is like will show only when it is read.
const SourceFile* NodeTyper::array_file(const ShapeRule& rule) const {
    const auto file = std::ranges::find(node_.files, rule.file, &SourceFile::role);
    return file != node_.files.end() && file->header ? &*file : nullptr;
}

std::optional<DType> NodeTyper::file_dtype(const ShapeRule& rule) const {
    if (node_.params.given("dtype")) return dtype_from_name(node_.params.text("dtype"));
    const SourceFile* file = array_file(rule);
    return file != nullptr ? std::optional(file->header->dtype) : std::nullopt;
}

std::optional<Shape> NodeTyper::file_shape(const ShapeRule& rule) {
    const SourceFile* file = array_file(rule);
    if (file == nullptr) return std::nullopt;
    Shape shape = file->header->shape;
    if (!shape.empty() && node_.params.given("limit")) shape.front() = std::min(shape.front(), node_.params.integer("limit"));
    if (rule.rows_alone) return Shape(shape.begin(), shape.begin() + std::min<std::ptrdiff_t>(1, std::ssize(shape)));
    const std::string name = printable(file->path.filename().string());
    if (node_.params.given("reshape")) {
        const auto other = reshaped(shape, node_.params.numbers("reshape"));
        if (const auto* cannot = std::get_if<CannotReshape>(&other)) {
            diagnostics_.add(node_.params.value("reshape").place(), fmt::format("{} cannot be reshaped: {}", name, cannot->because),
                             kReshapeIs);
            return std::nullopt;
        }
        shape = std::get<Shape>(other);
    }
    if (!node_.params.given("layout") || node_.params.text("layout") != "nhwc") return shape;
    if (shape.size() != 4) {
        diagnostics_.add(node_.params.value("layout").place(),
                         fmt::format("layout nhwc is for an array [N, H, W, C], {} is {} {}", name, name_of(file->header->dtype),
                                     extents_text(shape)));
        return std::nullopt;
    }
    return Shape{shape[0], shape[3], shape[1], shape[2]};
}

// ---- names ----

const NodeTyper::Arrival* NodeTyper::arrival(std::string_view port) const {
    const auto found =
        std::ranges::find(arrivals_, port, [](const Arrival& one) -> std::string_view { return one.port->name; });
    return found == arrivals_.end() ? nullptr : &*found;
}

std::optional<Shape> NodeTyper::sample(std::string_view port) const {
    const Arrival* from = arrival(port);
    if (from == nullptr || from->type == nullptr || !from->type->shape || from->type->shape->empty()) return std::nullopt;
    return Shape(from->type->shape->begin() + 1, from->type->shape->end());
}

std::string NodeTyper::here(const Arrival& arrival) const { return fmt::format("{}.{}", node_.name, arrival.port->name); }

std::string NodeTyper::source(const Arrival& arrival) const {
    return fmt::format("{}.{}", dag_.nodes[arrival.input->from].name, arrival.input->from_port);
}

const Place& NodeTyper::place_of(const std::string& param) const {
    const Place& place = node_.params.value(param).place();
    return place ? place : node_.place;
}

// ---- networks: what they make of what arrives, and where it is reported that they do not fit ----

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

// The layers of parameter or model port `net` on what arrives at `input`. A network that does not fit is reported here, once:
// at the layer where the node brings the network, at the edge where the network comes trained.
const std::vector<LayerSummary>& NodeTyper::apply(const std::string& net, const std::string& input) {
    for (const Applied& applied : applied_) {
        if (applied.net == net && applied.input == input) return applied.layers;
    }
    Applied& applied = applied_.emplace_back(Applied{net, input, {}});
    const auto shape = sample(input);
    if (!shape) return applied.layers;
    if (stage_.input(net) == nullptr) {
        if (!node_.params.given(net)) return applied.layers;
        applied.layers = apply(node_.params.network(net), *shape);
    } else if (const Arrival* model = arrival(net); model != nullptr && model->type != nullptr && model->type->network) {
        if (model->type->net_input == shape) {
            applied.layers = model->type->layers;
            return applied.layers;
        }
        Diagnostics misfit;
        auto layers = summarise(*model->type->network, *shape, misfit);
        if (!misfit.empty()) cannot_read(*model, *arrival(input), misfit.found().front().message);
        else if (model->type->net_input && !could_equal(*model->type->net_input, *shape))
            cannot_read(*model, *arrival(input), trained_on(*model->type->net_input));
        else applied.layers = std::move(layers);
    }
    return applied.layers;
}

// Empty if the network does not fit, which is reported at the layer.
std::vector<LayerSummary> NodeTyper::apply(const Network& network, const Shape& input) {
    auto layers = summarise(network, input, diagnostics_);
    if (layers.size() < network.layers.size()) layers.clear();
    return layers;
}

// A trained model that does not fit what arrives at `input`: reported at the input's edge.
void NodeTyper::cannot_read(const Arrival& model, const Arrival& input, std::string because) {
    diagnostics_.add(
        input.input->place,
        fmt::format("{} is {}, which the network of {} cannot read", source(input), describe(*input.type), source(model)),
        std::move(because));
}

void NodeTyper::infer_model(const PortDescription::ModelRule& rule, PortType& type) {
    if (!node_.params.given(rule.net)) return;
    if (!rule.file.empty()) return infer_loaded_model(rule, type);
    if (!rule.base.empty()) return infer_extended_model(rule, type);
    const auto shape = sample(rule.input);
    if (shape) {
        type.layers = apply(rule.net, rule.input);
        if (type.layers.empty()) return;  // it does not fit
    }
    type.network = *node_.params.value(rule.net).get_if<std::shared_ptr<const Network>>();
    type.net_input = shape;
}

// The node's own layers, with weights of a file.
void NodeTyper::infer_loaded_model(const PortDescription::ModelRule& rule, PortType& type) {
    const auto shape = sample_of(rule.sample);
    if (!shape) return;
    const Network& network = node_.params.network(rule.net);
    type.layers = apply(network, *shape);
    if (type.layers.empty()) return;  // it does not fit
    type.network = *node_.params.value(rule.net).get_if<std::shared_ptr<const Network>>();
    type.net_input = shape;
    const auto file = std::ranges::find(node_.files, rule.file, &SourceFile::role);
    if (file == node_.files.end() || !file->arrays) return;
    const std::string names = node_.params.given(rule.names) ? node_.params.text(rule.names) : "";
    for (WeightMisfit& misfit : match_weights(network, *shape, *file->arrays, names).misfits)
        diagnostics_.add(place_of(misfit.of == WeightMisfit::Of::Names ? rule.names : rule.file), std::move(misfit.text),
                         std::move(misfit.hint));
}

// The shape of a sample, as the parameter says. nullopt: a mistake, which is reported.
std::optional<Shape> NodeTyper::sample_of(const std::string& param) {
    Shape shape;
    for (const double extent : node_.params.numbers(param)) {
        if (extent >= 1 && extent <= 0x1p31 && std::trunc(extent) == extent) {
            shape.push_back(static_cast<std::int64_t>(extent));
            continue;
        }
        diagnostics_.add(place_of(param), fmt::format("'{}' is the shape of one sample, whole numbers from 1 on", param),
                         fmt::format("{}: [1, 28, 28]", param));
        return std::nullopt;
    }
    return shape;
}

// Layers of a trained model, and the node's own behind them.
void NodeTyper::infer_extended_model(const PortDescription::ModelRule& rule, PortType& type) {
    const Arrival* base = arrival(rule.base);
    if (base == nullptr || base->type == nullptr || !base->type->network) return;
    const Network& trained = *base->type->network;
    std::string until;
    if (!rule.until.empty()) {
        const auto name = chosen_layer(rule.until, trained.layer_names(), source(*base));
        if (!name) return;
        until = *name;
    }
    const Network& head = node_.params.network(rule.net);
    Diagnostics found;
    auto whole = std::make_shared<const Network>(extend(trained, until, head, found));
    const auto shape = sample(rule.input);
    std::vector<LayerSummary> layers;
    if (shape) {
        Diagnostics misfit;
        layers = summarise(*whole, *shape, misfit);
        const std::size_t reused = whole->layers.size() - head.layers.size();
        if (layers.size() < reused) return cannot_read(*base, *arrival(rule.input), misfit.found().front().message);
        if (const auto layer = layer_of_other_size(base->type->layers, layers, reused))
            return cannot_read(*base, *arrival(rule.input),
                               fmt::format("{}, and layer {} has no weights for others", trained_on(*base->type->net_input), *layer));
        for (const Diagnostic& one : misfit.found()) found.add(one.place, one.message, one.hint);
    }
    for (const Diagnostic& one : found.found()) diagnostics_.add(one.place, one.message, one.hint);
    if (!found.empty()) return;
    type.network = std::move(whole);
    type.net_input = shape;
    type.layers = std::move(layers);
}

std::optional<std::string> NodeTyper::chosen_layer(const std::string& param, const std::vector<std::string>& names,
                                                   const std::string& whose) {
    if (!node_.params.given(param)) return "";
    const std::string& name = node_.params.text(param);
    if (std::ranges::find(names, name) != names.end()) return name;
    diagnostics_.add(place_of(param), fmt::format("{} has no layer '{}'", whose, printable(name)),
                     did_you_mean(name, names));
    return std::nullopt;
}

// ---- losses: whether they are those of the network and the targets ----

// The network that the stage's loss is of; nullptr where only running can tell what it gives.
const PortType* NodeTyper::model_of_loss(const NodeTypes& outputs) const {
    if (!stage_.loss) return nullptr;
    const PortType* made = outputs.find(stage_.loss->model);
    const Arrival* brought = arrival(stage_.loss->model);
    const PortType* model = made != nullptr ? made : brought != nullptr ? brought->type : nullptr;
    return model == nullptr || model->layers.empty() ? nullptr : model;
}

void NodeTyper::check_loss(const NodeTypes& outputs) {
    if (!stage_.loss) return;
    const LossRule& rule = *stage_.loss;
    const std::string& loss = node_.params.text(rule.loss);
    const PortType* model = model_of_loss(outputs);
    const std::optional<Shape> given = model == nullptr ? sample(rule.model) : std::nullopt;  // what a network elsewhere gave
    if (model == nullptr && !given) return;
    const Shape& output = given ? *given : model->layers.back().output;
    for (Arrival& target : arrivals_)
        if (target.port->name == rule.target || target.port->name == rule.validation_target) check_target(target, loss, output);
    if (model == nullptr) return;
    if (const PortDescription* made = stage_.output(rule.model); made != nullptr && made->model)
        check_anything_to_train(*made->model, *model);
    if (auto found = network_misfit(loss, *model->network, outputs_of(model->layers)))
        diagnostics_.add(place_of(rule.loss), std::move(found->text), std::move(found->hint));
    else
        check_class_weights(rule.class_weights, outputs);
}

void NodeTyper::check_target(Arrival& target, const std::string& loss, const Shape& output) {
    if (target.type == nullptr || !target.type->dtype || !target.type->shape) return;
    if (!target.type->shape->empty() && target.type->shape->front() == 0) return misfit(target, "at least one sample");
    if (auto found = target_misfit(loss, output, *target.type->dtype, *target.type->shape))
        misfit(target, found->text, std::move(found->hint));
}

void NodeTyper::check_class_weights(const std::string& param, const NodeTypes& outputs) {
    if (param.empty() || !node_.params.given(param)) return;
    const auto facts = loss_facts(outputs);
    if (!facts) return;
    if (auto found = class_weights_misfit(node_.params.value(param).get_if<std::vector<double>>(), classes_of(*facts)))
        diagnostics_.add(place_of(param), std::move(found->text), std::move(found->hint));
}

// Layers of a base are trained, too, unless they are frozen.
void NodeTyper::check_anything_to_train(const PortDescription::ModelRule& rule, const PortType& model) {
    const bool frozen = !rule.freeze.empty() && node_.params.boolean(rule.freeze);
    const std::size_t reused = model.layers.size() - node_.params.network(rule.net).layers.size();
    const auto first = model.layers.begin() + static_cast<std::ptrdiff_t>(frozen ? reused : 0);
    if (std::any_of(first, model.layers.end(), [](const LayerSummary& layer) { return layer.trainable != 0; })) return;
    const std::string because = frozen ? fmt::format("the base is frozen, and no layer of '{}'", rule.net) : "no layer of the network";
    diagnostics_.add(place_of(rule.net), fmt::format("nothing to train: {} has weights", because), "add a dense or a conv layer");
}

// ---- metrics: which names the outputs will hold, and whether every reference to one names an existing one ----

// What decides the names; empty if unknown before it runs.
std::optional<LossFacts> NodeTyper::loss_facts(const NodeTypes& outputs) const {
    if (!stage_.loss) return std::nullopt;
    const Arrival* target = arrival(stage_.loss->target);
    if (target == nullptr || target->type == nullptr || !target->type->dtype || !target->type->shape) return std::nullopt;
    const std::string& loss = node_.params.text(stage_.loss->loss);
    LossFacts facts{loss, Activation::None, {}, are_class_numbers(loss, *target->type->dtype, *target->type->shape)};
    if (const PortType* model = model_of_loss(outputs)) {
        facts.last = last_activation(*model->network, outputs_of(model->layers));
        facts.output = model->layers.back().output;
    } else if (auto given = sample(stage_.loss->model)) {  // what a network elsewhere gave
        facts.output = std::move(*given);
    } else {
        return std::nullopt;
    }
    if (facts.output.size() == 1 && (facts.output[0] < 0 || facts.output[0] > kMaxClasses)) return std::nullopt;
    return facts;
}

std::optional<std::vector<std::string>> NodeTyper::metrics_of(const PortDescription::MetricsRule& rule,
                                                              const NodeTypes& outputs) const {
    if (!rule.of_loss) return names_of(rule, {});
    const auto facts = loss_facts(outputs);
    if (!facts) return std::nullopt;
    return names_of(rule, rule.training ? training_metrics(*facts) : evaluation_metrics(*facts));
}

// `of_loss`: those that follow from the loss, as one data set has them.
std::vector<std::string> NodeTyper::names_of(const PortDescription::MetricsRule& rule,
                                             const std::vector<std::string>& of_loss) const {
    std::vector<std::string> names = rule.names;
    for (const auto& [port, name] : rule.if_connected)
        if (arrival(port) != nullptr) names.push_back(name);
    std::vector<std::string> found = of_loss;
    if (rule.training) {
        const bool validates = (!rule.validation.empty() && arrival(rule.validation) != nullptr) ||
                               (!rule.fraction.empty() && node_.params.number(rule.fraction) > 0);
        found.clear();
        for (const std::string& name : of_loss) found.push_back("train/" + name);
        if (validates)
            for (const std::string& name : of_loss) found.push_back("val/" + name);
    }
    names.insert(names.end(), found.begin(), found.end());
    for (const std::string& prefix : rule.also_under)
        for (const std::string& name : found) names.push_back(prefix + name);
    return names;
}

// Of a training whose loss is open: val/... only if it validates, whatever the loss will be.
std::optional<std::vector<std::string>> NodeTyper::possible_metrics(const std::string& port) const {
    const PortDescription* own = stage_.output(port);
    if (own == nullptr || !own->metrics || !own->metrics->training) return std::nullopt;
    return names_of(*own->metrics, all_training_metrics());
}

void NodeTyper::check_metric(const ParamDescription& param, const std::string& port, const NodeTypes& outputs) {
    if (!node_.params.given(param.name)) return;
    const std::string& name = node_.params.text(param.name);
    if (name == "auto" && param.fallback == "auto") return;
    const PortType* own = outputs.find(port);
    const Arrival* from = arrival(port);
    const PortType* type = own != nullptr ? own : from != nullptr ? from->type : nullptr;
    if (type == nullptr) return;
    const auto metrics = type->metrics ? type->metrics : possible_metrics(port);
    if (!metrics || find_metric(name, *metrics)) return;
    const std::string reporter = own != nullptr ? node_.name : dag_.nodes[from->input->from].name;
    const auto near = nearest(name, *metrics);
    diagnostics_.add(place_of(param.name),
                     fmt::format("no metric '{}'; {} reports {}{}", printable(name), reporter, type->metrics ? "" : "at most ",
                                 listed(*metrics)),
                     near ? fmt::format("did you mean '{}'?", *near) : "");
}

}  // namespace

std::vector<NodeTypes> infer_types(const Dag& dag, Diagnostics& diagnostics) {
    std::unordered_map<const CatalogEntry*, StageRules> rules;
    std::vector<NodeTypes> types;
    types.reserve(dag.nodes.size());
    for (NodeId node = 0; node < dag.nodes.size(); ++node) {
        const CatalogEntry* stage = dag.nodes[node].stage;
        auto known = rules.find(stage);
        if (known == rules.end()) known = rules.emplace(stage, parse_rules(*stage)).first;
        std::vector<const PortType*> arriving;
        for (const Input& input : dag.nodes[node].inputs) arriving.push_back(types[input.from].find(input.from_port));
        types.push_back(NodeTyper(dag, node, arriving, known->second, diagnostics).infer());
    }
    return types;
}

NodeTypes infer_types(const Dag& dag, NodeId node, const std::map<std::string, PortType>& arriving, Diagnostics& diagnostics) {
    std::vector<const PortType*> types;
    for (const Input& input : dag.nodes[node].inputs) types.push_back(&arriving.at(input.port));
    const StageRules rules = parse_rules(*dag.nodes[node].stage);
    return NodeTyper(dag, node, types, rules, diagnostics).infer();
}

}  // namespace satdl
