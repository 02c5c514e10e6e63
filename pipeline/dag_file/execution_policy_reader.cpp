#include "pipeline/dag_file/execution_policy_reader.h"

#include <fmt/format.h>

namespace satdl {
namespace {

constexpr int kMaxRetries = 100;
constexpr double kMaxSeconds = 366.0 * 86400;
constexpr std::uint64_t kMinMemory = 16 << 20;  // of a process that has just started
constexpr const char* kTimeHint = "a number and a unit (ms, s, m, h, d), such as 90s or 2h";
constexpr const char* kMemoryHint = "a number and a unit (MB, GB, TB), such as 500MB or 4GB";

class Reader {
public:
    Reader(const ConfigValue& body, const LocalNames& locals, Interpolation& interpolation, Diagnostics& diagnostics)
        : body_(body), locals_(locals), interpolation_(interpolation), diagnostics_(diagnostics) {}

    ExecutionPolicy read() {
        ExecutionPolicy read;
        if (const auto retries = value("retries")) read.retries = count(*retries);
        if (const auto delay = value("retry_delay")) read.retry_delay_seconds = seconds("retry_delay", *delay, 0).value_or(0);
        if (const auto timeout = value("timeout")) read.timeout_seconds = seconds("timeout", *timeout, 1e-3);
        if (const auto memory = value("memory")) read.memory_bytes = bytes(*memory);
        const auto isolate = value("isolate");
        if (isolate) read.isolate = flag(*isolate);
        if (isolate && !read.isolate && read.memory_bytes)
            diagnostics_.add(isolate->place(), "a stage with a memory limit runs in its own process",
                             "remove 'isolate: false', or set 'memory: null'");
        if (body_.find("retry_delay") && !body_.find("retries"))
            diagnostics_.add(body_.find("retry_delay")->place(), "'retry_delay' has no effect without 'retries'",
                             "retries: 2 tries a stage that failed up to twice more");
        return read;
    }

private:
    // Null is the same as absent, so that a parameter or a stage can switch it off.
    std::optional<ConfigValue> value(std::string_view key) {
        const ConfigValue* raw = body_.find(key);
        if (raw == nullptr) return std::nullopt;
        auto applied = interpolation_.apply(*raw, locals_);
        return applied && applied->is_null() ? std::nullopt : std::move(applied);
    }

    int count(const ConfigValue& value) {
        const auto number = value.as_integer();
        if (number && *number >= 0 && *number <= kMaxRetries) return static_cast<int>(*number);
        report(value, "retries", "a whole number", fmt::format("from 0 to {}: how often a failed stage is tried again", kMaxRetries));
        return 0;
    }

    std::optional<double> seconds(std::string_view key, const ConfigValue& value, double min) {
        const auto read = value.is_scalar() ? seconds_from_text(value.text()) : std::nullopt;
        if (read && *read >= min && *read <= kMaxSeconds) return read;
        report(value, key, "a duration", read ? fmt::format("from {} to 366d", min > 0 ? "1ms" : "0s") : kTimeHint);
        return std::nullopt;
    }

    std::optional<std::uint64_t> bytes(const ConfigValue& value) {
        const auto read = value.is_scalar() ? bytes_from_text(value.text()) : std::nullopt;
        if (read && *read >= kMinMemory) return read;
        report(value, "memory", "a memory size", read ? fmt::format("at least {}", memory_text(kMinMemory)) : kMemoryHint);
        return std::nullopt;
    }

    bool flag(const ConfigValue& value) {
        const auto read = value.as_boolean();
        if (!read) report(value, "isolate", "true or false", "true: the stage runs in its own process");
        return read.value_or(false);
    }

    void report(const ConfigValue& value, std::string_view key, std::string_view wanted, std::string hint) {
        diagnostics_.add(value.place(), fmt::format("'{}' must be {}, not {}", key, wanted, value.describe()), std::move(hint));
    }

    const ConfigValue& body_;
    const LocalNames& locals_;
    Interpolation& interpolation_;
    Diagnostics& diagnostics_;
};

}  // namespace

ExecutionPolicy read_execution_policy(const ConfigValue& body, const LocalNames& locals, Interpolation& interpolation, Diagnostics& diagnostics) {
    return Reader(body, locals, interpolation, diagnostics).read();
}

}  // namespace satdl
