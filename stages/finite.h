// Samples with NaN or infinity: they are no mistake by themselves (a later stage may deal with them), but nobody should learn of them
// from a loss. Stages that compute say so in one way; an evaluation, whose metrics would be wrong, fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "pipeline/stage.h"

namespace satdl::stages {

struct NotFinite {
    std::int64_t samples = 0;  // that have a NaN or an infinity
    std::int64_t first = 0;    // of them
};

// nullopt if there are none. `samples`: float32 [N, ...].
[[nodiscard]] std::optional<NotFinite> find_not_finite(const Array& samples, int threads);

// Logs a warning if an output has such samples.
void warn_of_not_finite(const Array& output, std::string_view port, StageContext& context);

}  // namespace satdl::stages
