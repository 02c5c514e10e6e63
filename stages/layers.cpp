#include "stages/layers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "pipeline/core/error.h"
#include "pipeline/network/network_summary.h"
#include "stages/device_random.h"
#include "stages/linear.h"
#include "stages/pooling.h"
#include "stages/sample_parts.h"
#include "stages/tensor.h"

namespace satdl::stages {
namespace {

template <typename... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};

// As a convolution or dense layer reads it: differentiable, so that gradients of weights are float32 again.
at::Tensor read_as(Precision precision, const at::Tensor& tensor) {
    return precision == Precision::Bf16 ? cast(tensor, at::kBFloat16) : tensor;
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
    const auto pad = [=](const at::Tensor& some, auto, auto) {
        return at::constant_pad_nd(some, {columns[0], columns[1], rows[0], rows[1]}, 0);
    };
    return {in_parts(x, {}, x.numel(), pad), {0, 0}};
}

at::Tensor convolve(const Conv& conv, const at::Tensor& given, std::span<at::Tensor> tensors, const LayerPass& pass) {
    const auto [x, padding] = padded(conv, read_as(pass.precision, given));
    const at::Tensor bias = optional_bias(tensors, pass.precision);
    if (has_kernels(x, pass)) return convolution({conv.stride, padding, false, pass.convolution}, x, tensors[0], bias);
    std::vector<at::Tensor> weights{read_as(pass.precision, tensors[0])};
    if (bias.defined()) weights.push_back(bias);
    const std::int64_t work = x.numel() * conv.filters * conv.kernel * conv.kernel / (conv.stride * conv.stride) / kMultiplyAddsOfWork;
    return in_parts(x, weights, work, [stride = conv.stride, around = padding](const at::Tensor& some, auto of, auto) {
        return at::conv2d(some, of[0], of.size() > 1 ? of[1] : at::Tensor(), stride, around);
    });
}

at::Tensor dense(const at::Tensor& x, std::span<at::Tensor> tensors, Precision precision) {
    return linear(read_as(precision, x), read_as(precision, tensors[0]), optional_bias(tensors, precision));
}

// tensors: scale, offset, moving mean, moving variance. The moving variance follows the batch's biased variance, as in
// Keras 3; LibTorch's own update takes the unbiased one, so it is not used.
at::Tensor batch_norm(const BatchNorm& norm, const at::Tensor& x, std::span<at::Tensor> tensors, const LayerPass& pass) {
    const bool own = is_float_on_cpu(x) || (x.is_cpu() && x.scalar_type() == at::kBFloat16);
    if (own && pass.training) return batch_norm_of_batch(norm, x, tensors);
    if (own && !(at::GradMode::is_enabled() && x.requires_grad())) return batch_norm_of_moving(norm, x, tensors);
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
    return in_parts(x, {tensors[0], tensors[1]}, 2 * x.numel(), [epsilon = norm.epsilon](const at::Tensor& some, auto of, auto) {
        const at::Tensor rows = some.to(of[0].scalar_type()).movedim(1, -1);
        const at::Tensor y = at::layer_norm(rows, {some.size(1)}, of[0], of[1], epsilon);
        return y.movedim(-1, 1).to(some.scalar_type());
    });
}

// An element stays where its word of the stream is at least `rate` of 2^32. The words go along the mask's memory, and so along the
// channels first. The product is rounded once, to what x is: a mask of bfloat16 would hold a rounded 1 / (1 - rate).
at::Tensor drop_out(const Dropout& dropout, const at::Tensor& x, const LayerPass& pass) {
    if (!pass.training || dropout.rate == 0) return x;
    const auto dropped = static_cast<std::uint32_t>(std::llround(dropout.rate * 0x1p32));
    const auto factor = static_cast<float>(1 / (1 - dropout.rate));
    if (!x.is_cpu()) {
        const at::Tensor stays = words_on(x.device(), pass.dropout, x.numel()).ge(static_cast<std::int64_t>(dropped)).to(at::kFloat);
        const at::Tensor mask = stays.mul_(factor).view(x.dim() == 4 ? Shape{x.size(0), x.size(2), x.size(3), x.size(1)} : x.sizes().vec());
        return (x * (x.dim() == 4 ? mask.permute({0, 3, 1, 2}) : mask)).to(x.scalar_type());
    }
    const auto layout = x.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    const at::Tensor mask = at::empty(x.sizes(), at::TensorOptions(at::kFloat).memory_format(layout));
    constexpr std::int64_t kChunk = 1 << 14;  // a multiple of 4, as words come
    kernel_ranges(mask.numel(), kChunk, [&](std::int64_t first, std::int64_t last) {
        std::vector<std::uint32_t> words(static_cast<std::size_t>(last - first));
        pass.dropout.fill_words(static_cast<std::uint64_t>(first), words);
        std::ranges::transform(words, mask.data_ptr<float>() + first, [=](std::uint32_t word) { return word < dropped ? 0.0f : factor; });
    });
    return in_parts(x, {}, 2 * x.numel(), [mask](const at::Tensor& some, auto, std::int64_t first) {
        return (some * mask.narrow(0, first, some.size(0))).to(some.scalar_type());
    });
}

at::Tensor pool(const Pool& spec, const at::Tensor& x) {
    if (spec.kind == PoolKind::Max) return max_pool(x, spec.size, spec.stride);
    return in_parts(x, {}, x.numel(), [spec](const at::Tensor& some, auto, auto) { return at::avg_pool2d(some, spec.size, spec.stride); });
}

at::Tensor average_of_pixels(const at::Tensor& x) {
    return in_parts(x, {}, x.numel(), [](const at::Tensor& some, auto, auto) { return some.mean({2, 3}); });
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

}  // namespace

at::Tensor apply(const LayerSpec& spec, const at::Tensor& x, std::span<at::Tensor> tensors, const LayerPass& pass) {
    return std::visit(Overloaded{[&](const Conv& conv) { return convolve(conv, x, tensors, pass); },
                                 [&](const Dense&) { return dense(x, tensors, pass.precision); },
                                 [&](const BatchNorm& norm) { return batch_norm(norm, x, tensors, pass); },
                                 [&](const LayerNorm& norm) { return layer_norm(norm, x, tensors); },
                                 [&](const Pool& layer) { return pool(layer, x); },
                                 [&](const GlobalAveragePool&) { return average_of_pixels(x); },
                                 [&](const RandomFlip& flip) { return flip_at_random(flip, x, pass); },
                                 [&](const RandomCrop& crop) { return crop_at_random(crop, x, pass); },
                                 [&](const Upsample& layer) { return upsample_nearest(x, layer.factor); },
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

}  // namespace satdl::stages
