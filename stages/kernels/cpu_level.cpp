#include "stages/kernels/cpu_level.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace satdl::stages::kernels {
namespace {

CpuLevel level_of_processor() {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return CpuLevel::Baseline;
    for (const bool has : {__builtin_cpu_supports("avx512f") != 0, __builtin_cpu_supports("avx512bw") != 0,
                           __builtin_cpu_supports("avx512dq") != 0, __builtin_cpu_supports("avx512vl") != 0})
        if (!has) return CpuLevel::Avx2;
    return CpuLevel::Avx512;
#else
    return CpuLevel::Baseline;
#endif
}

CpuLevel level_allowed() {
    const char* const value = std::getenv("ATEN_CPU_CAPABILITY");
    const std::string_view allowed = value == nullptr ? "" : value;
    if (allowed == "default") return CpuLevel::Baseline;
    return allowed == "avx2" ? CpuLevel::Avx2 : CpuLevel::Avx512;
}

}  // namespace

CpuLevel cpu_level() {
    static const CpuLevel level = std::min(level_of_processor(), level_allowed());
    return level;
}

}  // namespace satdl::stages::kernels
