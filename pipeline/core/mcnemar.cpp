#include "pipeline/core/mcnemar.h"

#include <algorithm>
#include <cmath>

namespace satdl {

namespace {

template <typename T>
std::optional<Answers> greatest(std::span<const T> outputs, std::int64_t samples, std::int64_t classes) {
    Answers answers{classes, {}, {}};
    for (std::int64_t sample = 0; sample < samples; ++sample) {
        std::int64_t best = 0;
        for (std::int64_t c = 1; c < classes; ++c) {
            const T now = outputs[sample * classes + c], before = outputs[sample * classes + best];
            if (now > before || (std::isnan(before) && !std::isnan(now))) best = c;
        }
        if (std::isnan(outputs[sample * classes + best])) return std::nullopt;
        answers.answer.push_back(best);
        answers.output.push_back(static_cast<double>(outputs[sample * classes + best]));
    }
    return answers;
}

template <typename T>
std::vector<std::int64_t> as_integers(std::span<const T> values) {
    return {values.begin(), values.end()};
}

}  // namespace

std::optional<Answers> answers_of(const Array& predictions) {
    const Shape& shape = predictions.shape();
    if (shape.size() != 2 || shape[1] < 2) return std::nullopt;
    if (predictions.dtype() == DType::Float32) return greatest(predictions.values<float>(), shape[0], shape[1]);
    if (predictions.dtype() == DType::Float64) return greatest(predictions.values<double>(), shape[0], shape[1]);
    return std::nullopt;
}

std::optional<std::vector<std::int64_t>> labels_of(const Array& labels, std::int64_t classes) {
    if (labels.shape().size() != 1) return std::nullopt;
    std::vector<std::int64_t> numbers;
    switch (labels.dtype()) {
        case DType::UInt8:
            numbers = as_integers(labels.values<std::uint8_t>());
            break;
        case DType::Int32:
            numbers = as_integers(labels.values<std::int32_t>());
            break;
        case DType::Int64:
            numbers = as_integers(labels.values<std::int64_t>());
            break;
        case DType::Float32:
        case DType::Float64:
            return std::nullopt;
    }
    const auto outside = [&](std::int64_t label) { return label < 0 || label >= classes; };
    if (std::any_of(numbers.begin(), numbers.end(), outside)) return std::nullopt;
    return numbers;
}

std::vector<std::int64_t> confusion_of(const Answers& answers, const std::vector<std::int64_t>& labels) {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(answers.classes * answers.classes));
    for (std::size_t i = 0; i < labels.size(); ++i) ++counts[labels[i] * answers.classes + answers.answer[i]];
    return counts;
}

double mcnemar_p(std::int64_t only_first, std::int64_t only_second) {
    const std::int64_t n = only_first + only_second, min = std::min(only_first, only_second);
    double tail = 0;  // P(at most `min` heads of n)
    for (std::int64_t k = 0; k <= min; ++k) {
        const auto log_factorial = [](std::int64_t m) { return std::lgamma(static_cast<double>(m) + 1); };
        tail +=
            std::exp(log_factorial(n) - log_factorial(k) - log_factorial(n - k) - static_cast<double>(n) * std::log(2.0));
    }
    return std::min(1.0, 2 * tail);
}

McNemar mcnemar(const Answers& first, const Answers& second, const std::vector<std::int64_t>& labels) {
    McNemar result;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const bool one = first.answer[i] == labels[i], other = second.answer[i] == labels[i];
        ++(one ? other ? result.both : result.only_first : other ? result.only_second : result.neither);
    }
    result.p_value = mcnemar_p(result.only_first, result.only_second);
    return result;
}

}  // namespace satdl
