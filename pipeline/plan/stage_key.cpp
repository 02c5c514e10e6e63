#include "pipeline/plan/stage_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "pipeline/plan/placement.h"

namespace satdl {
namespace {

bool is_default(const ParamDescription& param, const ParamValue& value) { return param.fallback && value.text() == *param.fallback; }

// Files, folders and datasets count by their files' content; threads, precision and device by what they resolve to.
bool is_part_of_key(const ParamDescription& param) {
    return param.changes_result && param.type != ParamType::File && param.type != ParamType::Folder && param.type != ParamType::Dataset &&
           param.type != ParamType::Threads && param.type != ParamType::Precision && param.type != ParamType::Device;
}

void add_params(const Node& node, Recipe& recipe) {
    static const ParamValue kAbsent;
    for (const ParamDescription& param : node.stage->description.params) {
        if (!is_part_of_key(param)) continue;
        const auto found = node.params.values().find(param.name);
        const ParamValue& value = found == node.params.values().end() ? kAbsent : found->second;
        if (param.in_key_at_default || !is_default(param, value)) recipe.push_back({"param " + param.name, value.canonical()});
    }
}

// What of a file counts is its content and, for a dataset's, what the manifest says the bytes mean.
void add_files(const Node& node, const std::vector<Digest>& digests, Recipe& recipe) {
    std::map<std::string, std::string> groups;  // of files that share a role, by role: names and digests
    for (std::size_t i = 0; i < node.files.size(); ++i) {
        const SourceFile& file = node.files[i];
        if (!file.member.empty()) {
            if (file.role == kSourceRole) recipe.push_back({fmt::format("file {} {}", file.role, file.member), digests[i].hex()});
            else groups[file.role] += fmt::format("{}:{}={}\n", file.member.size(), file.member, digests[i].hex());
            continue;
        }
        recipe.push_back({"file " + file.role, digests[i].hex()});
        if (!file.dataset.empty()) {
            recipe.push_back({"type of " + file.role, fmt::format("{} {}", name_of(file.dtype), shape_text(file.shape))});
        }
    }
    for (const auto& [role, files] : groups) recipe.push_back({"file " + role, sha256(files).hex()});
}

// What was printed when the last run was planned, if nobody has run the commands since.
void add_versions(const CommandStage& command, const Machine& machine, const Recipe* last, Recipe& recipe) {
    for (const std::vector<std::string>& program : command.versions) {
        const std::string name = version_part(program);
        const auto printed = machine.versions.find({command.project, name});
        if (printed != machine.versions.end()) {
            recipe.push_back({name, printed->second});
        } else if (last != nullptr) {
            if (const KeyPart* const known = find_part(*last, name)) recipe.push_back(*known);
        }
    }
}

}  // namespace

bool has_threads_in_key(const StageDescription& description) {
    const ParamDescription* threads = description.param(ParamType::Threads);
    return description.numeric && (threads == nullptr || threads->changes_result);
}

Recipe recipe_of(const Dag& dag, const Node& node, int threads, const Machine& machine, const std::vector<Digest>& inputs,
                 const std::vector<Digest>& files, const Recipe* last) {
    SATDL_CHECK(inputs.size() == node.inputs.size(), "one digest per input");
    SATDL_CHECK(files.size() == node.files.size(), "one digest per file");
    const StageDescription& description = node.stage->description;
    Recipe recipe;
    recipe.reserve(4 + description.params.size() + inputs.size() + 2 * files.size() + node.stage->numerics.size());
    recipe.push_back({"kind", description.kind});
    recipe.push_back({"version", std::to_string(description.version)});
    add_params(node, recipe);
    add_files(node, files, recipe);
    if (node.command) add_versions(*node.command, machine, last, recipe);
    for (std::size_t i = 0; i < inputs.size(); ++i) recipe.push_back({"input " + node.inputs[i].port, inputs[i].hex()});
    if (const auto precision = resolve_precision(node, machine)) {
        recipe.push_back({"precision", std::string(name_of(*precision))});
    }
    const Gpu* gpu = gpu_of(node, machine);
    if (description.param(ParamType::Device) != nullptr) {
        recipe.push_back({"device", std::string(name_of(gpu != nullptr ? Device::Cuda : Device::Cpu))});
    }
    if (has_threads_in_key(description)) recipe.push_back({"threads", std::to_string(threads)});
    if (description.numeric && dag.numerics == Numerics::Exact) {
        recipe.push_back({"cpu", cpu_of(node, machine)});
        if (const std::string& processor = processor_of(node, machine); !processor.empty()) recipe.push_back({"processor", processor});
        if (gpu != nullptr) recipe.push_back({"gpu", fmt::format("{}, {}", gpu->name, gpu->numerics)});
        for (const auto& [name, value] : node.stage->numerics) recipe.push_back({name, value});
    }
    std::stable_sort(recipe.begin() + 2, recipe.end(), [](const KeyPart& a, const KeyPart& b) { return a.name < b.name; });
    return recipe;
}

}  // namespace satdl
