// In which order metrics are listed for people.
#pragma once

#include <string>

namespace satdl {

// The lower, the earlier: how good a model is, on data that it was not trained on, before the rest, and before what repeats
// it (best/..., last/..., epoch_of_best/...).
[[nodiscard]] int metric_rank(const std::string& metric);

}  // namespace satdl
