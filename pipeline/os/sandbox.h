// What a process gives up before it parses a file of a stranger's: so that a parser that is led astray can neither read
// another file, write one, reach the network, gain rights, nor take the machine's memory or time.
//
// Resource limits and no_new_privs hold everywhere. Landlock (Linux 5.13 and newer) does where the kernel has it, and is
// passed over where not: the limit on descriptors then still keeps any second file from being opened.
#pragma once

#include <cstdint>
#include <filesystem>

namespace satdl {

struct SandboxLimits {
    std::uint64_t address_bytes = std::uint64_t{1} << 30;
    std::uint64_t cpu_seconds = 5;       // what limit_cpu() may raise ...
    std::uint64_t cpu_most_seconds = 5;  // ... up to this
};

// For the whole process and for good: an empty environment, no descriptors but stdin, stdout and stderr, and one that may
// still be opened, of `only_file`. Throws Error{Store} where a limit cannot be set.
void enter_sandbox(const std::filesystem::path& only_file, const SandboxLimits& limits);

// The process dies of SIGXCPU when it has used so much in all.
void limit_cpu(std::uint64_t seconds);

// Of the kernel's Landlock; 0 where it has none.
[[nodiscard]] int landlock_version();

}  // namespace satdl
