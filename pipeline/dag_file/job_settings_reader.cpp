#include "pipeline/dag_file/job_settings_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "pipeline/core/ascii.h"
#include "pipeline/dag_file/job_resources_reader.h"

namespace satdl {
namespace {

constexpr std::string_view kLocal = "local", kProcess = "process", kSlurm = "slurm";
constexpr std::size_t kLongestExecutorName = 64;

const std::vector<std::string>& executor_types() {
    static const std::vector<std::string> names{std::string(kProcess), std::string(kSlurm)};
    return names;
}

// Whether it is what Machine::cpu may say: "AVX512", "AVX2 of AVX512".
bool is_cpu(std::string_view text) {
    constexpr std::array<std::string_view, 5> kLevels{"DEFAULT", "AVX2", "AVX512", "AVX512_BF16", "AMX_BF16"};
    for (std::size_t cap = 0; cap < 2; ++cap)
        for (const std::string_view level : std::span(kLevels).subspan(cap + 1))
            if (text == fmt::format("{} of {}", kLevels[cap], level)) return true;
    return std::ranges::find(kLevels, text) != kLevels.end();
}

// The value without the entries that are not resources.
ConfigValue resources_in(const ConfigValue& executor) {
    std::vector<ConfigValue::Entry> entries = executor.entries();
    std::erase_if(entries, [](const ConfigValue::Entry& entry) { return entry.key == "type" || entry.key == "machine"; });
    return ConfigValue::map(std::move(entries), executor.place());
}

// What the DAG asks for by a number; 0: nothing.
int threads_of(const Node& node) {
    if (node.command) return node.command->threads;
    const ParamDescription* const param = node.stage->description.param(ParamType::Threads);
    if (param == nullptr) return 0;
    const auto found = node.params.values().find(param->name);
    const auto* const number = found == node.params.values().end() ? nullptr : found->second.get_if<std::int64_t>();
    return number == nullptr ? 0 : static_cast<int>(*number);
}

}  // namespace

ConfigValue joined_maps(const ConfigValue& over, const ConfigValue& under) {
    std::vector<ConfigValue::Entry> entries = over.entries();
    for (const ConfigValue::Entry& entry : under.entries())
        if (over.find(entry.key) == nullptr) entries.push_back(entry);
    return ConfigValue::map(std::move(entries), over.place() ? over.place() : under.place());
}

JobSettingsReader::JobSettingsReader(const ConfigValue& section, const ExecutorChoice& choice, Interpolation& interpolation,
                                     Diagnostics& diagnostics)
    : chosen_(choice.name), interpolation_(interpolation), diagnostics_(diagnostics) {
    executors_.emplace(kLocal, Executor{});
    executors_.emplace(kProcess, Executor{.type = std::string(kProcess), .resources = {}});
    executors_.emplace(kSlurm, Executor{.type = std::string(kSlurm), .resources = {}});
    if (!choice.executors.is_null() && !choice.executors.is_map())
        diagnostics_.add(choice.executors.place(), "'executors' must be a map, not " + choice.executors.describe());
    for (const ConfigValue::Entry& entry : choice.executors.entries()) {
        const ConfigValue* const in_dag = section.find(entry.key);
        add({entry.key, entry.key_place,
             in_dag != nullptr && in_dag->is_map() && entry.value.is_map() ? joined_maps(entry.value, *in_dag) : entry.value});
    }
    for (const ConfigValue::Entry& entry : section.entries())
        if (choice.executors.find(entry.key) == nullptr) add(entry);
    if (chosen_.empty() || executors_.contains(chosen_)) return;
    std::vector<std::string> known;
    for (const auto& [name, executor] : executors_) known.push_back(name);
    diagnostics_.add({}, fmt::format("--executor: there is no executor '{}'", printable(chosen_)), did_you_mean(chosen_, known));
}

void JobSettingsReader::add(const ConfigValue::Entry& entry) {
    const std::string name = printable(entry.key.substr(0, kLongestExecutorName));
    if (entry.key == kLocal || entry.key == kProcess)
        diagnostics_.add(entry.key_place, fmt::format("'{}' is an executor of satdl's own", name), "give this one another name");
    else if (entry.key.size() > kLongestExecutorName || !is_dashed_identifier(entry.key))
        diagnostics_.add(entry.key_place, fmt::format("'{}' is not a valid name of an executor", name),
                         fmt::format("use letters, digits, '_' and '-', starting with a letter or '_', at most {}", kLongestExecutorName));
    Executor executor{.type = std::string(kSlurm), .resources = {}};  // after a mistake, so that its stages have none because of it
    const auto applied = interpolation_.apply(entry.value);
    if (applied && !applied->is_map()) {
        diagnostics_.add(applied->place(), fmt::format("executor '{}' must be a map, not {}", name, applied->describe()),
                         fmt::format("{}: {{type: slurm, partition: ...}}", name));
    } else if (applied) {
        const ConfigValue* const type = applied->find("type");
        if (type != nullptr && std::ranges::find(executor_types(), type->text()) != executor_types().end())
            executor.type = type->text();
        else if (type != nullptr || entry.key != kSlurm)
            diagnostics_.add(type != nullptr ? type->place() : entry.key_place,
                             type != nullptr ? fmt::format("'type' of an executor must be {}, not {}", fmt::join(executor_types(), " or "), type->describe())
                                             : fmt::format("executor '{}' has no type", name),
                             "type: slurm");
        executor.resources = resources_in(*applied);
        (void)read_job_resources(executor.resources, diagnostics_);
        if (const ConfigValue* const machine = applied->find("machine")) read_machine(*machine, executor);
    }
    executors_.insert_or_assign(entry.key, std::move(executor));
}

void JobSettingsReader::read_machine(const ConfigValue& machine, Executor& executor) {
    static const std::vector<std::string> kKeys{"cpu", "processor", "gpu"};
    static const std::vector<std::string> kGpuKeys{"name", "numerics", "bf16"};
    const auto check = [&](const ConfigValue& map, std::string_view what, const std::vector<std::string>& keys) {
        if (!map.is_map()) diagnostics_.add(map.place(), fmt::format("'{}' must be a map, not {}", what, map.describe()));
        for (const ConfigValue::Entry& entry : map.entries())
            if (std::ranges::find(keys, entry.key) == keys.end())
                diagnostics_.add(entry.key_place, fmt::format("'{}' has no key '{}'", what, printable(entry.key)), did_you_mean(entry.key, keys));
    };
    check(machine, "machine", kKeys);
    if (const ConfigValue* const cpu = machine.find("cpu")) {
        executor.cpu = text_of(*cpu, "cpu");
        if (!executor.cpu.empty() && !is_cpu(executor.cpu))
            diagnostics_.add(cpu->place(), fmt::format("'cpu' cannot be {}", cpu->describe()),
                             "DEFAULT, AVX2, AVX512, AVX512_BF16 or AMX_BF16, or AVX2 of one of the larger ones: then jobs compute with AVX2 alone");
    }
    if (const ConfigValue* const processor = machine.find("processor")) executor.processor = text_of(*processor, "processor");
    const ConfigValue* const gpu = machine.find("gpu");
    if (gpu == nullptr) return;
    check(*gpu, "gpu", kGpuKeys);
    Gpu& read = executor.gpu.emplace();
    for (const auto& [key, to] : {std::pair{"name", &read.name}, {"numerics", &read.numerics}}) {
        if (const ConfigValue* const text = gpu->find(key)) *to = text_of(*text, key);
        else diagnostics_.add(gpu->place(), fmt::format("'gpu' lacks '{}'", key), "`satdl selftest --machine` on such a machine prints all of it");
    }
    if (const ConfigValue* const bf16 = gpu->find("bf16")) {
        if (!bf16->as_boolean()) diagnostics_.add(bf16->place(), "'bf16' must be true or false, not " + bf16->describe());
        read.bf16 = bf16->as_boolean().value_or(false);
    }
}

std::string JobSettingsReader::text_of(const ConfigValue& value, std::string_view key) {
    if (!value.is_scalar() || value.text().empty() || printable(value.text()) != value.text())
        diagnostics_.add(value.place(), fmt::format("'{}' must be text, not {}", key, value.describe()),
                         "`satdl selftest --machine` on such a machine prints it");
    return value.text();
}

// Of a stage whose `executor:` is `own`; null after a mistake.
const JobSettingsReader::Executor* JobSettingsReader::executor_of(const ConfigValue* own, const LocalNames& locals, std::string& name) {
    name = chosen_.empty() ? kLocal : chosen_;
    if (own != nullptr) {
        const auto applied = interpolation_.apply(*own, locals);
        if (!applied) return nullptr;
        if (!applied->is_null() && (!applied->is_scalar() || !executors_.contains(applied->text()))) {
            std::vector<std::string> known;
            for (const auto& [one, executor] : executors_) known.push_back(one);
            diagnostics_.add(applied->place(),
                             applied->is_scalar() ? fmt::format("there is no executor '{}'", printable(applied->text()))
                                                  : "'executor' must be a name, not " + applied->describe(),
                             did_you_mean(applied->text(), known) + "\n`executors:` of the DAG file or of the settings file declares them");
            return nullptr;
        }
        if (!applied->is_null() && (chosen_.empty() || applied->text() == kLocal)) name = applied->text();
    }
    const auto found = executors_.find(name);
    return found == executors_.end() ? nullptr : &found->second;
}

void JobSettingsReader::read(const ConfigValue& body, const LocalNames& locals, Node& node) {
    const ConfigValue* const raw = body.find("resources");
    ConfigValue own;
    if (raw != nullptr) {
        const auto applied = interpolation_.apply(*raw, locals);
        if (applied && !applied->is_map() && !applied->is_null())
            diagnostics_.add(applied->place(), "'resources' must be a map, not " + applied->describe(), "resources: {cpus: 8, memory: 16GB}");
        if (applied && applied->is_map()) own = *applied;
    }
    std::string name;
    const Executor* const executor = executor_of(body.find("executor"), locals, name);
    if (executor == nullptr || executor->type != kSlurm) {
        if (!own.is_null()) (void)read_job_resources(own, diagnostics_);  // its mistakes, also where no job executes it today
        if (executor != nullptr && executor->type == kProcess) node.policy.isolate = true;
        return;
    }
    auto job = std::make_shared<JobSettings>();
    job->executor = std::move(name);
    job->type = executor->type;
    job->resources = read_job_resources(joined_maps(own, executor->resources), diagnostics_);
    job->resources.cpus = std::max(job->resources.cpus, threads_of(node));
    const auto sets_memory = [](const std::string& option) { return option.starts_with("--mem"); };
    if (job->resources.memory_bytes == 0 && std::ranges::none_of(job->resources.extra, sets_memory))
        job->resources.memory_bytes = node.policy.memory_bytes.value_or(0);
    job->cpu = executor->cpu;
    job->processor = executor->processor;
    job->gpu = executor->gpu;
    if (job->gpu) job->gpu->count = std::max(1, job->resources.gpus);
    node.job = std::move(job);
}

}  // namespace satdl
