// What one node gives for what it takes: the rules of its description against the types that arrive at its inputs. The
// loop over the DAG is in shapes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/dag.h"
#include "pipeline/metric_names.h"
#include "pipeline/stage_rules.h"

namespace satdl {

// -1: an extent that only running can tell.
struct PortType {
    PortKind kind = PortKind::Array;
    std::optional<DType> dtype{};
    std::optional<Shape> shape{};
    std::optional<Network> network{};  // of a Model
    std::optional<Shape> net_input{};  // of a Model: a sample's shape
    // Of Metrics and History: the names of the metrics, where the description tells them.
    std::optional<std::vector<std::string>> metrics{};
};

using NodeTypes = std::map<std::string, PortType>;  // by output port

// "float32 [60000, 1, 28, 28]"; '?' for what is not known.
[[nodiscard]] std::string describe(const PortType& type);
// What it takes in memory and on the disk; 0 where only running can tell.
[[nodiscard]] std::uint64_t expected_bytes(const PortType& type);
// Whether one could be the other: unknown extents and unknown shapes fit everything.
[[nodiscard]] bool could_equal(const Shape& a, const Shape& b);

// The shape rules of a description, by position of the port.
struct StageRules {
    std::vector<ShapeRule> inputs;
    std::vector<ShapeRule> outputs;
};
// Throws Error{Store} where the manifest holds a rule that is none.
[[nodiscard]] StageRules parse_rules(const CatalogEntry& stage);

class NodeTyper {
public:
    // `types` holds those of all nodes before `node`. Everything must outlive this.
    NodeTyper(const Dag& dag, const std::vector<NodeTypes>& types, NodeId node, const StageRules& rules,
              Diagnostics& diagnostics);

    // Checks what arrives and infers what leaves.
    [[nodiscard]] NodeTypes infer();
    // Forward multiply-adds of a sample through the network that this node applies; nothing where no port has the shape of a
    // network's output.
    [[nodiscard]] std::optional<std::int64_t> applied_cost();

private:
    struct Arrival {
        const PortDescription* port;
        const ShapeRule* rule;
        const Input* input;
        const PortType* type;  // nullptr: unknown, or already told not to fit
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
        std::vector<LayerSummary> layers;  // empty: not known, or told not to fit
    };

    void check_kind_and_dtype(Arrival& arrival);
    void check_pattern(Arrival& arrival);
    void bind(const Arrival& arrival, const std::string& name, std::int64_t extent, bool rows);
    void bind_rest(const Arrival& arrival, const std::string& name, Shape shape);
    void check_expected(Arrival& arrival);
    void misfit(Arrival& arrival, const std::string& wanted);

    [[nodiscard]] PortType output(const PortDescription& port, const ShapeRule& rule);
    [[nodiscard]] std::optional<Shape> shape_of(const ShapeRule& rule);
    [[nodiscard]] std::optional<Shape> pattern_shape(const ShapeRule& rule) const;
    [[nodiscard]] std::optional<Shape> dataset_shape(const ShapeRule& rule);
    [[nodiscard]] std::optional<Shape> network_shape(const ShapeRule& rule);
    void infer_model(const PortDescription::ModelRule& rule, PortType& type);
    [[nodiscard]] bool base_reads(const Network& base, const Arrival& from, const Arrival& input);
    [[nodiscard]] const std::vector<LayerSummary>& apply(const std::string& net, const std::string& input);
    // The layer that parameter `param` names, "" for the last; nothing where the network has none of that name (told).
    [[nodiscard]] std::optional<std::string> chosen_layer(const std::string& param, const std::vector<std::string>& names,
                                                          const std::string& whose);

    [[nodiscard]] std::optional<std::vector<std::string>> metrics_of(const PortDescription::MetricsRule& rule,
                                                                     const NodeTypes& outputs) const;
    [[nodiscard]] std::optional<LossFacts> loss_facts(const PortDescription::MetricsRule& rule,
                                                      const NodeTypes& outputs) const;
    void check_metric(const ParamDescription& param, const std::string& port, const NodeTypes& outputs);

    [[nodiscard]] const Arrival* arrival(std::string_view port) const;
    [[nodiscard]] std::optional<Shape> sample(std::string_view port) const;
    [[nodiscard]] std::string here(const Arrival& arrival) const;    // "m1.x"
    [[nodiscard]] std::string source(const Arrival& arrival) const;  // "noisy@train.images"

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

}  // namespace satdl
