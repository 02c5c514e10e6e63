#include "pipeline/node_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace satdl {
namespace {

constexpr std::int64_t kUnknown = -1;

std::string known_text(const Shape& shape) {
    std::vector<std::string> extents;
    for (const std::int64_t extent : shape) extents.push_back(extent == kUnknown ? "?" : std::to_string(extent));
    return fmt::format("[{}]", fmt::join(extents, ", "));
}

std::string pattern_text(const ShapeRule& rule) {
    std::vector<std::string> extents;
    for (const ShapeRule::Extent& extent : rule.extents)
        extents.push_back(extent.number ? std::to_string(*extent.number) : extent.name.empty() ? "_" : extent.name);
    if (rule.open) extents.emplace_back("...");
    return fmt::format("[{}]", fmt::join(extents, ", "));
}

// "float32 or uint8 [N, ...]".
std::string wanted_text(const PortDescription& port, const ShapeRule& rule) {
    std::vector<std::string_view> dtypes;
    for (const DType dtype : port.dtypes) dtypes.push_back(name_of(dtype));
    std::string text = fmt::format("{}", fmt::join(dtypes, " or "));
    if (rule.kind != ShapeRule::Kind::Pattern) return text;
    return text.empty() ? pattern_text(rule) : fmt::format("{} {}", text, pattern_text(rule));
}

std::int64_t total_cost(const std::vector<LayerSummary>& layers) {
    std::int64_t total = 0;
    for (const LayerSummary& layer : layers) {
        if (layer.multiply_adds == kUnknown) return 0;
        total += layer.multiply_adds;
    }
    return total;
}

}  // namespace

std::string describe(const PortType& type) {
    if (type.kind == PortKind::Metrics) return "metrics";
    if (type.kind != PortKind::Array) return fmt::format("a {}", name_of(type.kind));
    return fmt::format("{} {}", type.dtype ? name_of(*type.dtype) : "?", type.shape ? known_text(*type.shape) : "[?]");
}

std::uint64_t expected_bytes(const PortType& type) {
    if (type.kind == PortKind::Model && type.network && type.net_input) {
        Diagnostics told_elsewhere;
        std::int64_t weights = 0;
        for (const LayerSummary& layer : summarise(*type.network, *type.net_input, told_elsewhere)) {
            weights += std::max<std::int64_t>(0, layer.trainable) + std::max<std::int64_t>(0, layer.non_trainable);
        }
        return static_cast<std::uint64_t>(weights) * size_of(DType::Float32);
    }
    if (!type.shape || !type.dtype || std::ranges::find(*type.shape, kUnknown) != type.shape->end()) return 0;
    return static_cast<std::uint64_t>(element_count(*type.shape)) * size_of(*type.dtype);
}

bool could_equal(const Shape& a, const Shape& b) {
    return std::ranges::equal(a, b, [](std::int64_t x, std::int64_t y) { return x == y || x == kUnknown || y == kUnknown; });
}

StageRules parse_rules(const CatalogEntry& stage) {
    const auto parsed = [&](const PortDescription& port) {
        auto rule = parse_shape_rule(port.shape);
        if (!rule) {
            throw Error(ExitCode::Store,
                        fmt::format("the manifest of {}: port '{}' of stage '{}' has the shape '{}', which is no rule",
                                    stage.library.string(), port.name, stage.description.kind, printable(port.shape)));
        }
        return std::move(*rule);
    };
    StageRules rules;
    for (const PortDescription& port : stage.description.inputs) rules.inputs.push_back(parsed(port));
    for (const PortDescription& port : stage.description.outputs) rules.outputs.push_back(parsed(port));
    return rules;
}

NodeTyper::NodeTyper(const Dag& dag, const std::vector<NodeTypes>& types, NodeId node, const StageRules& rules,
                     Diagnostics& diagnostics)
    : dag_(dag), node_(dag.nodes[node]), stage_(node_.stage->description), rules_(rules), diagnostics_(diagnostics) {
    arrivals_.reserve(node_.inputs.size());
    for (const Input& input : node_.inputs) {
        const PortDescription* port = stage_.input(input.port);
        SATDL_CHECK(port != nullptr, fmt::format("{} has no input '{}'", node_.name, input.port));
        const auto type = types[input.from].find(input.from_port);
        const auto position = static_cast<std::size_t>(port - stage_.inputs.data());
        arrivals_.push_back(
            {port, &rules_.inputs[position], &input, type == types[input.from].end() ? nullptr : &type->second});
    }
}

NodeTypes NodeTyper::infer() {
    for (Arrival& arrival : arrivals_) check_kind_and_dtype(arrival);
    for (Arrival& arrival : arrivals_) check_pattern(arrival);
    for (Arrival& arrival : arrivals_) check_expected(arrival);
    NodeTypes types;
    for (std::size_t i = 0; i < stage_.outputs.size(); ++i)
        types.emplace(stage_.outputs[i].name, output(stage_.outputs[i], rules_.outputs[i]));
    for (const PortDescription& port : stage_.outputs)
        if (port.metrics) types.at(port.name).metrics = metrics_of(*port.metrics, types);
    for (const ParamDescription& param : stage_.params)
        for (const std::string& port : param.metric_of) check_metric(param, port, types);
    return types;
}

std::optional<std::int64_t> NodeTyper::applied_cost() {
    for (const auto* rules : {&rules_.outputs, &rules_.inputs}) {
        for (const ShapeRule& rule : *rules) {
            if (rule.kind == ShapeRule::Kind::Network) return total_cost(apply(rule.net, rule.input));
        }
    }
    return std::nullopt;
}

// ---- what arrives ----

void NodeTyper::misfit(Arrival& arrival, const std::string& wanted) {
    diagnostics_.add(arrival.input->place, fmt::format("{} wants {}, {} is {}", here(arrival), wanted, source(arrival),
                                                       describe(*arrival.type)));
    arrival.type = nullptr;  // told once
}

void NodeTyper::check_kind_and_dtype(Arrival& arrival) {
    if (arrival.type == nullptr) return;
    const PortDescription& port = *arrival.port;
    if (arrival.type->kind != port.kind) {
        const std::string wanted =
            port.kind == PortKind::Array ? wanted_text(port, *arrival.rule) : describe(PortType{.kind = port.kind});
        misfit(arrival, wanted.empty() ? "an array" : wanted);
    } else if (port.kind == PortKind::Array && !port.dtypes.empty() && arrival.type->dtype &&
               std::ranges::find(port.dtypes, *arrival.type->dtype) == port.dtypes.end()) {
        misfit(arrival, wanted_text(port, *arrival.rule));
    }
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
        misfit(arrival, wanted_text(*arrival.port, rule));
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
                         fmt::format("{} has samples of shape {}, {} of shape {}", here(arrival), known_text(shape),
                                     here(*known->by), known_text(known->shape)),
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

// ---- what leaves ----

PortType NodeTyper::output(const PortDescription& port, const ShapeRule& rule) {
    PortType type{.kind = port.kind};
    if (port.kind == PortKind::Array) {
        if (!port.dtypes.empty()) type.dtype = port.dtypes.front();
        const Arrival* like = port.dtype_of.empty() ? nullptr : arrival(port.dtype_of);
        if (like != nullptr && like->type != nullptr) type.dtype = like->type->dtype;
        type.shape = shape_of(rule);
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

std::optional<Shape> NodeTyper::dataset_shape(const ShapeRule& rule) {
    const auto is_role = [&](const SourceFile& file) { return file.role == rule.role && !file.dataset.empty(); };
    const auto file = std::ranges::find_if(node_.files, is_role);
    if (file == node_.files.end()) {
        const Place& place = node_.params.value("dataset").place();
        diagnostics_.add(place ? place : node_.place, fmt::format("dataset '{}' has no {} for stage '{}'",
                                                                  node_.params.text("dataset"), rule.role, node_.name));
        return std::nullopt;
    }
    Shape shape = file->shape;
    if (!shape.empty() && node_.params.given("limit"))
        shape.front() = std::min(shape.front(), node_.params.integer("limit"));
    return shape;
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

}  // namespace satdl
