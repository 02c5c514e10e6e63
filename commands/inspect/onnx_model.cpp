#include "commands/inspect/onnx_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/core/protobuf_writer.h"
#include "pipeline/network/network_summary.h"

namespace satdl {

namespace {

constexpr std::int64_t kIrVersion = 8, kOpset = 17;  // both of ONNX 1.12
constexpr std::int64_t kMaxBytes = (std::int64_t{1} << 31) - 1;

// Numbers of fields and of enumerations, as onnx.proto has them.
namespace field {
constexpr int kModelIrVersion = 1, kModelProducer = 2, kModelProducerVersion = 3, kModelGraph = 7, kModelOpset = 8,
              kModelMetadata = 14;
constexpr int kOpsetVersion = 2;
constexpr int kEntryKey = 1, kEntryValue = 2;
constexpr int kGraphNode = 1, kGraphName = 2, kGraphInitializer = 5, kGraphInput = 11, kGraphOutput = 12;
constexpr int kNodeInput = 1, kNodeOutput = 2, kNodeName = 3, kNodeOperator = 4, kNodeAttribute = 5;
constexpr int kAttributeName = 1, kAttributeFloat = 2, kAttributeInteger = 3, kAttributeText = 4, kAttributeIntegers = 8,
              kAttributeType = 20;
constexpr int kTensorExtents = 1, kTensorType = 2, kTensorName = 8, kTensorBytes = 9;
constexpr int kValueName = 1, kValueType = 2;
constexpr int kTypeTensor = 1, kTensorTypeElement = 1, kTensorTypeShape = 2;
constexpr int kShapeExtent = 1, kExtentValue = 1, kExtentName = 2;
}  // namespace field
constexpr std::int64_t kFloatAttribute = 1, kIntegerAttribute = 2, kTextAttribute = 3, kIntegersAttribute = 7;

std::int64_t element_type(DType dtype) {
    switch (dtype) {
        case DType::Float32:
            return 1;
        case DType::UInt8:
            return 2;
        case DType::Int32:
            return 6;
        case DType::Int64:
            return 7;
        case DType::Float64:
            break;
    }
    return 11;
}

class Attributes {
public:
    Attributes& number(std::string_view name, double value) {
        return add(name, kFloatAttribute,
                   [&](ProtobufWriter& one) { one.number(field::kAttributeFloat, static_cast<float>(value)); });
    }
    Attributes& integer(std::string_view name, std::int64_t value) {
        return add(name, kIntegerAttribute, [&](ProtobufWriter& one) { one.integer(field::kAttributeInteger, value); });
    }
    Attributes& text(std::string_view name, std::string_view value) {
        return add(name, kTextAttribute, [&](ProtobufWriter& one) { one.bytes(field::kAttributeText, value); });
    }
    Attributes& integers(std::string_view name, const std::vector<std::int64_t>& values) {
        return add(name, kIntegersAttribute, [&](ProtobufWriter& one) {
            for (const std::int64_t value : values) one.integer(field::kAttributeIntegers, value);
        });
    }
    [[nodiscard]] const std::vector<ProtobufWriter>& all() const { return all_; }

private:
    template <typename Write>
    Attributes& add(std::string_view name, std::int64_t type, Write write) {
        ProtobufWriter& one = all_.emplace_back();
        one.bytes(field::kAttributeName, name);
        write(one);
        one.integer(field::kAttributeType, type);
        return *this;
    }

    std::vector<ProtobufWriter> all_;
};

ProtobufWriter value_info(std::string_view name, const Shape& sample) {
    ProtobufWriter shape, samples;
    samples.bytes(field::kExtentName, "N");
    shape.message(field::kShapeExtent, samples);
    for (const std::int64_t value : sample) {
        ProtobufWriter extent;
        extent.integer(field::kExtentValue, value);
        shape.message(field::kShapeExtent, extent);
    }
    ProtobufWriter tensor, type, info;
    tensor.integer(field::kTensorTypeElement, element_type(DType::Float32));
    tensor.message(field::kTensorTypeShape, shape);
    type.message(field::kTypeTensor, tensor);
    info.bytes(field::kValueName, name);
    info.message(field::kValueType, type);
    return info;
}

class Graph {
public:
    Graph(const Architecture& architecture, const NamedArrays& weights) : architecture_(architecture), weights_(weights) {
        for (const auto& [name, array] : weights) (void)fresh(name);
        Diagnostics misfit;
        summaries_ = summarise(architecture.network, architecture.input, misfit);
        misfit.throw_if_any();
    }

    // The graph's message.
    [[nodiscard]] ProtobufWriter build() {
        value_ = fresh("input");
        output_ = fresh("output");
        const std::string input = value_;
        const Shape* shape = &architecture_.input;
        const auto& layers = architecture_.network.layers;
        const auto last =
            std::ranges::find_if(layers.rbegin(), layers.rend(), [](const Layer& layer) { return computes(layer.spec); });
        for (std::size_t i = 0; i < layers.size(); ++i) {
            is_last_ = last != layers.rend() && &layers[i] == &*last;
            layer_ = &layers[i];
            input_shape_ = shape;
            output_shape_ = &summaries_[i].output;
            std::visit([this](const auto& spec) { add(spec); }, layer_->spec);
            shape = output_shape_;
        }
        if (last == layers.rend()) node("Identity", {value_}, output_, "identity");
        graph_.bytes(field::kGraphName, "network");
        graph_.message(field::kGraphInput, value_info(input, architecture_.input));
        graph_.message(field::kGraphOutput, value_info(output_, *shape));
        return std::move(graph_);
    }

private:
    [[nodiscard]] static bool computes(const LayerSpec& spec) {
        return !std::holds_alternative<Dropout>(spec) && !std::holds_alternative<RandomFlip>(spec) &&
               !std::holds_alternative<RandomCrop>(spec);
    }

    // ---- layers ----

    void add(const Conv& conv) {
        const auto [top, bottom] = zeros_around((*input_shape_)[1], conv);
        const auto [left, right] = zeros_around((*input_shape_)[2], conv);
        step("Conv", with_tensors(conv.bias ? 2 : 1), conv.activation,
             Attributes()
                 .integers("kernel_shape", {conv.kernel, conv.kernel})
                 .integers("strides", {conv.stride, conv.stride})
                 .integers("pads", {top, left, bottom, right}));
    }
    void add(const Dense& dense) {
        step("Gemm", with_tensors(dense.bias ? 2 : 1), dense.activation, Attributes().integer("transB", 1));
    }
    void add(const BatchNorm& norm) {
        step("BatchNormalization", with_tensors(4), Activation::None,
             Attributes().number("epsilon", norm.epsilon).number("momentum", norm.momentum));
    }
    void add(const LayerNorm& norm) {
        const Attributes attributes = Attributes().integer("axis", -1).number("epsilon", norm.epsilon);
        if (input_shape_->size() == 1) return step("LayerNormalization", with_tensors(2), Activation::None, attributes);
        inner("Transpose", {value_}, "channels_last", Attributes().integers("perm", {0, 2, 3, 1}));
        inner("LayerNormalization", with_tensors(2), "normalised", attributes);
        step("Transpose", {value_}, Activation::None, Attributes().integers("perm", {0, 3, 1, 2}));
    }
    void add(const Pool& pool) {
        step(pool.kind == PoolKind::Max ? "MaxPool" : "AveragePool", {value_}, Activation::None,
             Attributes().integers("kernel_shape", {pool.size, pool.size}).integers("strides", {pool.stride, pool.stride}));
    }
    void add(const GlobalAveragePool&) {
        inner("GlobalAveragePool", {value_}, "mean", {});
        step("Flatten", {value_}, Activation::None, {});
    }
    void add(const Upsample& upsample) {
        const auto factor = static_cast<float>(upsample.factor);
        const std::string scales = constant("scales", Array::of<float>({4}, std::vector<float>{1, 1, factor, factor}));
        step("Resize", {value_, "", scales}, Activation::None,
             Attributes()
                 .text("mode", "nearest")
                 .text("coordinate_transformation_mode", "asymmetric")
                 .text("nearest_mode", "floor"));
    }
    void add(const Flatten&) { step("Flatten", {value_}, Activation::None, {}); }
    void add(const Unflatten& unflatten) {
        const std::vector<std::int64_t> extents{-1, unflatten.channels, unflatten.height, unflatten.width};
        step("Reshape", {value_, constant("shape", Array::of<std::int64_t>({4}, extents))}, Activation::None, {});
    }
    void add(const Activate& layer) { activate(layer.activation, layer.negative_slope, result()); }
    void add(const Dropout&) {}
    void add(const RandomFlip&) {}
    void add(const RandomCrop&) {}

    // ---- nodes ----

    // The layer's own node, and its activation after it.
    void step(std::string_view kind, const std::vector<std::string>& inputs, Activation activation,
              const Attributes& attributes) {
        if (activation == Activation::None) {
            value_ = node(kind, inputs, result(), layer_->name, attributes);
            return;
        }
        inner(kind, inputs, "linear", attributes);
        activate(activation, kLeakySlopeOfActivation, result());
    }

    void activate(Activation activation, double slope, const std::string& output) {
        const std::string name = fmt::format("{}/{}", layer_->name, name_of(activation));
        switch (activation) {
            case Activation::None:
                SATDL_CHECK(false, "a layer that activates nothing");
            case Activation::Relu:
                value_ = node("Relu", {value_}, output, name);
                return;
            case Activation::LeakyRelu:
                value_ = node("LeakyRelu", {value_}, output, name, Attributes().number("alpha", slope));
                return;
            case Activation::Sigmoid:
                value_ = node("Sigmoid", {value_}, output, name);
                return;
            case Activation::Tanh:
                value_ = node("Tanh", {value_}, output, name);
                return;
            case Activation::Softmax:
                value_ = node("Softmax", {value_}, output, name, Attributes().integer("axis", 1));
                return;
            case Activation::Gelu:
                break;  // an operator of its own from opset 20 on
        }
        const std::string x = value_;
        const auto number = [&](std::string_view what, double value) {
            return constant(what, Array::of<float>({}, std::vector<float>{static_cast<float>(value)}));
        };
        inner("Div", {x, number("sqrt_2", std::numbers::sqrt2)}, "scaled", {});
        inner("Erf", {value_}, "erf", {});
        inner("Add", {value_, number("one", 1)}, "erf_plus_one", {});
        inner("Mul", {x, value_}, "twice", {});
        value_ = node("Mul", {value_, number("half", 0.5)}, output, name);
    }

    // A node within a layer; its value is the next one's input.
    void inner(std::string_view kind, const std::vector<std::string>& inputs, std::string_view what,
               const Attributes& attributes) {
        const std::string name = fmt::format("{}/{}", layer_->name, what);
        value_ = node(kind, inputs, fresh(name), name, attributes);
    }

    std::string node(std::string_view kind, const std::vector<std::string>& inputs, std::string output,
                     std::string_view name, const Attributes& attributes = {}) {
        ProtobufWriter node;
        for (const std::string& input : inputs) node.bytes(field::kNodeInput, input);
        node.bytes(field::kNodeOutput, output);
        node.bytes(field::kNodeName, name);
        node.bytes(field::kNodeOperator, kind);
        for (const ProtobufWriter& attribute : attributes.all()) node.message(field::kNodeAttribute, attribute);
        graph_.message(field::kGraphNode, node);
        return output;
    }

    // The name of what the layer gives.
    [[nodiscard]] std::string result() { return is_last_ ? output_ : fresh(layer_->name); }

    // The value, then the layer's first `count` weights, in the order in which the operators take them.
    [[nodiscard]] std::vector<std::string> with_tensors(std::size_t count) {
        static constexpr std::string_view kNames[] = {"weight", "bias", "running_mean", "running_var"};
        std::vector<std::string> inputs{value_};
        for (const std::string_view part : std::span(kNames).first(count)) {
            const std::string name = fmt::format("{}.{}", layer_->name, part);
            const auto found = weights_.find(name);
            if (found == weights_.end())
                throw Error(ExitCode::Usage, fmt::format("the model has no tensor '{}'", printable(name)));
            initializer(name, found->second);
            inputs.push_back(name);
        }
        return inputs;
    }

    [[nodiscard]] std::string constant(std::string_view what, const Array& array) {
        std::string name = fresh(fmt::format("{}/{}", layer_->name, what));
        initializer(name, array);
        return name;
    }

    void initializer(std::string_view name, const Array& array) {
        const auto bytes = array.bytes();
        ProtobufWriter tensor;
        for (const std::int64_t extent : array.shape()) tensor.integer(field::kTensorExtents, extent);
        tensor.integer(field::kTensorType, element_type(array.dtype()));
        tensor.bytes(field::kTensorName, name);
        tensor.bytes(field::kTensorBytes, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        graph_.message(field::kGraphInitializer, tensor);
    }

    // The name, or one like it: each value of a graph has its own.
    [[nodiscard]] std::string fresh(std::string name) {
        while (!names_.insert(name).second) name += '_';
        return name;
    }

    const Architecture& architecture_;
    const NamedArrays& weights_;
    std::vector<LayerSummary> summaries_;
    ProtobufWriter graph_;
    std::set<std::string> names_;
    std::string value_, output_;  // what the layers so far give; the graph's output
    // Of the layer that is being added:
    const Layer* layer_ = nullptr;
    const Shape *input_shape_ = nullptr, *output_shape_ = nullptr;
    bool is_last_ = false;
};

}  // namespace

std::string onnx_model(const Architecture& architecture, const NamedArrays& weights) {
    std::int64_t bytes = 1 << 20;  // for everything else
    for (const auto& [name, array] : weights) bytes += static_cast<std::int64_t>(array.bytes().size());
    if (bytes > kMaxBytes)
        throw Error(ExitCode::Usage, "the model is too large for an ONNX file, which holds 2 GiB", "write .safetensors");
    ProtobufWriter opset, metadata, model;
    opset.integer(field::kOpsetVersion, kOpset);
    metadata.bytes(field::kEntryKey, kArchitecture);
    metadata.bytes(field::kEntryValue, to_text(architecture));
    model.integer(field::kModelIrVersion, kIrVersion);
    model.bytes(field::kModelProducer, "satdl");
    model.bytes(field::kModelProducerVersion, SATDL_VERSION);
    model.message(field::kModelGraph, Graph(architecture, weights).build());
    model.message(field::kModelOpset, opset);
    model.message(field::kModelMetadata, metadata);
    return model.text();
}

}  // namespace satdl
