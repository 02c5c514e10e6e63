#include "stages/optimiser.h"

#include <cmath>

#include "pipeline/core/error.h"
#include "stages/kernels/denormals.h"
#include "stages/tensor.h"

namespace satdl::stages {
namespace {

constexpr std::int64_t kGrain = 1 << 15;  // elements: below it a second thread costs more than it brings
constexpr double kAdamWDecay = 0.004;     // Keras' default

// With AVX2 the square roots and divisions take half the time. Without FMA: no multiply-add is fused, and the bytes are those of SSE2.
#if defined(__x86_64__)
#define SATDL_ALSO_AVX2 __attribute__((target_clones("avx2", "default")))
#else
#define SATDL_ALSO_AVX2
#endif

// What weight decay leaves of a weight.
float kept(const OptimiserOptions& options, double rate) {
    return static_cast<float>(
        1 - rate * options.weight_decay.value_or(options.kind == OptimiserKind::AdamW ? kAdamWDecay : 0));
}

AdamStep adam_step(const OptimiserOptions& options, std::int64_t update, double rate) {
    const auto t = static_cast<double>(update);
    const double corrected = rate * std::sqrt(1 - std::pow(options.beta2, t)) / (1 - std::pow(options.beta1, t));
    return {static_cast<float>(corrected), static_cast<float>(1 - options.beta1), static_cast<float>(1 - options.beta2),
            static_cast<float>(options.epsilon), kept(options, rate)};
}

SgdStep sgd_step(const OptimiserOptions& options, double rate) {
    return {static_cast<float>(rate), static_cast<float>(options.momentum), kept(options, rate), options.nesterov};
}

SATDL_ALSO_AVX2 void adam(const AdamStep& step, std::int64_t count, const float* __restrict g, float* __restrict m, float* __restrict v,
                          float* __restrict w) {
    for (std::int64_t i = 0; i < count; ++i) {
        m[i] += (g[i] - m[i]) * step.share1;
        v[i] += (g[i] * g[i] - v[i]) * step.share2;
        w[i] = w[i] * step.keep - step.rate * m[i] / (std::sqrt(v[i]) + step.epsilon);
    }
}

SATDL_ALSO_AVX2 void sgd(const SgdStep& step, std::int64_t count, const float* __restrict g, float* __restrict s, float* __restrict w) {
    for (std::int64_t i = 0; i < count; ++i) {
        s[i] = step.momentum * s[i] - step.rate * g[i];
        const float move = step.nesterov ? step.momentum * s[i] - step.rate * g[i] : s[i];
        w[i] = w[i] * step.keep + move;
    }
}

// On a GPU: each operation is one on all tensors, since starting one takes as long as computing it for a hundred thousand weights.
// `keeps`: what weight decay leaves of each tensor.
void adam(const AdamStep& step, const Weights& g, Weights& m, Weights& v, Weights& w, const std::vector<at::Scalar>& keeps) {
    at::_foreach_add_(m, at::_foreach_sub(g, m), step.share1);
    Weights squares = at::_foreach_mul(g, g);
    at::_foreach_sub_(squares, v);
    at::_foreach_add_(v, squares, step.share2);
    Weights divisors = at::_foreach_sqrt(v);
    at::_foreach_add_(divisors, step.epsilon);
    Weights moves = at::_foreach_mul(m, step.rate);
    at::_foreach_div_(moves, divisors);
    at::_foreach_mul_(w, keeps);
    at::_foreach_sub_(w, moves);
}

void sgd(const SgdStep& step, const Weights& g, Weights& s, Weights& w, const std::vector<at::Scalar>& keeps) {
    at::_foreach_mul_(s, step.momentum);
    at::_foreach_sub_(s, g, step.rate);
    at::_foreach_mul_(w, keeps);
    if (!step.nesterov) {
        at::_foreach_add_(w, s);
        return;
    }
    Weights moves = at::_foreach_mul(s, step.momentum);
    at::_foreach_sub_(moves, g, step.rate);
    at::_foreach_add_(w, moves);
}

// The elements in the order in which they lie in memory, which is the same for all that `like` is compared with.
float* elements(const at::Tensor& tensor, const at::Tensor& like) {
    SATDL_CHECK(tensor.strides() == like.strides() && tensor.is_non_overlapping_and_dense(), "tensors of another layout");
    return tensor.data_ptr<float>();
}

at::Tensor laid_out_like(const at::Tensor& tensor, const at::Tensor& like) {
    if (tensor.strides() == like.strides()) return tensor;
    return at::empty_like(like).copy_(tensor);
}

}  // namespace

ElementUpdate::ElementUpdate(const OptimiserOptions& options, std::int64_t update, double rate) : without_decay_(options.without_decay) {
    if (options.kind == OptimiserKind::Sgd) step_ = sgd_step(options, rate);
    else step_ = adam_step(options, update, rate);
}

std::variant<AdamStep, SgdStep> ElementUpdate::step_for(std::size_t tensor) const {
    std::variant<AdamStep, SgdStep> step = step_;
    if (!without_decay_.empty() && without_decay_.at(tensor)) std::visit([](auto& one) { one.keep = 1; }, step);
    return step;
}

void ElementUpdate::operator()(std::size_t tensor, std::int64_t count, const float* gradient, float* first, float* second, float* weight) const {
    const kernels::DenormalsAreZero none;
    const auto step = step_for(tensor);
    if (const auto* sgd_now = std::get_if<SgdStep>(&step)) sgd(*sgd_now, count, gradient, first, weight);
    else adam(std::get<AdamStep>(step), count, gradient, first, second, weight);
}

OptimiserKind optimiser_from_name(const std::string& name) {
    if (name == "adam") return OptimiserKind::Adam;
    if (name == "adamw") return OptimiserKind::AdamW;
    SATDL_CHECK(name == "sgd", "unknown optimiser " + name);
    return OptimiserKind::Sgd;
}

Moments start_moments(OptimiserKind kind, const Weights& trained) {
    const at::NoGradGuard no_grad;
    Moments moments;
    for (const at::Tensor& tensor : trained) {
        moments.first.push_back(at::zeros_like(tensor));
        if (kind != OptimiserKind::Sgd) moments.second.push_back(at::zeros_like(tensor));
    }
    return moments;
}

void update(const OptimiserOptions& options, std::int64_t update, double rate, const Weights& gradients, Moments& moments,
            Weights& trained) {
    const at::NoGradGuard no_grad;
    SATDL_CHECK(options.without_decay.empty() || options.without_decay.size() == trained.size(), "one for each trained tensor");
    const ElementUpdate now(options, update, rate);
    if (!trained.empty() && !trained.front().is_cpu()) {
        std::vector<at::Scalar> keeps;
        for (std::size_t tensor = 0; tensor < trained.size(); ++tensor)
            keeps.emplace_back(std::visit([](const auto& step) { return step.keep; }, now.step_for(tensor)));
        const auto step = now.step_for(0);
        if (const auto* sgd_now = std::get_if<SgdStep>(&step)) sgd(*sgd_now, gradients, moments.first, trained, keeps);
        else adam(std::get<AdamStep>(step), gradients, moments.first, moments.second, trained, keeps);
        return;
    }
    for (std::size_t tensor = 0; tensor < trained.size(); ++tensor) {
        const at::Tensor& weight = trained[tensor];
        const at::Tensor gradient = laid_out_like(gradients[tensor], weight);
        float* w = elements(weight, weight);
        const float* g = elements(gradient, weight);
        float* first = elements(moments.first[tensor], weight);
        float* second = moments.second.empty() ? nullptr : elements(moments.second[tensor], weight);
        kernel_ranges(weight.numel(), kGrain, [&](std::int64_t from, std::int64_t to) {
            now(tensor, to - from, g + from, first + from, second == nullptr ? nullptr : second + from, w + from);
        });
    }
}

}  // namespace satdl::stages
