// Where LibTorch computes for a stage: on the CPU, or on the first GPU that CUDA shows ($CUDA_VISIBLE_DEVICES chooses).
//
// Compiled against any LibTorch, without CUDA's headers. Name and capabilities of a GPU, which LibTorch gives only through those
// headers, come from the driver's library, whose C interface is stable.
#pragma once

#include <string>

#include "pipeline/stage.h"
#include "stages/torch.h"

namespace satdl::stages {

// The first GPU as the driver's library reports it: `driver` as dlopen takes it. `versions`: what else decides its last bits.
[[nodiscard]] GpuAnswer gpu_of_driver(const std::string& driver, const std::string& versions);

// The device of a stage. For a GPU: from now on, in the whole process, cuDNN takes the same algorithms each time, and only such
// as give the same bits again; and float32 is not rounded to TF32. CPUs do not read these settings.
[[nodiscard]] at::Device device_for(const StageContext& context);

// The parameter of stages that compute networks.
[[nodiscard]] ParamDescription device_param();

}  // namespace satdl::stages
