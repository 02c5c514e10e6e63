// Classifiers on the same test data, sample by sample: confusion matrices, and whether two of them differ by more than
// chance. The stage compare and the report give the same verdict because both ask here.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pipeline/core/array.h"

namespace satdl {

// A classifier's answer for each sample, from predictions [N, C]: the class with the greatest output (the first of equals;
// an output that is NaN is never the greatest), and that output. nullopt if the array has another type or shape, or a sample without any
// number: that is no answer, and class 0 least of all.
struct Answers {
    std::int64_t classes = 0;
    std::vector<std::int64_t> answer;
    std::vector<double> output;
};
[[nodiscard]] std::optional<Answers> answers_of(const Array& predictions);
// Class numbers [N] of any integer type; nullopt if the array is something else, or a number is outside 0 .. classes - 1.
[[nodiscard]] std::optional<std::vector<std::int64_t>> labels_of(const Array& labels, std::int64_t classes);

// counts[label * classes + answer]. Precondition: as many labels as answers.
[[nodiscard]] std::vector<std::int64_t> confusion_of(const Answers& answers, const std::vector<std::int64_t>& labels);

// McNemar's test (McNemar 1947; exact form): of the samples on which exactly one of two classifiers is right, does one have
// more than a fair coin would give it? `p_value`: two-sided, from the binomial distribution, at most 1.
struct McNemar {
    std::int64_t only_first = 0, only_second = 0;  // right where the other is wrong
    std::int64_t both = 0, neither = 0;
    double p_value = 1;
    [[nodiscard]] bool tells_apart() const { return p_value < 0.05; }
};
[[nodiscard]] double mcnemar_p(std::int64_t only_first, std::int64_t only_second);
// Precondition: as many labels as answers of each.
[[nodiscard]] McNemar mcnemar(const Answers& first, const Answers& second, const std::vector<std::int64_t>& labels);

}  // namespace satdl
