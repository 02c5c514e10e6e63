// What a process gives up before it parses an untrusted file: so that an exploited parser can neither read
// nor write another file, reach the network, gain privileges, or use up the machine's memory or time.
//
// Resource limits and no_new_privs always hold. Landlock (Linux 5.13 and newer) holds if the kernel has it, and is
// skipped otherwise: the limit on descriptors then still prevents that a second file is opened.
#pragma once

#include <cstdint>
#include <filesystem>

namespace satdl {

struct SandboxLimits {
    std::uint64_t address_bytes = std::uint64_t{1} << 30;
    std::uint64_t cpu_seconds = 5;       // what limit_cpu() may raise ...
    std::uint64_t cpu_max_seconds = 5;  // ... up to this
};

// For the whole process, irrevocably: an empty environment, no descriptors but stdin, stdout and stderr, and one that may
// still be opened, of `only_file`. Throws Error{Store} where a limit cannot be set.
void enter_sandbox(const std::filesystem::path& only_file, const SandboxLimits& limits);

// The process dies of SIGXCPU when it has used this much in total.
void limit_cpu(std::uint64_t seconds);

}  // namespace satdl
