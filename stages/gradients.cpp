#include "stages/gradients.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "stages/tensor.h"

namespace satdl::stages {
namespace {

// In pieces that threads share, added in order.
double sum_of_squares(const at::Tensor& tensor) {
    constexpr std::int64_t kPiece = 1 << 16;
    const at::Tensor all = tensor.is_non_overlapping_and_dense() ? tensor.as_strided({tensor.numel()}, {1}) : tensor.flatten();
    std::vector<double> sums(static_cast<std::size_t>((all.numel() + kPiece - 1) / kPiece));
    kernel_ranges(all.numel(), kPiece, [&](std::int64_t first, std::int64_t last) {
        const at::NoGradGuard no_grad;
        sums[static_cast<std::size_t>(first / kPiece)] = all.narrow(0, first, last - first).to(at::kDouble).square().sum().item<double>();
    });
    return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace

std::optional<Weights> clipped(const Clipping& clipping, Weights gradients) {
    if (!clipping.norm && !clipping.value) return gradients;
    const at::NoGradGuard no_grad;
    double squares = 0;  // of float32 numbers, in float64: finite if they all are
    if (!gradients.empty() && !gradients.front().is_cpu()) {  // read once
        std::vector<at::Tensor> of_tensors;
        for (const at::Tensor& gradient : gradients) of_tensors.push_back(gradient.to(at::kDouble).square().sum());
        squares = at::stack(of_tensors).sum().item<double>();
    } else {
        for (const at::Tensor& gradient : gradients) squares += sum_of_squares(gradient);
    }
    if (!std::isfinite(squares)) return std::nullopt;
    const double scale = clipping.norm ? *clipping.norm / std::max(*clipping.norm, std::sqrt(squares)) : 1;
    for (at::Tensor& gradient : gradients) {
        if (scale != 1) gradient = gradient * scale;
        if (clipping.value) gradient = gradient.clamp(-*clipping.value, *clipping.value);
    }
    return gradients;
}

void add_to(GradientSum& sum, const Weights& gradients, std::int64_t samples) {
    const at::NoGradGuard no_grad;
    const bool first = sum.sums.empty();
    for (std::size_t i = 0; i < gradients.size(); ++i) {
        const at::Tensor weighted = gradients[i] * static_cast<double>(samples);
        if (first) sum.sums.push_back(weighted);
        else sum.sums[i].add_(weighted);
    }
    ++sum.batches;
    sum.samples += samples;
}

Weights take_mean(GradientSum& sum) {
    const at::NoGradGuard no_grad;
    Weights means = std::move(sum.sums);
    for (at::Tensor& mean : means) mean.div_(static_cast<double>(sum.samples));
    sum = {};
    return means;
}

}  // namespace satdl::stages
