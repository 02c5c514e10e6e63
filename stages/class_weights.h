// How much each class counts in the training loss.
#pragma once

#include <cstdint>
#include <vector>

#include "stages/torch.h"

namespace satdl::stages {

// n / (classes * n_c), so that each class counts as much as any other (King and Zeng, "Logistic regression in rare events
// data"; scikit-learn's "balanced"); 0 for a class without samples. `labels`: int64 [n], each in [0, classes).
[[nodiscard]] std::vector<double> balanced_weights(const at::Tensor& labels, std::int64_t classes);

}  // namespace satdl::stages
