// The vector instructions that our own kernels use.
//
// A function of what is part of the key as `cpu` (pipeline/plan/machine.cpp): the same instructions for the same level, and no
// more than $ATEN_CPU_CAPABILITY allows LibTorch. The kernels' results do not depend on the level, but whether Winograd's
// convolution is used does.
#pragma once

namespace satdl::stages::kernels {

enum class CpuLevel { Baseline, Avx2, Avx512 };

[[nodiscard]] CpuLevel cpu_level();

}  // namespace satdl::stages::kernels
