#include "stages/sample_parts.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <utility>

#include "stages/tensor.h"

namespace satdl::stages {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kMostParts = 16;
constexpr std::int64_t kWork = 1 << 16;  // of a part, at least: below it, starting one costs more than it brings

// What a part keeps for its gradients: a graph of its own.
struct Part {
    at::Tensor x, y;
    std::vector<at::Tensor> weights;
};

struct Parts : torch::CustomClassHolder {
    std::vector<Part> parts;
};

at::Tensor part_of(const at::Tensor& tensor, std::int64_t part, std::int64_t parts) {
    const std::int64_t first = tensor.size(0) * part / parts;
    return tensor.narrow(0, first, tensor.size(0) * (part + 1) / parts - first);
}

at::Tensor blank_like_part(const at::Tensor& part, std::int64_t samples) {
    std::vector<std::int64_t> shape = part.sizes().vec();
    shape[0] = samples;
    return at::empty(shape, at::TensorOptions(part.scalar_type()).memory_format(part.suggest_memory_format()));
}

at::Tensor leaf(const at::Tensor& tensor, bool differentiable) {
    return tensor.detach().requires_grad_(differentiable);
}

struct PartsFunction : torch::autograd::Function<PartsFunction> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, at::TensorList weights, std::int64_t count,
                              bool keeps, const OfSamples& of) {
        const auto kept = c10::make_intrusive<Parts>();
        kept->parts.resize(static_cast<std::size_t>(count));
        const kernels::Workers workers = kernel_workers();
        workers.run(count, [&](std::int64_t number, std::int64_t) {
            const at::AutoGradMode with_gradients(keeps);
            Part& part = kept->parts[static_cast<std::size_t>(number)];
            part.x = leaf(part_of(x, number, count), keeps && x.requires_grad());
            for (const at::Tensor& weight : weights) part.weights.push_back(leaf(weight, keeps && weight.requires_grad()));
            part.y = of(part.x, part.weights, x.size(0) * number / count);
        });
        at::Tensor y = blank_like_part(kept->parts[0].y, x.size(0));
        workers.run(count, [&](std::int64_t number, std::int64_t) {
            const at::NoGradGuard no_grad;
            Part& part = kept->parts[static_cast<std::size_t>(number)];
            const at::Tensor to = part_of(y, number, count);
            to.copy_(part.y);
            if (keeps) part.y.set_data(to);  // its graph stays, its memory goes
        });
        if (keeps) context->saved_data["parts"] = at::IValue::make_capsule(kept);
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const auto kept = c10::static_intrusive_pointer_cast<Parts>(context->saved_data["parts"].toCapsule());
        const auto count = static_cast<std::int64_t>(kept->parts.size());
        const std::size_t weights = kept->parts[0].weights.size();
        const bool of_x = context->needs_input_grad(0);
        const at::Tensor dx = of_x ? blank_like_part(kept->parts[0].x, gradients[0].size(0)) : at::Tensor();
        std::vector<variable_list> of_weights(kept->parts.size());
        kernel_workers().run(count, [&](std::int64_t number, std::int64_t) {
            Part& part = kept->parts[static_cast<std::size_t>(number)];
            variable_list wanted;
            if (of_x) wanted.push_back(part.x);
            for (std::size_t i = 0; i < weights; ++i)
                if (context->needs_input_grad(1 + i)) wanted.push_back(part.weights[i]);
            variable_list found = torch::autograd::grad({part.y}, wanted, {part_of(gradients[0], number, count)});
            const at::NoGradGuard no_grad;
            if (of_x) part_of(dx, number, count).copy_(found[0]);
            of_weights[static_cast<std::size_t>(number)].assign(found.begin() + (of_x ? 1 : 0), found.end());
            part = {};
        });
        variable_list result{dx};
        std::size_t position = 0;
        for (std::size_t i = 0; i < weights; ++i)
            result.push_back(context->needs_input_grad(1 + i) ? sum_of(of_weights, position++) : at::Tensor());
        result.resize(1 + weights + 3);  // what is no tensor has none
        return result;
    }

    static at::Tensor sum_of(const std::vector<variable_list>& of_parts, std::size_t position) {
        const at::Tensor& first = of_parts[0][position];
        at::Tensor sum = first.to(first.scalar_type() == at::kBFloat16 ? at::kFloat : first.scalar_type(), false, true);
        for (std::size_t part = 1; part < of_parts.size(); ++part) sum.add_(of_parts[part][position]);
        return sum.to(first.scalar_type());
    }
};

at::Tensor converted(const at::Tensor& given, at::ScalarType type) {
    constexpr std::int64_t kNumbers = 1 << 16;  // of a task
    const at::Tensor from = given.is_non_overlapping_and_dense() ? given : given.contiguous();
    at::Tensor to = at::empty_like(from, from.options().dtype(type));
    const std::int64_t count = from.numel();
    kernel_ranges(count, kNumbers, [&](std::int64_t first, std::int64_t last) {
        const at::NoGradGuard no_grad;
        const auto some = [&](const at::Tensor& of) {
            return of.as_strided({last - first}, {1}, of.storage_offset() + first);
        };
        some(to).copy_(some(from));
    });
    return to;
}

struct CastFunction : torch::autograd::Function<CastFunction> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, at::ScalarType type) {
        context->saved_data["type"] = static_cast<std::int64_t>(x.scalar_type());
        return converted(x, type);
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        return {converted(gradients[0], static_cast<at::ScalarType>(context->saved_data["type"].toInt())), {}};
    }
};

}  // namespace

std::int64_t parts_of(std::int64_t samples, std::int64_t work) {
    return std::clamp<std::int64_t>(work / kWork, 1, std::min(kMostParts, std::max<std::int64_t>(samples, 1)));
}

at::Tensor in_parts(const at::Tensor& x, const std::vector<at::Tensor>& weights, std::int64_t work, const OfSamples& of) {
    const std::int64_t parts = x.is_cpu() ? parts_of(x.size(0), work) : 1;
    if (parts == 1) return of(x, weights, 0);
    const auto wanted = [](const at::Tensor& tensor) { return tensor.requires_grad(); };
    const bool keeps = at::GradMode::is_enabled() && (wanted(x) || std::ranges::any_of(weights, wanted));
    return PartsFunction::apply(x, at::TensorList(weights), parts, keeps, of);
}

at::Tensor cast(const at::Tensor& tensor, at::ScalarType type) {
    if (tensor.scalar_type() == type) return tensor;
    return tensor.is_cpu() ? CastFunction::apply(tensor, type) : tensor.to(type);
}

at::Tensor joined(const std::vector<at::Tensor>& parts) {
    if (parts.size() == 1) return parts[0];
    std::vector<std::int64_t> first{0};
    for (const at::Tensor& part : parts) first.push_back(first.back() + part.size(0));
    at::Tensor whole = blank_like_part(parts[0], first.back());
    kernel_workers().run(std::ssize(parts), [&](std::int64_t number, std::int64_t) {
        const at::NoGradGuard no_grad;
        const auto at_number = static_cast<std::size_t>(number);
        whole.narrow(0, first[at_number], parts[at_number].size(0)).copy_(parts[at_number]);
    });
    return whole;
}

}  // namespace satdl::stages
