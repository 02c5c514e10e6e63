#include "pipeline/executors/stage_environment.h"

#include <cstdlib>
#include <initializer_list>
#include <string_view>

namespace satdl {
namespace {

// docs/engine.md lists what each of them does, and which others were found to be harmless.
constexpr std::initializer_list<const char*> kIgnored{
    // MKL: the code path and how a product is divided
    "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "MKL_NUM_STRIPES",
    // oneDNN, which reads each variable under both names
    "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_CPU_ISA_HINTS", "DNNL_CPU_ISA_HINTS", "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
    // OpenMP (GCC's; from GCC 13 on also with _ALL; LLVM's and Intel's): fewer threads than a stage asks for, or a crash
    "OMP_THREAD_LIMIT", "OMP_THREAD_LIMIT_ALL", "OMP_DYNAMIC", "OMP_DYNAMIC_ALL", "OMP_MAX_ACTIVE_LEVELS",
    "OMP_MAX_ACTIVE_LEVELS_ALL", "OMP_STACKSIZE", "OMP_STACKSIZE_ALL", "GOMP_STACKSIZE", "KMP_STACKSIZE", "KMP_ALL_THREADS",
    "KMP_DEVICE_THREAD_LIMIT", "KMP_DYNAMIC_MODE",
    // CUDA: TF32 and emulation in place of float32, and other algorithms
    "NVIDIA_TF32_OVERRIDE", "CUBLAS_EMULATE_SINGLE_PRECISION", "TORCH_BLAS_PREFER_CUBLASLT", "TORCH_CUDNN_USE_HEURISTIC_MODE_B",
    "TORCH_CUDNN_V8_API_DISABLED"};

// cuBLAS: separate buffers for each stream; without them results may differ in their last bits each time.
constexpr const char* kWorkspace = "CUBLAS_WORKSPACE_CONFIG";
constexpr std::string_view kWorkspaceValue = ":4096:8";

}  // namespace

std::vector<std::string> prepare_stage_environment() {
    std::vector<std::string> ignored;
    for (const char* name : kIgnored) {
        if (std::getenv(name) == nullptr) continue;
        ignored.emplace_back(name);
        ::unsetenv(name);
    }
    const char* workspace = std::getenv(kWorkspace);
    if (workspace != nullptr && workspace != kWorkspaceValue) ignored.emplace_back(kWorkspace);
    ::setenv(kWorkspace, kWorkspaceValue.data(), 1);
    // OpenMP's threads that spin while they wait take a core from the other running stages (on two busy cores M1's training took two
    // to three times as long). No result depends on it, so the user may set it.
    ::setenv("OMP_WAIT_POLICY", "passive", 0);
    return ignored;
}

}  // namespace satdl
