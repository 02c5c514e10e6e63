// The machine that will run the stages: cores, memory, and the instructions that decide the last bits of a result.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "pipeline/stage.h"

namespace satdl {

// Where the stages will run.
struct Machine {
    int cores = 1;
    std::string cpu = {};  // vector instructions that LibTorch will use: "DEFAULT", "AVX2", "AVX512", "AVX512_BF16", "AMX_BF16"
    // What else chooses MKL's and oneDNN's code, or "" if unknown: "GenuineIntel 6-207, caches 48K 2048K 266240K" (family, model).
    std::string processor = {};
    std::uint64_t memory_bytes = 0;  // 0: unknown
    std::string bf16 = {};           // the instructions that compute in bf16: "AVX512-BF16", "AMX-BF16"; empty: there are none
    // By stage library: the GPU that its stages find, or why there is none. Only of libraries that a plan had to ask (placement.h).
    std::map<std::filesystem::path, GpuAnswer> gpus = {};
    // What the commands under `versions` print, by project and command. Empty: none was run, and what the last run saw counts
    // (command_versions.h).
    std::map<std::pair<std::filesystem::path, std::string>, std::string> versions = {};
};
// Cores from the affinity mask, memory from the kernel, both capped by the container's; the CPU from cpuid, capped by
// $ATEN_CPU_CAPABILITY as LibTorch does.
[[nodiscard]] Machine this_machine();

// Machine::bf16 of a machine with this Machine::cpu.
[[nodiscard]] std::string_view bf16_of(std::string_view cpu);
// The value of $ATEN_CPU_CAPABILITY with which a machine of the right kind has this Machine::cpu: "avx2" for "AVX2 of AVX512"; "": not set.
[[nodiscard]] std::string_view cpu_cap_of(std::string_view cpu);

}  // namespace satdl
