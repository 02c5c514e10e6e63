#include "pipeline/plan/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <variant>


namespace satdl {
namespace {

// The value of `device`, if the node has such a parameter and it is not cpu.
const ParamValue* requested_device(const Node& node) {
    const ParamDescription* param = node.stage->description.param(ParamType::Device);
    if (param == nullptr) return nullptr;
    const ParamValue& requested = node.params.value(param->name);
    return requested.text() == "cpu" ? nullptr : &requested;
}

bool is_auto(const Node& node, ParamType type) {
    const ParamDescription* param = node.stage->description.param(type);
    return param != nullptr && node.params.text(param->name) == "auto";
}

std::string_view cpu_bf16_of(const Node& node, const Machine& machine) {
    return node.job && !node.job->cpu.empty() ? bf16_of(node.job->cpu) : std::string_view(machine.bf16);
}

// Of a stage that trains a network of dense layers alone, from scratch.
bool trains_dense_chain(const Node& node, const Machine& machine) {
    const ParamDescription* param = node.stage->description.param(ParamType::Network);
    if (param == nullptr || !node.params.given(param->name) || resolve_precision(node, machine) != Precision::Fp32) return false;
    const auto reads_model = [](const PortDescription& port) { return port.kind == PortKind::Model; };
    if (std::ranges::any_of(node.stage->description.inputs, reads_model)) return false;
    return std::ranges::all_of(node.params.network(param->name).layers, [](const Layer& layer) {
        return std::holds_alternative<Flatten>(layer.spec) || std::holds_alternative<Unflatten>(layer.spec) ||
               std::holds_alternative<Dense>(layer.spec);
    });
}

// Too small for several threads: they would cost more than they bring.
bool is_small(const Dag& dag, NodeId id, const Machine& machine) {
    constexpr std::int64_t kBatch = 128;
    const Node& node = dag.nodes[id];
    if (node.stage->description.numeric)
        return dag.types[id].network_cost < (trains_dense_chain(node, machine) ? kParallelDenseCost : kParallelCost) / kBatch;
    std::uint64_t bytes = 0;
    for (const Input& input : node.inputs) {
        const PortType* type = dag.types[input.from].find(input.from_port);
        if (type != nullptr) bytes += expected_bytes(*type);
    }
    return bytes < kParallelBytes;
}

std::optional<Notice> device_notice(const Node& node, const Machine& machine, int number) {
    if (requested_device(node) == nullptr) return std::nullopt;
    const Gpu* gpu = gpu_of(node, machine);
    if (gpu != nullptr) {
        const std::string_view chosen = is_auto(node, ParamType::Device) ? "auto: " : "";
        const std::string which = gpu->count > 1 ? fmt::format(":{}", number) : "";
        return Notice{LogLevel::Info, fmt::format("computes on cuda{} ({}{}, {})", which, chosen, gpu->name, gpu->numerics)};
    }
    if (node.job) return Notice{LogLevel::Info, "computes on the CPU (auto: its job asks for no GPU)"};
    return Notice{LogLevel::Info, fmt::format("computes on the CPU (auto: {})", std::get<NoGpu>(machine.gpus.at(node.stage->library)).because)};
}

std::optional<Notice> precision_notice(const Node& node, const Machine& machine) {
    const ParamDescription* param = node.stage->description.param(ParamType::Precision);
    if (param == nullptr || node.params.text(param->name) == "fp32") return std::nullopt;
    const Gpu* gpu = gpu_of(node, machine);
    const std::string_view cpu_bf16 = cpu_bf16_of(node, machine);
    const bool has_bf16 = gpu != nullptr ? gpu->bf16 : !cpu_bf16.empty();
    std::string here;
    if (gpu != nullptr) here = fmt::format("this GPU has {} for it", has_bf16 ? "instructions" : "no instructions");
    else here = has_bf16 ? fmt::format("this CPU has {}", cpu_bf16) : "this CPU has neither AVX512-BF16 nor AMX-BF16";
    if (node.params.text(param->name) == "tf32") {
        if (gpu != nullptr && gpu->bf16) return Notice{LogLevel::Info, "computes in tf32 (this GPU has instructions for it)"};
        return Notice{LogLevel::Info, gpu != nullptr ? "computes in fp32 (tf32: this GPU has no instructions for it)"
                                                     : "computes in fp32 (tf32: only GPUs have instructions for it)"};
    }
    if (is_auto(node, ParamType::Precision))
        return Notice{LogLevel::Info, fmt::format("computes in {} (auto: {})", has_bf16 ? "bf16" : "fp32", here)};
    if (has_bf16) return Notice{LogLevel::Info, fmt::format("computes in bf16 ({})", here)};
    return Notice{LogLevel::Warning, fmt::format("computes in bf16, {}slower than fp32 here: {}; {}: auto would use fp32",
                                               gpu != nullptr ? "" : "15-25 times ", here, param->name)};
}

void check_gpu_of_job(const Node& node, const ParamValue& requested, Diagnostics& diagnostics) {
    const Place place = requested.place() ? requested.place() : node.place;
    const JobSettings& job = *node.job;
    if (job.resources.gpus > 0 && !job.gpu)
        diagnostics.add(place, fmt::format("executor '{}' does not say which GPU its machines have, on which the last bits of results depend",
                                           job.executor),
                        "in the executor: machine: {gpu: {name: ..., numerics: ..., bf16: ...}}; `satdl selftest --machine`, run on one of "
                        "them, prints it");
    else if (job.resources.gpus == 0 && requested.text() != "auto")
        diagnostics.add(place, fmt::format("'{}' is cuda, but the stage's job asks for no GPU",
                                           node.stage->description.param(ParamType::Device)->name),
                        "resources: {gpus: 1}");
}

}  // namespace

int cores_of(const Node& node, const Machine& machine) { return node.job ? node.job->resources.cpus : machine.cores; }

const std::string& cpu_of(const Node& node, const Machine& machine) {
    return node.job && !node.job->cpu.empty() ? node.job->cpu : machine.cpu;
}

const std::string& processor_of(const Node& node, const Machine& machine) {
    return node.job && !node.job->processor.empty() ? node.job->processor : machine.processor;
}

std::map<std::filesystem::path, GpuAnswer> find_gpus(const Dag& dag, const Request& request, StageLibraries& libraries) {
    std::map<std::filesystem::path, GpuAnswer> found;
    if (std::ranges::none_of(dag.nodes, [](const Node& node) { return requested_device(node) != nullptr; })) return found;
    const Selection selection = select(dag, request);
    Diagnostics diagnostics;
    for (NodeId id = 0; id < dag.nodes.size(); ++id) {
        const Node& node = dag.nodes[id];
        const ParamValue* requested = requested_device(node);
        if (requested == nullptr || selection.parts[id] == Part::Excluded) continue;
        if (node.job) {
            check_gpu_of_job(node, *requested, diagnostics);
            continue;
        }
        auto answer = found.find(node.stage->library);
        if (answer == found.end()) answer = found.emplace(node.stage->library, libraries.find_gpu(*node.stage)).first;
        const NoGpu* none = std::get_if<NoGpu>(&answer->second);
        if (none == nullptr || requested->text() == "auto") continue;
        diagnostics.add(requested->place() ? requested->place() : node.place,
                        fmt::format("'{}' is cuda, but no GPU was found: {}", node.stage->description.param(ParamType::Device)->name,
                                    none->because),
                        "use cpu, or auto (a GPU if there is one, else the CPU); docs/training.md lists what cuda needs");
    }
    diagnostics.throw_if_any();
    return found;
}

std::vector<Notice> placement_notices(const Node& node, const Machine& machine, int number) {
    std::vector<Notice> notices;
    for (auto&& one : {device_notice(node, machine, number), precision_notice(node, machine)})
        if (one) notices.push_back(*one);
    return notices;
}

const Gpu* gpu_of(const Node& node, const Machine& machine) {
    const ParamDescription* param = node.stage->description.param(ParamType::Device);
    if (param == nullptr) return nullptr;
    const std::string& wanted = node.params.text(param->name);
    if (wanted == "cpu") return nullptr;
    if (node.job) return node.job->resources.gpus > 0 && node.job->gpu ? &*node.job->gpu : nullptr;
    const auto answer = machine.gpus.find(node.stage->library);
    SATDL_CHECK(answer != machine.gpus.end(), "a library is asked for a GPU before a plan needs to know");
    const Gpu* gpu = std::get_if<Gpu>(&answer->second);
    SATDL_CHECK(gpu != nullptr || wanted == "auto", "`cuda` without a GPU is refused before a plan is made");
    return gpu;
}

int resolve_threads(const Dag& dag, NodeId id, const Machine& machine) {
    constexpr int kMaxByItself = 16;
    const Node& node = dag.nodes[id];
    if (node.command) return node.command->threads;
    const ParamDescription* param = node.stage->description.param(ParamType::Threads);
    if (param == nullptr) return 1;
    const auto found = node.params.values().find(param->name);
    if (found != node.params.values().end()) {
        if (const auto* number = found->second.get_if<std::int64_t>()) return static_cast<int>(*number);
    }
    if (is_small(dag, id, machine) || gpu_of(node, machine) != nullptr) return 1;
    return std::min(cores_of(node, machine), kMaxByItself);
}

std::optional<Precision> resolve_precision(const Node& node, const Machine& machine) {
    const ParamDescription* param = node.stage->description.param(ParamType::Precision);
    if (param == nullptr) return std::nullopt;
    const std::string& wanted = node.params.text(param->name);
    const Gpu* gpu = gpu_of(node, machine);
    const bool has_bf16 = gpu != nullptr ? gpu->bf16 : !cpu_bf16_of(node, machine).empty();
    if (wanted == "tf32") return gpu != nullptr && gpu->bf16 ? Precision::Tf32 : Precision::Fp32;
    return wanted == "bf16" || (wanted == "auto" && has_bf16) ? Precision::Bf16 : Precision::Fp32;
}

}  // namespace satdl
