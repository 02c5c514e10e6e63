#include "stages/pooling.h"

#include <torch/csrc/autograd/custom_function.h>

#include "stages/sample_parts.h"
#include "stages/tensor.h"

namespace satdl::stages {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor blank_images(const at::Tensor& like, std::int64_t height, std::int64_t width, at::ScalarType type) {
    return at::empty({like.size(0), like.size(1), height, width},
                     at::TensorOptions(type).memory_format(like.suggest_memory_format()));
}

// of_part(first image, number of images), for `work` numbers.
template <typename OfPart>
void for_parts(std::int64_t images, std::int64_t work, const OfPart& of_part) {
    const std::int64_t parts = parts_of(images, work);
    kernel_workers().run(parts, [&](std::int64_t part, std::int64_t) {
        const at::NoGradGuard no_grad;
        const std::int64_t first = images * part / parts;
        of_part(first, images * (part + 1) / parts - first);
    });
}

struct MaxPoolFunction : torch::autograd::Function<MaxPoolFunction> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, std::int64_t size, std::int64_t stride) {
        const std::int64_t height = (x.size(2) - size) / stride + 1, width = (x.size(3) - size) / stride + 1;
        at::Tensor y = blank_images(x, height, width, x.scalar_type()), greatest = blank_images(x, height, width, at::kLong);
        for_parts(x.size(0), x.numel(), [&](std::int64_t first, std::int64_t count) {
            at::Tensor to = y.narrow(0, first, count), at = greatest.narrow(0, first, count);
            at::max_pool2d_with_indices_out(to, at, x.narrow(0, first, count), size, stride);
        });
        context->save_for_backward({x, greatest});
        context->saved_data["size"] = size;
        context->saved_data["stride"] = stride;
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const std::int64_t size = context->saved_data["size"].toInt(), stride = context->saved_data["stride"].toInt();
        const at::Tensor &x = saved[0], &greatest = saved[1], &dy = gradients[0];
        at::Tensor dx = blank_images(x, x.size(2), x.size(3), x.scalar_type());
        for_parts(x.size(0), x.numel(), [&](std::int64_t first, std::int64_t count) {
            const auto some = [&](const at::Tensor& of) { return of.narrow(0, first, count); };
            at::Tensor to = some(dx);
            at::max_pool2d_with_indices_backward_out(to, some(dy), some(x), size, stride, 0, 1, false, some(greatest));
        });
        return {dx, {}, {}};
    }
};

struct UpsampleFunction : torch::autograd::Function<UpsampleFunction> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, std::int64_t factor) {
        const std::int64_t height = x.size(2) * factor, width = x.size(3) * factor;
        at::Tensor y = blank_images(x, height, width, x.scalar_type());
        for_parts(x.size(0), y.numel(), [&](std::int64_t first, std::int64_t count) {
            at::Tensor to = y.narrow(0, first, count);
            at::upsample_nearest2d_out(to, x.narrow(0, first, count), {height, width});
        });
        context->saved_data["shape"] = x.sizes().vec();
        return y;
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const std::vector<std::int64_t> shape = context->saved_data["shape"].toIntVector();
        const at::Tensor& dy = gradients[0];
        at::Tensor dx = blank_images(dy, shape[2], shape[3], dy.scalar_type());
        for_parts(shape[0], dy.numel(), [&](std::int64_t first, std::int64_t count) {
            at::Tensor to = dx.narrow(0, first, count);
            at::upsample_nearest2d_backward_out(to, dy.narrow(0, first, count), {dy.size(2), dy.size(3)},
                                                {count, shape[1], shape[2], shape[3]});
        });
        return {dx, {}};
    }
};

}  // namespace

at::Tensor max_pool(const at::Tensor& x, std::int64_t size, std::int64_t stride) {
    return x.is_cpu() ? MaxPoolFunction::apply(x, size, stride) : at::max_pool2d(x, size, stride);
}

at::Tensor upsample_nearest(const at::Tensor& x, std::int64_t factor) {
    if (!x.is_cpu()) return at::upsample_nearest2d(x, {x.size(2) * factor, x.size(3) * factor});
    return UpsampleFunction::apply(x, factor);
}

}  // namespace satdl::stages
