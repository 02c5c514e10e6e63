#include "pipeline/dag_file/job_resources_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "pipeline/catalog/execution_policy.h"

namespace satdl {
namespace {

constexpr std::int64_t kMaxCpus = 65536, kMaxGpus = 1024;
constexpr double kMinJobSeconds = 1, kMaxJobSeconds = 366.0 * 86400;
constexpr std::uint64_t kMinJobMemory = 16 << 20;
constexpr std::size_t kMaxExtra = 32;
constexpr const char* kJobTimeHint = "a number and a unit (s, m, h, d), from 1s to 366d, such as 90m or 2h";
constexpr const char* kJobMemoryHint = "a number and a unit (MB, GB, TB), at least 16MB, such as 500MB or 4GB";

// Options of the batch system that satdl gives itself: why `extra` cannot have them. `key`: of `resources`; "": satdl cannot do without its
// own.
struct Reserved {
    std::string_view option, letter;
    std::string_view key;
};
constexpr auto kReserved = std::to_array<Reserved>({
    {"--cpus-per-task", "-c", "cpus"}, {"--time", "-t", "time"}, {"--gpus", "-G", "gpus"}, {"--partition", "-p", "partition"},
    {"--account", "-A", "account"}, {"--qos", "-q", "qos"}, {"--constraint", "-C", "constraint"},
    {"--nodes", "-N", ""}, {"--ntasks", "-n", ""}, {"--array", "-a", ""}, {"--job-name", "-J", ""}, {"--comment", "", ""},
    {"--output", "-o", ""}, {"--error", "-e", ""}, {"--input", "-i", ""}, {"--open-mode", "", ""}, {"--signal", "", ""}, {"--requeue", "", ""},
    {"--no-requeue", "", ""}, {"--parsable", "", ""}, {"--wrap", "", ""}, {"--chdir", "-D", ""}, {"--dependency", "-d", ""},
    {"--hold", "-H", ""}, {"--wait", "-W", ""}, {"--test-only", "", ""}, {"--export-file", "", ""}, {"--help", "-h", ""},
    {"--usage", "", ""}, {"--version", "-V", ""}});

bool is_option(std::string_view text, std::string_view option, std::string_view letter) {
    if (text == option || (text.starts_with(option) && text.size() > option.size() && text[option.size()] == '=')) return true;
    return !letter.empty() && text.starts_with(letter);
}

class ResourceReader {
public:
    ResourceReader(const ConfigValue& resources, Diagnostics& diagnostics) : resources_(resources), diagnostics_(diagnostics) {}

    JobResources read() {
        for (const ConfigValue::Entry& entry : resources_.entries())
            if (std::ranges::find(job_resource_keys(), entry.key) == job_resource_keys().end())
                diagnostics_.add(entry.key_place, fmt::format("there is no resource '{}'", printable(entry.key)),
                                 did_you_mean(entry.key, job_resource_keys()));
        JobResources read;
        if (const auto* cpus = value("cpus")) read.cpus = static_cast<int>(count(*cpus, "cpus", 1, kMaxCpus).value_or(1));
        if (const auto* gpus = value("gpus")) read.gpus = static_cast<int>(count(*gpus, "gpus", 0, kMaxGpus).value_or(0));
        if (const auto* memory = value("memory")) read.memory_bytes = bytes(*memory);
        if (const auto* time = value("time")) read.seconds = seconds(*time);
        for (const auto& [key, to] : {std::pair{"partition", &read.partition}, {"account", &read.account}, {"qos", &read.qos},
                                      {"constraint", &read.constraint}})
            if (const auto* text = value(key)) *to = name(*text, key);
        if (const auto* extra = value("extra")) read.extra = options(*extra, read);
        return read;
    }

private:
    // Null is the same as absent.
    const ConfigValue* value(std::string_view key) {
        const ConfigValue* const found = resources_.find(key);
        return found != nullptr && found->is_null() ? nullptr : found;
    }

    std::optional<std::int64_t> count(const ConfigValue& value, std::string_view key, std::int64_t least, std::int64_t most) {
        const auto number = value.as_integer();
        if (number && *number >= least && *number <= most) return number;
        report(value, key, "a whole number", fmt::format("from {} to {}", least, most));
        return std::nullopt;
    }

    std::uint64_t bytes(const ConfigValue& value) {
        const auto read = value.is_scalar() ? bytes_from_text(value.text()) : std::nullopt;
        if (read && *read >= kMinJobMemory) return *read;
        report(value, "memory", "a memory size", kJobMemoryHint);
        return 0;
    }

    std::optional<double> seconds(const ConfigValue& value) {
        const auto read = value.is_scalar() ? seconds_from_text(value.text()) : std::nullopt;
        if (read && *read >= kMinJobSeconds && *read <= kMaxJobSeconds) return read;
        report(value, "time", "a duration", kJobTimeHint);
        return std::nullopt;
    }

    // It becomes a part of an argument.
    std::string name(const ConfigValue& value, std::string_view key) {
        const std::string& text = value.text();
        const bool good = value.is_scalar() && !text.empty() && text.size() <= 200 && text.front() != '-' && printable(text) == text &&
                          text.find_first_of(" \t\n\"'\\`$;") == std::string::npos;
        if (good) return text;
        report(value, key, "a name of the batch system's", "without spaces and quotes, not beginning with '-'");
        return "";
    }

    std::vector<std::string> options(const ConfigValue& value, const JobResources& read) {
        const std::vector<ConfigValue> items = value.is_list() ? value.items() : std::vector{value};
        std::vector<std::string> options;
        if (items.size() > kMaxExtra) diagnostics_.add(value.place(), fmt::format("'extra' has more than {} options", kMaxExtra));
        for (const ConfigValue& item : items) {
            const std::string& text = item.text();
            if (!item.is_scalar() || text.size() < 2 || text.front() != '-' || printable(text) != text) {
                report(item, "extra", "options of the batch system, one an item", "extra: [--exclusive, --reservation=course]");
                continue;
            }
            if (const auto why = refused(text, read)) diagnostics_.add(item.place(), why->first, why->second);
            else options.push_back(text);
        }
        return options;
    }

    // Why the option cannot be given, and what to do.
    static std::optional<std::pair<std::string, std::string>> refused(const std::string& text, const JobResources& read) {
        const std::string option = text.substr(0, text.find('='));
        if (option == "--mem" || option == "--mem-per-cpu" || option == "--mem-per-gpu") {
            if (read.memory_bytes == 0) return std::nullopt;
            return std::pair{fmt::format("'{}' contradicts 'memory'", option), std::string("remove one of the two")};
        }
        for (const Reserved& one : kReserved) {
            if (!is_option(text, one.option, text.starts_with("--") ? "" : one.letter)) continue;
            if (one.key.empty()) return std::pair{fmt::format("'{}' cannot be in 'extra': satdl sets it", one.option), std::string()};
            return std::pair{fmt::format("'{}' cannot be in 'extra'", one.option), fmt::format("use '{}'", one.key)};
        }
        return std::nullopt;
    }

    void report(const ConfigValue& value, std::string_view key, std::string_view wanted, std::string hint) {
        diagnostics_.add(value.place(), fmt::format("'{}' must be {}, not {}", key, wanted, value.describe()), std::move(hint));
    }

    const ConfigValue& resources_;
    Diagnostics& diagnostics_;
};

}  // namespace

std::span<const std::string> job_resource_keys() {
    static const std::vector<std::string> keys{"cpus", "memory", "time", "gpus", "partition", "account", "qos", "constraint", "extra"};
    return keys;
}

JobResources read_job_resources(const ConfigValue& resources, Diagnostics& diagnostics) { return ResourceReader(resources, diagnostics).read(); }

}  // namespace satdl
