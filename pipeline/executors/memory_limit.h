// A bound on the memory of a process and of all that it starts.
//
// A control group of its own if permitted (cgroups(7), version 2 or 1, below or next to our own): it counts what is really used,
// of all processes together, and the kernel ends them when it is reached. Else RLIMIT_DATA (setrlimit(2)), of each process by itself: then
// an allocation fails. RLIMIT_AS was rejected: LibTorch, its threads' stacks and mapped inputs take up far more addresses than memory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace satdl {

enum class LimitKind { None, CgroupV2, CgroupV1, Data };
[[nodiscard]] std::string_view name_of(LimitKind kind);  // "cgroup v2", "RLIMIT_DATA"

class MemoryLimit {
public:
    // Creates the control group, if permitted; nullopt: no limit.
    explicit MemoryLimit(std::optional<std::uint64_t> bytes);
    ~MemoryLimit();  // removes it again; by then no process may be in it
    MemoryLimit(const MemoryLimit&) = delete;
    MemoryLimit& operator=(const MemoryLimit&) = delete;

    // Limits a process that has not started anything yet; returns its limit. Data: the process must call limit_data() itself.
    [[nodiscard]] LimitKind add_process(pid_t process);
    // Of the calling process, and of each that it starts.
    static void limit_data(std::uint64_t bytes);
    // Whether the kernel has ended a process because the group had no memory left.
    [[nodiscard]] bool oom_killed() const;

private:
    [[nodiscard]] bool create_cgroup(const std::filesystem::path& parent, LimitKind kind);

    const std::uint64_t bytes_;
    LimitKind kind_;
    std::filesystem::path group_;  // "": none
};

}  // namespace satdl
