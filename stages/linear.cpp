#include "stages/linear.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "stages/kernels/batch_norm.h"
#include "stages/kernels/cpu_level.h"
#include "stages/kernels/product.h"
#include "stages/sample_parts.h"
#include "stages/tensor.h"

namespace satdl::stages {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool has_kernels(const at::Tensor& x) {
    return x.scalar_type() == at::kFloat && kernels::cpu_level() != kernels::CpuLevel::Baseline;
}

kernels::Matrix matrix_of(const at::Tensor& tensor) {
    return {tensor.data_ptr<float>(), tensor.stride(0), tensor.stride(1)};
}

at::Tensor own_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
    at::Tensor c = at::empty({a.size(0), b.size(1)}, at::kFloat);
    std::vector<at::Tensor> scratch;
    const auto take = [&](std::int64_t floats) {
        return scratch.emplace_back(at::empty({floats}, at::kFloat)).data_ptr<float>();
    };
    kernels::product({c.size(0), c.size(1), a.size(1)}, matrix_of(a), matrix_of(b),
                     bias.defined() ? bias.data_ptr<float>() : nullptr, c.data_ptr<float>(), kernel_workers(), take);
    return c;
}

// In blocks of the longer side of the result.
at::Tensor product_in_blocks(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
    const std::int64_t longer = b.size(1) > a.size(0) ? 1 : 0, length = std::max(a.size(0), b.size(1));
    const std::int64_t blocks = parts_of(length, a.size(0) * a.size(1) * b.size(1) / kMultiplyAddsOfWork);
    std::vector<at::Tensor> results(static_cast<std::size_t>(blocks));
    kernel_workers().run(blocks, [&](std::int64_t block, std::int64_t) {
        const at::NoGradGuard no_grad;
        const std::int64_t first = length * block / blocks, count = length * (block + 1) / blocks - first;
        const auto some = [&](const at::Tensor& of, std::int64_t dimension) { return of.narrow(dimension, first, count); };
        const at::Tensor rows = longer == 0 ? some(a, 0) : a, columns = longer == 1 ? some(b, 1) : b;
        at::Tensor& result = results[static_cast<std::size_t>(block)];
        if (bias.defined())
            result = at::addmm(longer == 1 ? some(bias, 0) : bias, rows, columns);
        else
            result = at::mm(rows, columns);
    });
    return longer == 0 ? joined(results) : at::cat(results, 1);
}

// a b + bias
at::Tensor product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias = {}) {
    return has_kernels(a) ? own_product(a, b, bias) : product_in_blocks(a, b, bias);
}

// As it is read by row and by column: a stride of a power of two would put a column into one set of a cache.
at::Tensor spread(const at::Tensor& x) {
    constexpr std::int64_t kCacheLine = 16;
    if (!has_kernels(x) || x.size(1) % (4 * kCacheLine) != 0) return x.contiguous();
    return at::empty({x.size(0), x.size(1) + kCacheLine}, at::kFloat).narrow(1, 0, x.size(1)).copy_(x);
}

at::Tensor sum_of_rows(const at::Tensor& x) {
    if (x.scalar_type() != at::kFloat) return x.sum(0);
    at::Tensor sum = at::empty({x.size(1)}, at::kFloat);
    kernels::sum_of_rows({x.size(0), x.size(1)}, x.data_ptr<float>(), sum.data_ptr<float>(), kernel_workers());
    return sum;
}

struct LinearFunction : torch::autograd::Function<LinearFunction> {
    enum Input { kX, kWeight, kBias };

    static at::Tensor forward(AutogradContext* context, const at::Tensor& given, const at::Tensor& weight,
                              const at::Tensor& bias) {
        const at::Tensor x = spread(given);
        context->save_for_backward({x, weight});
        return product(x, weight.t(), bias.numel() == 0 ? at::Tensor() : bias);
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor dy = spread(gradients[0]);
        variable_list result(3);
        if (context->needs_input_grad(kX)) result[kX] = product(dy, saved[1]);
        if (context->needs_input_grad(kWeight)) result[kWeight] = product(dy.t(), saved[0]);
        if (context->needs_input_grad(kBias)) result[kBias] = sum_of_rows(gradients[0].contiguous());
        return result;
    }
};

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    if (!x.is_cpu()) return at::linear(x, weight, bias);
    // LibTorch's autograd functions take no undefined tensors.
    return LinearFunction::apply(x, weight, bias.defined() ? bias : at::empty({0}, x.options()));
}

}  // namespace satdl::stages
