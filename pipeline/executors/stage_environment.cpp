#include "pipeline/executors/stage_environment.h"

#include <array>
#include <cstdlib>
#include <string_view>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

struct Variable {
    const char* name;
    std::string_view usual = {};  // the value, in lower case, with which it does what its absence does
    bool of_gpu = false;
};

// docs/engine.md lists what each of them does, and which others were found to be harmless.
constexpr auto kIgnored = std::to_array<Variable>({
    // MKL: the code path and how a product is divided
    {"MKL_CBWR"}, {"MKL_ENABLE_INSTRUCTIONS"}, {"MKL_NUM_STRIPES"},
    // oneDNN, which reads each variable under both names
    {"ONEDNN_MAX_CPU_ISA", "default"}, {"DNNL_MAX_CPU_ISA", "default"}, {"ONEDNN_CPU_ISA_HINTS", "no_hints"},
    {"DNNL_CPU_ISA_HINTS", "no_hints"}, {"ONEDNN_DEFAULT_FPMATH_MODE", "strict"}, {"DNNL_DEFAULT_FPMATH_MODE", "strict"},
    // OpenMP (GCC's; from GCC 13 on also with _ALL; LLVM's and Intel's): fewer threads than a stage asks for, or a crash
    {"OMP_THREAD_LIMIT"}, {"OMP_THREAD_LIMIT_ALL"}, {"OMP_DYNAMIC", "false"}, {"OMP_DYNAMIC_ALL", "false"}, {"OMP_MAX_ACTIVE_LEVELS"},
    {"OMP_MAX_ACTIVE_LEVELS_ALL"}, {"OMP_STACKSIZE"}, {"OMP_STACKSIZE_ALL"}, {"GOMP_STACKSIZE"}, {"KMP_STACKSIZE"}, {"KMP_ALL_THREADS"},
    {"KMP_DEVICE_THREAD_LIMIT"}, {"KMP_DYNAMIC_MODE"},
    // CUDA: TF32 and emulation in place of float32, and other algorithms
    {"NVIDIA_TF32_OVERRIDE", "", true}, {"CUBLAS_EMULATE_SINGLE_PRECISION", "0", true}, {"TORCH_BLAS_PREFER_CUBLASLT", "0", true},
    {"TORCH_CUDNN_USE_HEURISTIC_MODE_B", "0", true}, {"TORCH_CUDNN_V8_API_DISABLED", "0", true}});

// cuBLAS: separate buffers for each stream; without them results may differ in their last bits each time.
constexpr Variable kWorkspace{"CUBLAS_WORKSPACE_CONFIG", ":4096:8", true};

// What the user had set stands nowhere else once it is removed. Written before there are threads.
std::vector<Variable>& ignored() {
    static std::vector<Variable> variables;
    return variables;
}

// The libraries take an empty value for none.
void note(const Variable& variable, std::string_view value) {
    if (!value.empty() && lower(value) != variable.usual) ignored().push_back(variable);
}

}  // namespace

void prepare_stage_environment() {
    ignored().clear();
    for (const Variable& variable : kIgnored) {
        const char* const value = std::getenv(variable.name);
        if (value == nullptr) continue;
        note(variable, value);
        ::unsetenv(variable.name);
    }
    if (const char* const value = std::getenv(kWorkspace.name)) note(kWorkspace, value);
    ::setenv(kWorkspace.name, kWorkspace.usual.data(), 1);
    // OpenMP's threads that spin while they wait take a core from the other running stages (on two busy cores M1's training took two
    // to three times as long). No result depends on it, so the user may set it.
    ::setenv("OMP_WAIT_POLICY", "passive", 0);
}

std::vector<std::string> ignored_variables(bool on_gpu) {
    std::vector<std::string> names;
    for (const Variable& variable : ignored())
        if (on_gpu || !variable.of_gpu) names.emplace_back(variable.name);
    return names;
}

}  // namespace satdl
