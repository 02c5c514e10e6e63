// The engine relies on the form of an outcome only after this check, and a stage on that of its inputs: one that reads float64 as float32
// would abort and take all others along, and one that broadcasts would return a wrong result.
#include "pipeline/dag/outcome_check.h"

#include <fmt/format.h>

#include <utility>

#include "pipeline/dag/type_inference.h"
#include "pipeline/network/architecture.h"

namespace satdl {
namespace {

using Words = std::optional<std::string>;

PortType type_of(const Array& array) { return {.dtype = array.dtype(), .shape = array.shape()}; }

Words in_array(const PortDescription& port, const PortType* expected, const NamedArrays& group) {
    const Array& array = group.begin()->second;
    PortType wanted = expected != nullptr ? *expected : PortType{};
    if (!port.dtypes.empty()) wanted.dtype = port.dtypes.front();
    const bool fits =
        (!wanted.dtype || *wanted.dtype == array.dtype()) && (!wanted.shape || could_equal(*wanted.shape, array.shape()));
    if (fits) return std::nullopt;
    return fmt::format("output '{}' is {}, but should be {}", port.name, describe(type_of(array)), describe(wanted));
}

Words in_model(const PortDescription& port, const NamedArrays& group) {
    const auto architecture = group.find(kArchitecture);
    if (architecture == group.end() || architecture->second.dtype() != DType::UInt8)
        return fmt::format("output '{}' is a model without its architecture (uint8 JSON)", port.name);
    return std::nullopt;
}

// Columns of numbers: one row for metrics, equally many for all columns of a history.
Words in_numbers(const PortDescription& port, const NamedArrays& group) {
    const Shape rows = port.kind == PortKind::Metrics || group.empty() ? Shape{1} : group.begin()->second.shape();
    for (const auto& [name, array] : group) {
        if (array.dtype() != DType::Float64 || array.shape() != rows || rows.size() != 1)
            return fmt::format("'{}' of output '{}' is {}, but a {} must be float64 {}", name, port.name, describe(type_of(array)),
                               port.kind == PortKind::Metrics ? "metric" : "history's column",
                               rows.size() == 1 ? shape_text(rows) : "[epochs]");
        }
    return std::nullopt;
}

Words in_files(const PortDescription& port, const NamedArrays& group) {
    if (port.kind == PortKind::File && group.size() != 1)
        return fmt::format("output '{}' is {} files, but should be one", port.name, group.size());
    for (const auto& [name, array] : group) {
        if (!name.starts_with(kPlainFiles) && !name.starts_with(kExecutableFiles))
            return fmt::format("'{}' of output '{}' is not below {} or {}", name, port.name, kPlainFiles, kExecutableFiles);
        if (array.dtype() != DType::UInt8 || array.shape().size() != 1)
            return fmt::format("'{}' of output '{}' is {}, but a file must be uint8 [bytes]", name, port.name, describe(type_of(array)));
    }
    return std::nullopt;
}

// A model in a form of its author's own is left to the stage that reads it.
PortType type_of_model(const NamedArrays& group) {
    PortType type{.kind = PortKind::Model};
    const auto text = group.find(kArchitecture);
    if (text == group.end() || text->second.dtype() != DType::UInt8) return type;
    const std::span<const std::byte> bytes = text->second.bytes();
    Diagnostics found;
    auto architecture = parse_architecture({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, found);
    if (!architecture || !found.empty()) return type;
    auto layers = summarise(architecture->network, architecture->input, found);
    if (!found.empty()) return type;
    type.network = std::make_shared<const Network>(std::move(architecture->network));
    type.net_input = std::move(architecture->input);
    type.layers = std::move(layers);
    return type;
}

PortType type_of(PortKind kind, const NamedArrays& group) {
    if (kind == PortKind::Array) return type_of(group.at(""));
    if (kind == PortKind::Model) return type_of_model(group);
    if (kind != PortKind::Metrics && kind != PortKind::History) return {.kind = kind};
    std::vector<std::string> names;
    for (const auto& [name, array] : group) names.push_back(name);
    return {.kind = kind, .metrics = std::move(names)};
}

}  // namespace

NodeTypes check_inputs(const Dag& dag, NodeId node, const StageInputs& inputs) {
    std::map<std::string, PortType> arriving;
    for (const auto& [port, group] : inputs)
        arriving.emplace(port, type_of(dag.nodes[node].stage->description.input(port)->kind, group));
    Diagnostics found;
    NodeTypes types = infer_types(dag, node, arriving, found);
    found.throw_if_any();
    return types;
}

std::optional<std::string> contradiction(const StageDescription& description, const NodeTypes& expected,
                                         const StageOutput& outcome) {
    for (const auto& [name, group] : outcome.outputs) {
        if (description.output(name) == nullptr) return fmt::format("output '{}' was never declared", name);
    }
    for (const PortDescription& port : description.outputs) {
        const auto output = outcome.outputs.find(port.name);
        if (output == outcome.outputs.end()) {
            if (port.optional) continue;
            return fmt::format("output '{}' is missing", port.name);
        }
        if (auto fault = fault_of_names(port.name, port.kind, output->second)) return fault;
        Words words;
        switch (port.kind) {
            case PortKind::Array: words = in_array(port, expected.find(port.name), output->second); break;
            case PortKind::Model: words = in_model(port, output->second); break;
            case PortKind::Metrics:
            case PortKind::History: words = in_numbers(port, output->second); break;
            case PortKind::Arrays: break;
            case PortKind::File:
            case PortKind::Folder: words = in_files(port, output->second); break;
        }
        if (words) return words;
    }
    return std::nullopt;
}

}  // namespace satdl
