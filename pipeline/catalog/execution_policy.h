// How a stage is attempted: how often, for how long, in how much memory. None of it can change
// a result, so none of it is part of a key.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satdl {

struct ExecutionPolicy {
    int retries = 0;  // further attempts, after one that failed
    double retry_delay_seconds = 0;
    std::optional<double> timeout_seconds;      // of one attempt
    std::optional<std::uint64_t> memory_bytes;  // of one attempt, which then has a process of its own
    bool isolate = false;                       // a process of its own in any case
    bool operator==(const ExecutionPolicy&) const = default;

    [[nodiscard]] bool isolated() const { return isolate || memory_bytes.has_value(); }
    // Precondition: there is a timeout. How long a process has to stop, once asked to, before it is killed: a tenth of
    // the timeout, from a second to half a minute.
    [[nodiscard]] double grace_seconds() const;
};

// The keys of a stage in YAML that set it, and which executor the stage has (dag_file/job_settings_reader.h).
inline constexpr std::array<std::string_view, 7> kExecutionPolicyKeys{"retries", "retry_delay", "timeout", "memory", "isolate",
                                                                      "executor", "resources"};

// "90s", "1.5h": a number and one of ms, s, m, h, d. nullopt if the text is not.
[[nodiscard]] std::optional<double> seconds_from_text(std::string_view text);
// "4GB", "512MB": a number and one of B, kB, MB, GB, TB, in powers of 1024 as for --memory. nullopt if the text is not.
[[nodiscard]] std::optional<std::uint64_t> bytes_from_text(std::string_view text);
[[nodiscard]] std::string memory_text(std::uint64_t bytes);  // "4 GB", likewise in powers of 1024

}  // namespace satdl
