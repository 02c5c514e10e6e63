#include "stages/convolution.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <vector>

#include "stages/kernels/batch_norm.h"
#include "stages/kernels/one_channel.h"
#include "stages/kernels/winograd.h"
#include "stages/sample_parts.h"
#include "stages/tensor.h"

namespace satdl::stages {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor channels_last(const at::Tensor& tensor) {
    return tensor.contiguous(tensor.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
}

at::Tensor blank_image(at::IntArrayRef shape) {
    return at::empty(shape, at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
}

at::Tensor blank_channels(const at::Tensor& like) { return at::empty({like.size(1)}, at::kFloat); }

const float* data_or_null(const at::Tensor& tensor) { return tensor.defined() ? tensor.data_ptr<float>() : nullptr; }

// Of what is laid out by channels_last().
kernels::Rows rows_of(const at::Tensor& x) { return {x.numel() / x.size(1), x.size(1)}; }

// ---- one convolution and its gradients ----
//
// Tensors are laid out by channels_last(); of the gradients' arguments only the shapes count where another tensor is meant.
class Kernel {
public:
    virtual ~Kernel() = default;
    [[nodiscard]] virtual at::Tensor forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) const = 0;
    [[nodiscard]] virtual at::Tensor data_gradient(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight) const = 0;
    [[nodiscard]] virtual at::Tensor weight_gradient(const at::Tensor& dy, const at::Tensor& x,
                                                     const at::Tensor& weight) const = 0;
};

kernels::ConvShape shape_of(const at::Tensor& x, const at::Tensor& weight) {
    return {x.size(0), x.size(2), x.size(3), x.size(1), weight.size(0)};
}

at::Tensor blank_output(const at::Tensor& x, const at::Tensor& weight) {
    return blank_image({x.size(0), weight.size(0), x.size(2), x.size(3)});
}

// The scratch memory of one call, from LibTorch's allocator.
class ScratchTensors {
public:
    [[nodiscard]] kernels::Scratch taker() {
        return [this](std::int64_t floats) {
            tensors_.push_back(at::empty({floats}, at::kFloat));
            return tensors_.back().data_ptr<float>();
        };
    }

private:
    std::vector<at::Tensor> tensors_;
};

class WinogradKernel final : public Kernel {
public:
    WinogradKernel(const kernels::WinogradLoops& loops, const kernels::ConvShape& shape, bool relu)
        : workers_(kernel_workers()), winograd_(loops, shape, workers_), relu_(relu) {}

    at::Tensor forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) const override {
        at::Tensor y = blank_output(x, weight);
        ScratchTensors scratch;
        winograd_.forward(x.data_ptr<float>(), weight.data_ptr<float>(), data_or_null(bias), relu_, y.data_ptr<float>(),
                          scratch.taker());
        return y;
    }
    at::Tensor data_gradient(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight) const override {
        at::Tensor dx = blank_image(x.sizes());
        ScratchTensors scratch;
        winograd_.data_gradient(dy.data_ptr<float>(), weight.data_ptr<float>(), dx.data_ptr<float>(), scratch.taker());
        return dx;
    }
    at::Tensor weight_gradient(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight) const override {
        at::Tensor gradient = blank_image(weight.sizes());
        ScratchTensors scratch;
        winograd_.weight_gradient(x.data_ptr<float>(), dy.data_ptr<float>(), gradient.data_ptr<float>(), scratch.taker());
        return gradient;
    }

private:
    kernels::Workers workers_;
    kernels::Winograd winograd_;
    bool relu_;
};

class OneChannelKernel final : public Kernel {
public:
    OneChannelKernel(const kernels::OneChannelLoops& loops, const kernels::ConvShape& shape, bool relu)
        : workers_(kernel_workers()), one_channel_(loops, shape, workers_), relu_(relu) {}

    at::Tensor forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) const override {
        at::Tensor y = blank_output(x, weight);
        one_channel_.forward(x.data_ptr<float>(), weight.data_ptr<float>(), data_or_null(bias), relu_, y.data_ptr<float>());
        return y;
    }
    at::Tensor data_gradient(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight) const override {
        at::Tensor dx = blank_image(x.sizes());
        one_channel_.data_gradient(dy.data_ptr<float>(), weight.data_ptr<float>(), dx.data_ptr<float>());
        return dx;
    }
    at::Tensor weight_gradient(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight) const override {
        at::Tensor gradient = blank_image(weight.sizes());
        one_channel_.weight_gradient(x.data_ptr<float>(), dy.data_ptr<float>(), gradient.data_ptr<float>());
        return gradient;
    }

private:
    kernels::Workers workers_;
    kernels::OneChannel one_channel_;
    bool relu_;
};

// LibTorch cuts its work by the number of threads. Here each of a number of parts of the images, which follows from the shapes, is computed
// by one thread, and the sums of the weights' gradient are added in order.
class LibTorchKernel final : public Kernel {
public:
    explicit LibTorchKernel(const ConvolutionOptions& options) : options_(options) {}

    at::Tensor forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) const override {
        return joined(by_parts(x, parts(x, weight), [&](std::int64_t first, std::int64_t count) {
            at::Tensor y = channels_last(at::conv2d(x.narrow(0, first, count), weight, bias, options_.stride, options_.padding));
            return options_.relu ? y.relu_() : y;
        }));
    }
    at::Tensor data_gradient(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight) const override {
        return joined(by_parts(x, parts(x, weight), [&](std::int64_t first, std::int64_t count) {
            return channels_last(std::get<0>(gradients(dy, x, weight, first, count, {true, false, false})));
        }));
    }
    at::Tensor weight_gradient(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight) const override {
        const std::vector<at::Tensor> sums = by_parts(x, std::min(kSums, x.size(0)), [&](std::int64_t first, std::int64_t count) {
            return std::get<1>(gradients(dy, x, weight, first, count, {false, true, false}));
        });
        for (std::size_t part = 1; part < sums.size(); ++part) sums[0].add_(sums[part]);
        return sums[0];
    }

private:
    static constexpr std::int64_t kSums = 8;

    [[nodiscard]] std::int64_t parts(const at::Tensor& x, const at::Tensor& weight) const {
        const std::int64_t stride = options_.stride;
        return parts_of(x.size(0), x.numel() * weight.numel() / x.size(1) / (stride * stride) / kMultiplyAddsOfWork);
    }

    template <typename OfPart>
    static std::vector<at::Tensor> by_parts(const at::Tensor& x, std::int64_t parts, const OfPart& of_part) {
        std::vector<at::Tensor> results(static_cast<std::size_t>(parts));
        kernel_workers().run(parts, [&](std::int64_t part, std::int64_t) {
            const at::NoGradGuard no_grad;
            const std::int64_t first = x.size(0) * part / parts, last = x.size(0) * (part + 1) / parts;
            results[static_cast<std::size_t>(part)] = of_part(first, last - first);
        });
        return results;
    }

    [[nodiscard]] std::tuple<at::Tensor, at::Tensor, at::Tensor> gradients(const at::Tensor& dy, const at::Tensor& x,
                                                                           const at::Tensor& weight, std::int64_t first,
                                                                           std::int64_t count, std::array<bool, 3> wanted) const {
        return at::convolution_backward(dy.narrow(0, first, count), x.narrow(0, first, count), weight, at::OptionalIntArrayRef(),
                                        {options_.stride, options_.stride}, options_.padding, {1, 1}, false, {0, 0}, 1, wanted);
    }

    const ConvolutionOptions& options_;
};

bool is_same_3x3(const ConvolutionOptions& options, const at::Tensor& weight) {
    return options.method == ConvolutionMethod::Auto && options.stride == 1 &&
           options.padding == std::array<std::int64_t, 2>{1, 1} && weight.size(2) == 3 && weight.size(3) == 3;
}

// The choice is a function of the shapes of a sample and of the weights, and of the level, which is in the key.
std::unique_ptr<Kernel> kernel_for(const ConvolutionOptions& options, const at::Tensor& x, const at::Tensor& weight) {
    const kernels::ConvShape shape = shape_of(x, weight);
    const kernels::CpuLevel level = kernels::cpu_level();
    if (is_same_3x3(options, weight)) {
        const auto* winograd = kernels::winograd_loops(level);
        if (winograd != nullptr && kernels::winograd_takes(shape.inputs, shape.outputs))
            return std::make_unique<WinogradKernel>(*winograd, shape, options.relu);
        const auto* one_channel = kernels::one_channel_loops(level);
        if (one_channel != nullptr && kernels::one_channel_takes(shape.inputs, shape.outputs))
            return std::make_unique<OneChannelKernel>(*one_channel, shape, options.relu);
    }
    return std::make_unique<LibTorchKernel>(options);
}

// ---- batch norm ----

// What normalises by channel, float64 [C]: the mean, and 1 / sqrt(variance + epsilon).
struct NormStatistics {
    at::Tensor mean, inverse_deviation;
};

// Of float64 tensors.
NormStatistics statistics_of(const at::Tensor& mean, const at::Tensor& variance, double epsilon) {
    return {mean, (variance + epsilon).rsqrt()};
}

void follow(at::Tensor& moving, double momentum, const at::Tensor& statistic) {
    moving.copy_(moving.to(at::kDouble).mul_(momentum).add_(statistic, 1 - momentum));
}

// The batch's, which the moving statistics follow.
NormStatistics take_statistics(const BatchNorm& norm, const at::Tensor& x, at::Tensor& moving_mean, at::Tensor& moving_variance) {
    const kernels::Moments moments = kernels::moments_of(rows_of(x), x.data_ptr<float>(), kernel_workers());
    const at::Tensor mean = at::tensor(moments.mean, at::kDouble), variance = at::tensor(moments.variance, at::kDouble);
    follow(moving_mean, norm.momentum, mean);
    follow(moving_variance, norm.momentum, variance);
    return statistics_of(mean, variance, norm.epsilon);
}

at::Tensor normalised(const at::Tensor& x, const NormStatistics& statistics, const at::Tensor& scale, const at::Tensor& offset) {
    at::Tensor y = at::empty_like(x);
    const at::Tensor mean = statistics.mean.to(at::kFloat), factor = (statistics.inverse_deviation * scale).to(at::kFloat);
    const at::Tensor rest = (offset - (statistics.mean - mean) * factor).to(at::kFloat);  // with what float32 takes from the mean
    kernels::normalise(rows_of(x), x.data_ptr<float>(), mean.data_ptr<float>(), factor.data_ptr<float>(), rest.data_ptr<float>(),
                       y.data_ptr<float>(), kernel_workers());
    return y;
}

struct NormGradients {
    at::Tensor dx, dscale, doffset, sum_of_dx;
};

// `relu`: x is what a ReLU gave, and dx is the gradient before it.
NormGradients norm_gradients(const at::Tensor& x, const at::Tensor& dy, const NormStatistics& statistics, const at::Tensor& scale,
                             bool relu) {
    const at::Tensor mean = statistics.mean.to(at::kFloat);
    NormGradients result{at::empty_like(x), blank_channels(x), blank_channels(x), blank_channels(x)};
    kernels::batch_norm_gradient(rows_of(x), x.data_ptr<float>(), dy.data_ptr<float>(), mean.data_ptr<float>(),
                                 statistics.inverse_deviation.data_ptr<double>(), scale.data_ptr<float>(), relu,
                                 result.dx.data_ptr<float>(), result.dscale.data_ptr<float>(), result.doffset.data_ptr<float>(),
                                 result.sum_of_dx.data_ptr<float>(), kernel_workers());
    return result;
}

struct BatchNormFunction : torch::autograd::Function<BatchNormFunction> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& given, const at::Tensor& scale,
                              const at::Tensor& offset, at::Tensor moving_mean, at::Tensor moving_variance, double momentum,
                              double epsilon) {
        const at::Tensor kept = channels_last(given), x = cast(kept, at::kFloat);
        const NormStatistics statistics = take_statistics({momentum, epsilon}, x, moving_mean, moving_variance);
        context->save_for_backward({kept, scale, statistics.mean, statistics.inverse_deviation});
        return cast(normalised(x, statistics, scale, offset), given.scalar_type());
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor x = cast(saved[0], at::kFloat), dy = cast(channels_last(gradients[0]), at::kFloat);
        const NormGradients result = norm_gradients(x, dy, {saved[2], saved[3]}, saved[1], false);
        return {cast(result.dx, saved[0].scalar_type()), result.dscale, result.doffset, {}, {}, {}, {}};
    }
};

// ---- the whole ----

// As autograd keeps it from forward to backward.
std::vector<std::int64_t> to_numbers(const ConvolutionOptions& options) {
    return {options.stride, options.padding[0], options.padding[1], options.relu ? 1 : 0,
            options.method == ConvolutionMethod::Direct ? 1 : 0};
}
ConvolutionOptions from_numbers(const std::vector<std::int64_t>& numbers) {
    return {numbers[0],
            {numbers[1], numbers[2]},
            numbers[3] != 0,
            numbers[4] != 0 ? ConvolutionMethod::Direct : ConvolutionMethod::Auto};
}

// LibTorch's autograd functions take no undefined tensors.
at::Tensor none() { return at::empty({0}, at::kFloat); }
bool is_none(const at::Tensor& tensor) { return tensor.numel() == 0; }

// batch_norm(relu(convolution(x))), or without batch norm: then what is of it is none(), as a bias may be.
struct ConvolutionFunction : torch::autograd::Function<ConvolutionFunction> {
    enum Input { kX, kWeight, kBias, kScale, kOffset };  // by position below

    static at::Tensor forward(AutogradContext* context, const at::Tensor& given, const at::Tensor& given_weight,
                              const at::Tensor& bias, const at::Tensor& scale, const at::Tensor& offset, at::Tensor moving_mean,
                              at::Tensor moving_variance, const ConvolutionOptions& options, const BatchNorm& norm) {
        const at::Tensor x = channels_last(given), weight = channels_last(given_weight);
        const at::Tensor z = kernel_for(options, x, weight)->forward(x, weight, is_none(bias) ? at::Tensor() : bias);
        context->saved_data["options"] = to_numbers(options);
        if (is_none(scale)) {
            context->save_for_backward({x, weight, options.relu ? z : at::Tensor()});
            return z;
        }
        const NormStatistics statistics = take_statistics(norm, z, moving_mean, moving_variance);
        context->save_for_backward({x, weight, z, scale, statistics.mean, statistics.inverse_deviation});
        return normalised(z, statistics, scale, offset);
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const ConvolutionOptions options = from_numbers(context->saved_data["options"].toIntVector());
        const at::Tensor &x = saved[0], &weight = saved[1], &z = saved[2];
        const at::Tensor dy = channels_last(gradients[0]);
        const NormGradients before = saved.size() > 3 ? norm_gradients(z, dy, {saved[4], saved[5]}, saved[3], options.relu)
                                                      : without_norm(z, dy, context->needs_input_grad(kBias));
        const auto kernel = kernel_for(options, x, weight);
        variable_list result(9);
        if (context->needs_input_grad(kX)) result[kX] = kernel->data_gradient(before.dx, x, weight);
        if (context->needs_input_grad(kWeight)) result[kWeight] = kernel->weight_gradient(before.dx, x, weight);
        if (context->needs_input_grad(kBias)) result[kBias] = before.sum_of_dx;
        result[kScale] = before.dscale;
        result[kOffset] = before.doffset;
        return result;
    }

    // Through the ReLU that gave z; without one, z is undefined.
    static NormGradients without_norm(const at::Tensor& z, const at::Tensor& dy, bool wants_sum) {
        NormGradients result;
        if (wants_sum || z.defined()) result.sum_of_dx = blank_channels(dy);
        result.dx = dy;
        if (z.defined()) {
            result.dx = at::empty_like(z);
            kernels::relu_gradient(rows_of(z), z.data_ptr<float>(), dy.data_ptr<float>(), result.dx.data_ptr<float>(),
                                   result.sum_of_dx.data_ptr<float>(), kernel_workers());
        } else if (wants_sum) {
            kernels::sum_of_rows(rows_of(dy), dy.data_ptr<float>(), result.sum_of_dx.data_ptr<float>(), kernel_workers());
        }
        return result;
    }
};

}  // namespace

bool is_float_on_cpu(const at::Tensor& x) { return x.scalar_type() == at::kFloat && x.device().is_cpu(); }

at::Tensor convolution(const ConvolutionOptions& options, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    return ConvolutionFunction::apply(x, weight, bias.defined() ? bias : none(), none(), none(), none(), none(), options,
                                      BatchNorm{});
}

at::Tensor batch_norm_of_batch(const BatchNorm& norm, const at::Tensor& x, std::span<at::Tensor> norm_tensors) {
    return BatchNormFunction::apply(x, norm_tensors[0], norm_tensors[1], norm_tensors[2], norm_tensors[3], norm.momentum,
                                    norm.epsilon);
}

at::Tensor convolution_batch_norm(const ConvolutionOptions& options, const at::Tensor& x, const at::Tensor& weight,
                                  const at::Tensor& bias, const BatchNorm& norm, std::span<at::Tensor> norm_tensors) {
    return ConvolutionFunction::apply(x, weight, bias.defined() ? bias : none(), norm_tensors[0], norm_tensors[1],
                                      norm_tensors[2], norm_tensors[3], options, norm);
}

at::Tensor batch_norm_of_moving(const BatchNorm& norm, const at::Tensor& x, std::span<const at::Tensor> norm_tensors) {
    const at::NoGradGuard no_grad;
    const NormStatistics statistics =
        statistics_of(norm_tensors[2].to(at::kDouble), norm_tensors[3].to(at::kDouble), norm.epsilon);
    return cast(normalised(cast(channels_last(x), at::kFloat), statistics, norm_tensors[0], norm_tensors[1]), x.scalar_type());
}

}  // namespace satdl::stages
