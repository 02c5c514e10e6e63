#include "commands/inspect/keras_weights.h"

#include <fmt/format.h>

#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/core/error.h"
#include "pipeline/network/layer_tensors.h"
#include "pipeline/network/network_summary.h"

namespace satdl {
namespace {

// Of each feature in Keras' order: its position in satdl's.
using Order = std::vector<std::int64_t>;

Order same_order(std::int64_t features) {
    Order order(static_cast<std::size_t>(features));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    return order;
}

// Pixels by row, column, channel; satdl has them by channel, row, column.
Order pixels_in_keras_order(std::int64_t channels, std::int64_t height, std::int64_t width) {
    Order order;
    for (std::int64_t pixel = 0; pixel < height * width; ++pixel)
        for (std::int64_t channel = 0; channel < channels; ++channel) order.push_back(channel * height * width + pixel);
    return order;
}

std::string_view keras_name(TensorRole role) {
    switch (role) {
        case TensorRole::Kernel: return "kernel";
        case TensorRole::Bias: return "bias";
        case TensorRole::Scale: return "gamma";
        case TensorRole::Offset: return "beta";
        case TensorRole::MovingMean: return "moving_mean";
        case TensorRole::MovingVariance: return "moving_variance";
    }
    return "";
}

Array reordered(const Array& vector, const Order& order) {
    const auto from = vector.values<float>();
    std::vector<float> to;
    for (const std::int64_t position : order) to.push_back(from[static_cast<std::size_t>(position)]);
    return Array::of<float>(vector.shape(), to);
}

// [outputs, inputs] as [inputs, outputs], both in Keras' order.
Array dense_kernel(const Array& kernel, const Order& inputs, const Order& outputs) {
    const auto from = kernel.values<float>();
    const auto columns = static_cast<std::int64_t>(inputs.size());
    std::vector<float> to;
    to.reserve(from.size());
    for (const std::int64_t input : inputs)
        for (const std::int64_t output : outputs) to.push_back(from[static_cast<std::size_t>(output * columns + input)]);
    return Array::of<float>({columns, static_cast<std::int64_t>(outputs.size())}, to);
}

// [filters, channels, height, width] as [height, width, channels, filters].
Array conv_kernel(const Array& kernel) {
    const Shape& shape = kernel.shape();
    const std::int64_t pixels = shape[2] * shape[3];
    const auto from = kernel.values<float>();
    std::vector<float> to;
    to.reserve(from.size());
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
        for (std::int64_t channel = 0; channel < shape[1]; ++channel)
            for (std::int64_t filter = 0; filter < shape[0]; ++filter)
                to.push_back(from[static_cast<std::size_t>((filter * shape[1] + channel) * pixels + pixel)]);
    return Array::of<float>({shape[2], shape[3], shape[1], shape[0]}, to);
}

class Converter {
public:
    Converter(const Architecture& architecture, const NamedArrays& weights)
        : layers_(architecture.network.layers), weights_(weights), shape_(architecture.input) {
        Diagnostics misfit;
        summaries_ = summarise(architecture.network, architecture.input, misfit);
        misfit.throw_if_any();
        if (shape_.size() == 1) order_ = same_order(shape_[0]);
    }

    [[nodiscard]] NamedArrays convert() {
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            if (std::holds_alternative<Dense>(layers_[i].spec)) add_dense(i);
            else add_others(i);
            shape_ = summaries_[i].output;
        }
        return std::move(converted_);
    }

private:
    [[nodiscard]] const Array& weight(const TensorSpec& spec) const {
        const auto found = weights_.find(spec.name);
        if (found == weights_.end()) throw Error(ExitCode::Usage, fmt::format("the model has no tensor '{}'", printable(spec.name)));
        return found->second;
    }
    void keep(std::size_t layer, const TensorSpec& spec, Array array) {
        converted_.emplace(fmt::format("{}/{}", layers_[layer].name, keras_name(spec.role)), std::move(array));
    }

    void add_dense(std::size_t layer) {
        const Order outputs = order_after(layer);
        for (const TensorSpec& spec : tensors_of(layers_[layer], shape_))
            keep(layer, spec,
                 spec.role == TensorRole::Kernel ? dense_kernel(weight(spec), order_, outputs) : reordered(weight(spec), outputs));
        order_ = outputs;
    }

    // In which order a dense layer gives its outputs: as the `unflatten` before the next dense layer takes them, if there is one.
    [[nodiscard]] Order order_after(std::size_t dense) const {
        for (std::size_t i = dense + 1; i < layers_.size() && !std::holds_alternative<Dense>(layers_[i].spec); ++i)
            if (const auto* unflatten = std::get_if<Unflatten>(&layers_[i].spec))
                return pixels_in_keras_order(unflatten->channels, unflatten->height, unflatten->width);
        return same_order(summaries_[dense].output[0]);
    }

    void add_others(std::size_t layer) {
        const LayerSpec& layer_spec = layers_[layer].spec;
        if (std::holds_alternative<Flatten>(layer_spec) && shape_.size() == 3)
            order_ = pixels_in_keras_order(shape_[0], shape_[1], shape_[2]);
        if (const auto* unflatten = std::get_if<Unflatten>(&layer_spec)) check_order(*unflatten);
        for (const TensorSpec& spec : tensors_of(layers_[layer], shape_)) {
            if (std::holds_alternative<Conv>(layer_spec))
                keep(layer, spec, spec.role == TensorRole::Kernel ? conv_kernel(weight(spec)) : weight(spec));
            else
                keep(layer, spec, shape_.size() == 1 ? reordered(weight(spec), order_) : weight(spec));
        }
        const Shape& output = summaries_[layer].output;
        if (output.size() == 1 && shape_.size() == 3 && !std::holds_alternative<Flatten>(layer_spec)) order_ = same_order(output[0]);
    }

    void check_order(const Unflatten& unflatten) const {
        if (order_ == pixels_in_keras_order(unflatten.channels, unflatten.height, unflatten.width)) return;
        throw Error(ExitCode::Usage, "Keras has pixels in another order than this network's samples, which it unflattens as they are",
                    "leave --names keras out, and permute the samples in Keras");
    }

    const std::vector<Layer>& layers_;
    const NamedArrays& weights_;
    std::vector<LayerSummary> summaries_;
    Shape shape_;  // of a sample, before the layer
    Order order_;  // of a sample's features, if it is a vector
    NamedArrays converted_;
};

}  // namespace

NamedArrays keras_weights(const Architecture& architecture, const NamedArrays& weights) { return Converter(architecture, weights).convert(); }

}  // namespace satdl
