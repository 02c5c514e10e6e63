#include "commands/run/job_machine.h"

#include <fmt/format.h>

#include <cstdlib>
#include <variant>
#include <vector>

#include "pipeline/plan/placement.h"

namespace satdl {
namespace {

struct Difference {
    std::string what, is, planned;
};

std::string shown(const std::string& text) { return text.empty() ? "unknown" : text; }

void compare(const char* what, const std::string& is, const std::string& planned, std::vector<Difference>& found) {
    if (is != planned) found.push_back({what, is, planned});
}

}  // namespace

void cap_cpu_for(const Node& node) {
    const std::string cap(node.job ? cpu_cap_of(node.job->cpu) : "");
    if (!cap.empty()) ::setenv("ATEN_CPU_CAPABILITY", cap.c_str(), 1);
}

std::optional<std::string> other_bits(const Dag& dag, const Node& node, const Machine& planned, const Machine& here, const std::string& name,
                                      StageLibraries& libraries) {
    const bool exact = node.stage->description.numeric && dag.numerics == Numerics::Exact;
    std::vector<Difference> found;
    if (exact) {
        compare("cpu", here.cpu, cpu_of(node, planned), found);
        compare("processor", here.processor, processor_of(node, planned), found);
    }
    if (const Gpu* const gpu = gpu_of(node, planned)) {
        const GpuAnswer answer = libraries.find_gpu(*node.stage);
        const Gpu* const has = std::get_if<Gpu>(&answer);
        if (has == nullptr) return fmt::format("machine {} has no GPU for stage {}: {}", name, node.name, std::get<NoGpu>(answer).because);
        if (exact) compare("gpu name", has->name, gpu->name, found);
        if (exact) compare("gpu numerics", has->numerics, gpu->numerics, found);
        compare("gpu bf16", has->bf16 ? "true" : "false", gpu->bf16 ? "true" : "false", found);
    }
    if (found.empty()) return std::nullopt;
    std::vector<std::string> differences;
    for (const Difference& one : found) differences.push_back(fmt::format("its {} is {}, not {}", one.what, shown(one.is), shown(one.planned)));
    return fmt::format("machine {} would compute other bits of stage {} than the plan says: {}\n"
                       "describe the machines of the executor in its `machine:` (`satdl selftest --machine` prints it), choose such machines "
                       "alone with `constraint:`, or say `numerics: portable` in the DAG file",
                       name, node.name, fmt::join(differences, "; "));
}

}  // namespace satdl
