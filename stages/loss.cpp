#include "stages/loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "pipeline/network/loss_rules.h"
#include "stages/kernels/elementwise.h"
#include "stages/kernels/cpu_level.h"
#include "stages/tensor.h"

namespace satdl::stages {
namespace {

constexpr double kClip = 1e-7;  // Keras' epsilon: how near to 0 and 1 a probability is taken

std::string_view name_of(LossKind loss) {
    switch (loss) {
        case LossKind::Mse: return "mse";
        case LossKind::CrossEntropy: return "cross_entropy";
        case LossKind::BinaryCrossEntropy: break;
    }
    return "binary_cross_entropy";
}

// The network, unless the loss cannot be of it.
const Net& fitting(const Net& net, LossKind loss) {
    if (auto misfit = network_misfit(name_of(loss), net.network(), net.outputs()))
        throw stage_error(std::move(misfit->text), std::move(misfit->hint));
    return net;
}

}  // namespace

LossKind loss_from_name(const std::string& name) {
    for (const LossKind loss : {LossKind::Mse, LossKind::CrossEntropy, LossKind::BinaryCrossEntropy})
        if (name == name_of(loss)) return loss;
    SATDL_CHECK(false, "unknown loss " + name);
    std::abort();
}

Objective::Objective(LossKind loss, ActivationSpec last, Shape output, const at::Tensor& target, Metrics metrics)
    : loss_(loss),
      last_(last),
      output_(std::move(output)),
      labels_(are_class_numbers(name_of(loss), dtype_of(target), target.sizes().vec())),
      binary_(loss == LossKind::BinaryCrossEntropy ||
              (labels_ && (last.kind == Activation::Sigmoid || metrics == Metrics::All))) {
    check_fit(target);
    if (labels_) check_labels(target);
}

Objective::Objective(LossKind loss, const Net& net, const at::Tensor& target, Metrics metrics)
    : Objective(loss, fitting(net, loss).last_activation(), net.output(), target, metrics) {}

Objective Objective::of_probabilities(LossKind loss, Shape output, const at::Tensor& target, Metrics metrics) {
    Objective objective(loss, {.kind = Activation::Sigmoid}, std::move(output), target, metrics);
    objective.activated_ = true;
    return objective;
}

void Objective::check_fit(const at::Tensor& target) const {
    const DType dtype = dtype_of(target);
    const Shape shape = target.sizes().vec();
    if (auto misfit = target_misfit(name_of(loss_), output_, dtype, shape))
        throw stage_error(fmt::format("target must be {}, but is {} {}", misfit->text, satdl::name_of(dtype), shape_text(shape)),
                          std::move(misfit->hint));
    if (loss_ == LossKind::BinaryCrossEntropy && !labels_ && target.numel() > 0) {
        const auto min = target.min().item<double>(), max = target.max().item<double>();
        constexpr const char* kNeeds = "binary_cross_entropy needs targets between 0 and 1, but these";
        if (std::isnan(min)) throw stage_error(fmt::format("{} hold NaN", kNeeds));
        if (min < 0 || max > 1) {
            throw stage_error(fmt::format("{} are {:g} to {:g}", kNeeds, min, max),
                              "divide them by their greatest value, or use the loss mse");
        }
    }
}

void Objective::check_labels(const at::Tensor& target) const {
    if (target.numel() == 0) return;
    const std::int64_t classes = output_[0] == 1 ? 2 : output_[0];  // one output: yes or no
    const auto min = target.min().item<std::int64_t>();
    const auto max = target.max().item<std::int64_t>();
    if (min < 0 || max >= classes) {
        const auto strays = at::nonzero(target.lt(0).logical_or(target.ge(classes)));
        throw stage_error(
            fmt::format("the targets are class numbers {} to {}, but the network has {} classes (0 to {}); the first of {} "
                        "invalid ones is at entry {}",
                        min, max, classes, classes - 1, strays.size(0), strays[0][0].item<std::int64_t>()),
            "give the last layer one output per class, or check the file that the targets come from");
    }
}

at::Tensor Objective::prepare(const at::Tensor& target) const { return target.to(labels_ ? at::kLong : at::kFloat); }

// The targets of each single output.
at::Tensor Objective::yes_and_no(const at::Tensor& logits, const at::Tensor& target) const {
    if (!labels_) return target;
    if (output_[0] == 1) return target.to(logits.scalar_type()).unsqueeze(1);
    return at::zeros_like(logits, at::MemoryFormat::Contiguous).scatter_(1, target.unsqueeze(1), 1);
}

at::Tensor Objective::log_probabilities(const at::Tensor& logits) const {
    if (last_.kind != Activation::Sigmoid) return logits.log_softmax(1);
    const at::Tensor outputs = activated_ ? logits : logits.sigmoid();
    return (outputs / outputs.sum(1, true)).clamp(kClip, 1 - kClip).log();  // as Keras: whatever sums to 1 is a distribution
}

// The mean, or with `each` the losses that it is the mean of: [N] of cross_entropy, else of the outputs' shape.
at::Tensor Objective::losses(const at::Tensor& logits, const at::Tensor& target, bool each) const {
    const auto reduction = each ? at::Reduction::None : at::Reduction::Mean;
    switch (loss_) {
        case LossKind::Mse: return at::mse_loss(output(logits), target, reduction);
        case LossKind::CrossEntropy: return at::nll_loss(log_probabilities(logits), target, {}, reduction);
        case LossKind::BinaryCrossEntropy: break;
    }
    const at::Tensor wanted = yes_and_no(logits.detach(), target);
    if (activated_) return at::binary_cross_entropy(logits.clamp(kClip, 1 - kClip), wanted, {}, reduction);
    if (last_.kind != Activation::Softmax) {
        return at::binary_cross_entropy_with_logits(logits, wanted, {}, {}, reduction);
    }
    return at::binary_cross_entropy(logits.softmax(1).clamp(kClip, 1 - kClip), wanted, {}, reduction);
}

// Whether measured_loss() has it.
bool Objective::is_measurable(const at::Tensor& logits) const {
    if (kernels::cpu_level() == kernels::CpuLevel::Baseline || activated_) return false;
    if (!logits.is_cpu() || logits.scalar_type() != at::kFloat) return false;
    switch (loss_) {
        case LossKind::Mse: return kernels::is_elementwise(last_.kind);
        case LossKind::CrossEntropy: return last_.kind != Activation::Sigmoid && logits.dim() == 2;
        case LossKind::BinaryCrossEntropy: break;
    }
    return last_.kind != Activation::Softmax;
}

// Sample by sample, and those in order: LibTorch's means depend on the number of threads.
double Objective::measured_loss(const at::Tensor& logits, const at::Tensor& target) const {
    const at::Tensor values = logits.contiguous();
    const at::Tensor wanted = loss_ == LossKind::CrossEntropy ? target : yes_and_no(values, target).contiguous();
    const std::int64_t samples = values.size(0), outputs = values.numel() / samples;
    double sum = 0;
    const float* targets = loss_ == LossKind::CrossEntropy ? nullptr : wanted.data_ptr<float>();
    const kernels::Unit unit{last_.kind, static_cast<float>(last_.negative_slope)};
    std::vector<float> z(static_cast<std::size_t>(outputs));
    for (std::int64_t i = 0; i < samples; ++i) {
        std::copy_n(values.data_ptr<float>() + i * outputs, outputs, z.data());
        if (loss_ == LossKind::CrossEntropy) sum += kernels::cross_entropy(outputs, wanted.data_ptr<std::int64_t>()[i], 1, z.data());
        else if (loss_ == LossKind::Mse) sum += kernels::squared_error(unit, outputs, targets + i * outputs, 1, z.data());
        else sum += kernels::binary_cross_entropy(outputs, targets + i * outputs, 1, z.data());
    }
    return sum / static_cast<double>(loss_ == LossKind::CrossEntropy ? samples : values.numel());
}

at::Tensor Objective::loss(const at::Tensor& logits, const at::Tensor& target) const {
    if (!at::GradMode::is_enabled() && is_measurable(logits)) return at::scalar_tensor(measured_loss(logits, target), at::kDouble);
    return losses(logits, target, false);
}

at::Tensor Objective::loss(const at::Tensor& logits, const at::Tensor& target, const at::Tensor& weights) const {
    const at::Tensor each = losses(logits, target, true);
    return ((each.dim() > 1 ? each.mean(1) : each) * weights.index_select(0, target)).mean();
}

at::Tensor Objective::predicted(const at::Tensor& logits) const {
    const at::NoGradGuard no_grad;
    if (output_[0] == 1) return logits.detach().gt(threshold()).squeeze(1).to(at::kLong);
    return logits.detach().argmax(1);
}

void Objective::add_to(MetricSums& sums, const at::Tensor& logits, const at::Tensor& target, double loss) const {
    const at::NoGradGuard no_grad;
    const std::int64_t samples = logits.size(0);
    sums.loss += loss * static_cast<double>(samples);
    sums.samples += samples;
    const at::Tensor values = logits.detach();
    if (counts_classes()) sums.correct += right_classes(values, target).sum().item<double>();
    if (binary_) {
        const at::Tensor right = right_answers(values, target);
        sums.binary_correct +=
            right.sum().item<double>() * static_cast<double>(samples) / static_cast<double>(right.numel());
    }
}

void Objective::add_to(at::Tensor& sums, const at::Tensor& logits, const at::Tensor& target, const at::Tensor& loss) const {
    const at::NoGradGuard no_grad;
    const auto samples = static_cast<double>(logits.size(0));
    const at::Tensor values = logits.detach();
    const at::Tensor none = at::zeros({}, sums.options());
    at::Tensor correct = none, binary_correct = none;
    if (counts_classes()) correct = right_classes(values, target).sum().to(at::kDouble);
    if (binary_) {
        const at::Tensor right = right_answers(values, target);
        binary_correct = right.sum().to(at::kDouble).mul_(samples).div_(static_cast<double>(right.numel()));
    }
    sums.add_(at::stack({loss.detach().to(at::kDouble) * samples, correct, binary_correct}));
}

// The greatest logit is the greatest output, and a sigmoid above 0.5 a logit above 0: activations are monotonous.
at::Tensor Objective::right_answers(const at::Tensor& logits, const at::Tensor& target) const {
    const at::Tensor yes = is_softmax() ? logits.softmax(1).gt(0.5) : logits.gt(threshold());
    return yes.eq(yes_and_no(logits, target).gt(0.5));
}

at::Tensor MetricSums::on(at::Device device) const {
    return at::tensor({loss, correct, binary_correct}, at::kDouble).to(device);
}

void MetricSums::read(const at::Tensor& sums) {
    const at::Tensor here = sums.cpu();
    const auto* numbers = here.data_ptr<double>();
    loss = numbers[0];
    correct = numbers[1];
    binary_correct = numbers[2];
}

Numbers Objective::means(const MetricSums& sums) const {
    const auto samples = static_cast<double>(sums.samples);
    Numbers numbers{{"loss", sums.loss / samples}};
    if (labels_ && output_[0] > 1) numbers.emplace_back("accuracy", sums.correct / samples);
    if (labels_ && output_[0] == 1) numbers.emplace_back("accuracy", sums.binary_correct / samples);
    if (binary_) numbers.emplace_back("binary_accuracy", sums.binary_correct / samples);
    return numbers;
}

}  // namespace satdl::stages
