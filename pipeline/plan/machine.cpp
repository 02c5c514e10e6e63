// What the processor has, detected without LibTorch (which would cost 0.4 s).
//
// LibTorch's own kernels know three levels (DEFAULT, AVX2, AVX512); oneDNN under it also uses bf16 and AMX where they are, and
// does not listen to $ATEN_CPU_CAPABILITY. So if that variable caps the one and not the other, both are in the key.
//
// The level does not decide everything: MKL chooses kernels by make and model (Intel's AVX2 path is not AMD's), and oneDNN cuts work
// into blocks by the sizes of the caches; either changes the order of sums.
#include "pipeline/plan/machine.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace satdl {
namespace {

enum class Level { Default, Avx2, Avx512, Avx512Bf16, AmxBf16 };

std::string_view name_of(Level level) {
    switch (level) {
        case Level::Default: return "DEFAULT";
        case Level::Avx2: return "AVX2";
        case Level::Avx512: return "AVX512";
        case Level::Avx512Bf16: return "AVX512_BF16";
        case Level::AmxBf16: return "AMX_BF16";
    }
    return "";
}

#if defined(__x86_64__)
bool bit(unsigned word, int number) { return ((word >> number) & 1U) != 0; }

Level processor_level() {
    // __builtin_cpu_supports also asks the operating system whether it saves the registers.
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Level::Default;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl")) {
        return Level::Avx2;
    }
    unsigned a = 0, b = 0, c = 0, d = 0;
    const bool bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && bit(a, 5);
    const bool amx = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && bit(d, 22) && bit(d, 24);  // AMX-BF16, AMX-TILE
    if (!bf16) return Level::Avx512;
    return amx ? Level::AmxBf16 : Level::Avx512Bf16;
}
#else
Level processor_level() { return Level::Default; }
#endif

#if defined(__x86_64__)
// "GenuineIntel 6-207": make, family and model.
std::string make_and_model() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(0, &a, &b, &c, &d) == 0) return "";
    std::string make;
    for (const unsigned word : {b, d, c}) make.append(reinterpret_cast<const char*>(&word), sizeof word);
    if (__get_cpuid(1, &a, &b, &c, &d) == 0) return "";
    const unsigned family = (a >> 8 & 0xF) + ((a >> 8 & 0xF) == 0xF ? a >> 20 & 0xFF : 0);
    const unsigned model = (a >> 4 & 0xF) | (a >> 12 & 0xF0);
    return fmt::format("{} {}-{}", make, family, model);
}
#else
std::string make_and_model() { return ""; }
#endif

// Of the first core, whatever core we run on: a processor may have cores of two kinds.
std::string processor_name() {
    std::string name = make_and_model();
    if (name.empty()) return name;
    for (const int cache : {0, 2, 3}) {  // data of level 1, level 2, level 3; 1 is for instructions
        std::string size;
        if (std::ifstream file(fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/size", cache)); file >> size)
            name += fmt::format("{}{}", cache == 0 ? ", caches " : " ", size);
    }
    return name;
}

std::string cpu_name() {
    const Level has = processor_level();
    const char* wanted = std::getenv("ATEN_CPU_CAPABILITY");
    const std::string_view cap = wanted == nullptr ? "" : wanted;
    if (cap == "default" && has > Level::Default) return fmt::format("DEFAULT of {}", name_of(has));
    if (cap == "avx2" && has > Level::Avx2) return fmt::format("AVX2 of {}", name_of(has));
    return std::string(name_of(has));  // LibTorch ignores any other value of the variable
}

int affinity_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

// A container's share of the processor, rounded up; 0 if there is no limit.
int quota_cores() {
    double quota = -1;
    double period = 0;
    if (std::ifstream both("/sys/fs/cgroup/cpu.max"); !(both >> quota >> period)) {  // version 2: "200000 100000" or "max 100000"
        std::ifstream first("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
        std::ifstream second("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
        if (!(first >> quota) || !(second >> period)) return 0;
    }
    return quota > 0 && period > 0 ? static_cast<int>(std::ceil(quota / period)) : 0;
}

// What the machine has, or a container's share of it if that is less.
std::uint64_t memory_bytes() {
    std::uint64_t bytes = 0;
    const auto pages = sysconf(_SC_PHYS_PAGES);
    const auto page_bytes = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page_bytes > 0) bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
    for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
        std::uint64_t limit = 0;
        if (std::ifstream(file) >> limit && limit > 0) bytes = std::min(bytes, limit);
    }
    return bytes;
}

}  // namespace

Machine this_machine() {
    const int cores = affinity_cores();
    const int quota = quota_cores();
    return Machine{.cores = quota > 0 ? std::min(cores, quota) : cores,
                   .cpu = cpu_name(),
                   .processor = processor_name(),
                   .memory_bytes = memory_bytes(),
                   .bf16 = std::string(bf16_of(name_of(processor_level())))};
}

// oneDNN's, which computes in bf16 whatever $ATEN_CPU_CAPABILITY says.
std::string_view bf16_of(std::string_view cpu) {
    if (cpu.ends_with(name_of(Level::AmxBf16))) return "AMX-BF16";
    if (cpu.ends_with(name_of(Level::Avx512Bf16))) return "AVX512-BF16";
    return "";
}

std::string_view cpu_cap_of(std::string_view cpu) {
    if (cpu.starts_with("DEFAULT of ")) return "default";
    if (cpu.starts_with("AVX2 of ")) return "avx2";
    return "";
}

}  // namespace satdl
