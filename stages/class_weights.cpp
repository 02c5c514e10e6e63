#include "stages/class_weights.h"

namespace satdl::stages {

std::vector<double> balanced_weights(const at::Tensor& labels, std::int64_t classes) {
    const at::Tensor counts = labels.bincount({}, classes);
    std::vector<double> weights;
    for (std::int64_t one = 0; one < classes; ++one) {
        const auto count = counts[one].item<double>();
        const auto samples = static_cast<double>(labels.size(0));
        weights.push_back(count == 0 ? 0 : samples / (static_cast<double>(classes) * count));
    }
    return weights;
}

}  // namespace satdl::stages
