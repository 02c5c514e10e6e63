// The built-in stages, one a file: each function returns what its stage says of itself, and its code.
#pragma once

#include "pipeline/stage.h"

namespace satdl::stages {

[[nodiscard]] StageEntry load_stage();
[[nodiscard]] StageEntry read_stage();
[[nodiscard]] StageEntry read_images_stage();
[[nodiscard]] StageEntry normalise_stage();
[[nodiscard]] StageEntry add_noise_stage();
[[nodiscard]] StageEntry concat_stage();
[[nodiscard]] StageEntry split_stage();
[[nodiscard]] StageEntry model_stage();
[[nodiscard]] StageEntry train_stage();
[[nodiscard]] StageEntry fine_tune_stage();
[[nodiscard]] StageEntry features_stage();
[[nodiscard]] StageEntry evaluate_stage();
[[nodiscard]] StageEntry evaluate_predictions_stage();
[[nodiscard]] StageEntry compare_stage();

// For StageLibraryInfo::find_gpu: what LibTorch's CUDA finds. Here and not in device.h, whose LibTorch the library's entry does not need.
[[nodiscard]] GpuAnswer find_gpu();

}  // namespace satdl::stages
