#include "stages/activation.h"

#include <torch/csrc/autograd/custom_function.h>

#include "stages/kernels/cpu_level.h"
#include "stages/kernels/elementwise.h"
#include "stages/sample_parts.h"
#include "stages/tensor.h"

namespace satdl::stages {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Of the activations that kernels/elementwise.h has: LibTorch computes the end of a vector by other functions than its
// middle.
bool has_activation_kernel(const ActivationSpec& activation, const at::Tensor& x) {
    if (x.scalar_type() != at::kFloat || !x.is_cpu() || kernels::cpu_level() == kernels::CpuLevel::Baseline) return false;
    return kernels::is_elementwise(activation.kind) &&
           (activation.kind != Activation::LeakyRelu || activation.negative_slope > 0);
}

// LibTorch's ReLU is the same function wherever a number stands.
bool is_elementwise(const ActivationSpec& activation, const at::Tensor& x) {
    return has_activation_kernel(activation, x) || (activation.kind == Activation::Relu && x.is_cpu());
}

kernels::Unit unit_of(const ActivationSpec& activation) {
    return {activation.kind, static_cast<float>(activation.negative_slope)};
}

constexpr std::int64_t kElements = 1 << 14;  // of an elementwise task

// Of one without gaps, as its numbers lie in memory.
at::Tensor some(const at::Tensor& of, std::int64_t first, std::int64_t last) {
    return of.as_strided({last - first}, {1}, of.storage_offset() + first);
}

void activate_elements(const ActivationSpec& activation, at::Tensor& x) {
    const bool has_kernel = has_activation_kernel(activation, x);
    kernel_ranges(x.numel(), kElements, [&](std::int64_t first, std::int64_t last) {
        const at::NoGradGuard no_grad;
        if (has_kernel)
            kernels::activate(unit_of(activation), last - first, x.data_ptr<float>() + first);
        else
            some(x, first, last).relu_();
    });
}

// gradient *= f'(x), given y = f(x)
void times_derivative(const ActivationSpec& activation, const at::Tensor& y, at::Tensor& gradient) {
    const bool has_kernel = has_activation_kernel(activation, y);
    kernel_ranges(y.numel(), kElements, [&](std::int64_t first, std::int64_t last) {
        const at::NoGradGuard no_grad;
        if (has_kernel) {
            kernels::times_derivative(unit_of(activation), last - first, y.data_ptr<float>() + first,
                                      gradient.data_ptr<float>() + first);
        } else {
            at::Tensor part = some(gradient, first, last);
            at::threshold_backward_out(part, part, some(y, first, last), 0);
        }
    });
}

// Of its own memory, without gaps.
at::Tensor dense_copy(const at::Tensor& x) {
    return at::empty_like(x, x.suggest_memory_format()).copy_(x);
}

struct ActivationFunction : torch::autograd::Function<ActivationFunction> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const ActivationSpec& activation) {
        at::Tensor y = dense_copy(x);
        activate_elements(activation, y);
        context->save_for_backward({y});
        context->saved_data["kind"] = static_cast<std::int64_t>(activation.kind);
        context->saved_data["slope"] = activation.negative_slope;
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const at::Tensor y = context->get_saved_variables()[0];
        at::Tensor dx = at::empty_like(y).copy_(gradients[0]);
        times_derivative(
            {static_cast<Activation>(context->saved_data["kind"].toInt()), context->saved_data["slope"].toDouble()}, y, dx);
        return {dx, {}};
    }
};

at::Tensor activated_by_libtorch(const ActivationSpec& activation, const at::Tensor& x) {
    switch (activation.kind) {
        case Activation::None:
            break;
        case Activation::Relu:
            return x.relu();
        case Activation::LeakyRelu:
            return at::leaky_relu(x, activation.negative_slope);
        case Activation::Gelu:
            return at::gelu(x);
        case Activation::Sigmoid:
            return x.sigmoid();
        case Activation::Tanh:
            return x.tanh();
        case Activation::Softmax:
            return x.softmax(1);
    }
    return x;
}

}  // namespace

at::Tensor activate(const ActivationSpec& activation, at::Tensor x, bool fresh) {
    if (activation.kind == Activation::None) return x;
    if (is_elementwise(activation, x)) {
        if (at::GradMode::is_enabled() && x.requires_grad()) return ActivationFunction::apply(x, activation);
        at::Tensor y = fresh && x.is_non_overlapping_and_dense() ? x : dense_copy(x);
        activate_elements(activation, y);
        return y;
    }
    return in_parts(x, {}, x.numel(),
                    [activation](const at::Tensor& some, auto, auto) { return activated_by_libtorch(activation, some); });
}

}  // namespace satdl::stages
