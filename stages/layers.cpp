#include "stages/layers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "pipeline/core/error.h"
#include "pipeline/network/network_summary.h"
#include "stages/tensor.h"

namespace satdl::stages {
namespace {

template <typename... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};

// As a convolution or dense layer reads it: differentiable, so that gradients of weights are float32 again.
at::Tensor read_as(Precision precision, const at::Tensor& tensor) {
    return precision == Precision::Bf16 ? tensor.to(at::kBFloat16) : tensor;
}

at::Tensor optional_bias(std::span<at::Tensor> tensors, Precision precision) {
    return tensors.size() > 1 ? read_as(precision, tensors[1]) : at::Tensor();
}

// With the zeros that conv2d cannot put on one side alone, and the others.
struct PaddedInput {
    at::Tensor x;
    std::array<std::int64_t, 2> padding;
};

PaddedInput padded(const Conv& conv, const at::Tensor& x) {
    const auto rows = zeros_around(x.size(2), conv);
    const auto columns = zeros_around(x.size(3), conv);
    if (rows[0] == rows[1] && columns[0] == columns[1]) return {x, {rows[0], columns[0]}};
    return {at::constant_pad_nd(x, {columns[0], columns[1], rows[0], rows[1]}, 0), {0, 0}};
}

at::Tensor convolve(const Conv& conv, const at::Tensor& given, std::span<at::Tensor> tensors, const LayerPass& pass) {
    const auto [x, padding] = padded(conv, read_as(pass.precision, given));
    const at::Tensor bias = optional_bias(tensors, pass.precision);
    if (has_kernels(x, pass)) return convolution({conv.stride, padding, false, pass.convolution}, x, tensors[0], bias);
    return at::conv2d(x, read_as(pass.precision, tensors[0]), bias, conv.stride, padding);
}

at::Tensor dense(const at::Tensor& x, std::span<at::Tensor> tensors, Precision precision) {
    return at::linear(read_as(precision, x), read_as(precision, tensors[0]), optional_bias(tensors, precision));
}

// tensors: scale, offset, moving mean, moving variance. The moving variance follows the batch's biased variance, as in
// Keras 3; LibTorch's own update takes the unbiased one, so it is not used.
at::Tensor batch_norm(const BatchNorm& norm, const at::Tensor& x, std::span<at::Tensor> tensors, const LayerPass& pass) {
    if (has_kernels(x, pass) && pass.training) return batch_norm_of_batch(norm, x, tensors);
    if (has_kernels(x, pass) && !(at::GradMode::is_enabled() && x.requires_grad())) return batch_norm_of_moving(norm, x, tensors);
    if (!pass.training) {
        return std::get<0>(
            at::native_batch_norm(x, tensors[0], tensors[1], tensors[2], tensors[3], false, 0.0, norm.epsilon));
    }
    auto [y, mean, inverse_deviation] = at::native_batch_norm(x, tensors[0], tensors[1], {}, {}, true, 0.0, norm.epsilon);
    const at::NoGradGuard no_grad;
    const at::Tensor variance = inverse_deviation.pow(-2).sub_(norm.epsilon).clamp_min_(0);
    tensors[2].mul_(norm.momentum).add_(mean, 1 - norm.momentum);
    tensors[3].mul_(norm.momentum).add_(variance, 1 - norm.momentum);
    return y;
}

// tensors: scale, offset. With the channels last each pixel's are one row. In float32 at least: bfloat16 would round the statistics.
at::Tensor layer_norm(const LayerNorm& norm, const at::Tensor& x, std::span<at::Tensor> tensors) {
    const at::Tensor rows = x.to(tensors[0].scalar_type()).movedim(1, -1);
    const at::Tensor y = at::layer_norm(rows, {x.size(1)}, tensors[0], tensors[1], norm.epsilon);
    return y.movedim(-1, 1).to(x.scalar_type());
}

// An element stays where its word of the stream is at least `rate` of 2^32. The words go along the mask's memory, and so along the
// channels first. The product is rounded once, to what x is: a mask of bfloat16 would hold a rounded 1 / (1 - rate).
at::Tensor drop_out(const Dropout& dropout, const at::Tensor& x, const LayerPass& pass) {
    if (!pass.training || dropout.rate == 0) return x;
    const auto layout = x.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    const at::Tensor mask = at::empty(x.sizes(), at::TensorOptions(at::kFloat).memory_format(layout));
    const auto dropped = static_cast<std::uint32_t>(std::llround(dropout.rate * 0x1p32));
    const auto factor = static_cast<float>(1 / (1 - dropout.rate));
    constexpr std::int64_t kChunk = 1 << 14;  // a multiple of 4, as words come
    kernel_ranges(mask.numel(), kChunk, [&](std::int64_t first, std::int64_t last) {
        std::vector<std::uint32_t> words(static_cast<std::size_t>(last - first));
        pass.dropout.fill_words(static_cast<std::uint64_t>(first), words);
        std::ranges::transform(words, mask.data_ptr<float>() + first, [=](std::uint32_t word) { return word < dropped ? 0.0f : factor; });
    });
    return (x * mask.to(x.device())).to(x.scalar_type());
}

at::Tensor pool(const Pool& spec, const at::Tensor& x) {
    if (spec.kind == PoolKind::Max) return at::max_pool2d(x, spec.size, spec.stride);
    return at::avg_pool2d(x, spec.size, spec.stride);
}

// Whether each sample is mirrored is a number of the stream: of sample i 2i for left and right, 2i + 1 for top and bottom.
at::Tensor flip_at_random(const RandomFlip& flip, at::Tensor x, const LayerPass& pass) {
    if (!pass.training) return x;
    const auto mirror = [&](std::int64_t dimension, std::uint64_t offset) {
        const at::Tensor mirrored = at::empty({x.size(0), 1, 1, 1}, at::kBool);
        for (std::int64_t i = 0; i < x.size(0); ++i)
            mirrored.data_ptr<bool>()[i] = pass.augmentation.uniform(2 * static_cast<std::uint64_t>(i) + offset) < 0.5;
        x = at::where(mirrored.to(x.device()), x.flip(dimension), x);
    };
    if (flip.mode != FlipMode::Vertical) mirror(3, 0);
    if (flip.mode != FlipMode::Horizontal) mirror(2, 1);
    return x;
}

// Where each sample is cut out: of sample i the numbers 2i (rows) and 2i + 1 (columns) of the stream.
at::Tensor crop_at_random(const RandomCrop& crop, const at::Tensor& x, const LayerPass& pass) {
    if (!pass.training) return x;
    const std::int64_t padding = crop.padding;
    const at::Tensor padded = at::constant_pad_nd(x, {padding, padding, padding, padding}, 0);
    std::vector<at::Tensor> cut;
    for (std::int64_t i = 0; i < x.size(0); ++i) {
        const auto start = [&](std::int64_t offset) {
            const double uniform = pass.augmentation.uniform(static_cast<std::uint64_t>(2 * i + offset));
            return static_cast<std::int64_t>(uniform * static_cast<double>(2 * padding + 1));
        };
        cut.push_back(padded[i].narrow(1, start(0), x.size(2)).narrow(2, start(1), x.size(3)));
    }
    return at::stack(cut).contiguous(x.suggest_memory_format());
}

at::Tensor upsample(const Upsample& spec, const at::Tensor& x) {
    return at::upsample_nearest2d(x, {x.size(2) * spec.factor, x.size(3) * spec.factor});
}

}  // namespace

at::Tensor apply(const LayerSpec& spec, const at::Tensor& x, std::span<at::Tensor> tensors, const LayerPass& pass) {
    return std::visit(Overloaded{[&](const Conv& conv) { return convolve(conv, x, tensors, pass); },
                                 [&](const Dense&) { return dense(x, tensors, pass.precision); },
                                 [&](const BatchNorm& norm) { return batch_norm(norm, x, tensors, pass); },
                                 [&](const LayerNorm& norm) { return layer_norm(norm, x, tensors); },
                                 [&](const Pool& layer) { return pool(layer, x); },
                                 [&](const GlobalAveragePool&) { return x.mean({2, 3}); },
                                 [&](const RandomFlip& flip) { return flip_at_random(flip, x, pass); },
                                 [&](const RandomCrop& crop) { return crop_at_random(crop, x, pass); },
                                 [&](const Upsample& layer) { return upsample(layer, x); },
                                 [&](const Flatten&) { return x.flatten(1); },
                                 [&](const Unflatten& layer) {
                                     return x.reshape({x.size(0), layer.channels, layer.height, layer.width});
                                 },
                                 [&](const Dropout& dropout) { return drop_out(dropout, x, pass); },
                                 [&](const Activate&) { return x; }},
                      spec);
}

bool has_kernels(const at::Tensor& x, const LayerPass& pass) { return pass.precision == Precision::Fp32 && is_float_on_cpu(x); }

at::Tensor apply_fused(const Conv& conv, const at::Tensor& given, std::span<at::Tensor> tensors, const BatchNorm* norm,
                       std::span<at::Tensor> norm_tensors, const LayerPass& pass) {
    const auto [x, padding] = padded(conv, given);
    const ConvolutionOptions options{conv.stride, padding, conv.activation == Activation::Relu, pass.convolution};
    const at::Tensor bias = optional_bias(tensors, pass.precision);
    if (norm == nullptr) return convolution(options, x, tensors[0], bias);
    return convolution_batch_norm(options, x, tensors[0], bias, *norm, norm_tensors);
}

ActivationSpec activation_of(const LayerSpec& spec) {
    return std::visit(Overloaded{[](const Conv& conv) { return ActivationSpec{conv.activation}; },
                                 [](const Dense& dense) { return ActivationSpec{dense.activation}; },
                                 [](const Activate& layer) {
                                     return ActivationSpec{layer.activation, layer.negative_slope};
                                 },
                                 [](const auto&) { return ActivationSpec{}; }},
                      spec);
}

at::Tensor activate(const ActivationSpec& activation, at::Tensor x, bool fresh) {
    switch (activation.kind) {
        case Activation::None: break;
        case Activation::Relu: return fresh ? x.relu_() : x.relu();
        case Activation::LeakyRelu:
            return fresh ? at::leaky_relu_(x, activation.negative_slope) : at::leaky_relu(x, activation.negative_slope);
        case Activation::Gelu: return at::gelu(x);
        case Activation::Sigmoid: return fresh ? x.sigmoid_() : x.sigmoid();
        case Activation::Tanh: return fresh ? x.tanh_() : x.tanh();
        case Activation::Softmax: return x.softmax(1);
    }
    return x;
}

}  // namespace satdl::stages
