#include "pipeline/executors/slurm/slurm_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "pipeline/core/check.h"
#include "pipeline/core/shell_words.h"

namespace satdl {
namespace {

constexpr int kWarningSeconds = 120;
constexpr std::string_view kNameMark = "# ";

// Slurm replaces %j and the like in the names of logs.
std::string literal(std::string_view path) {
    std::string text;
    for (const char c : path) text += c == '%' ? std::string("%%") : std::string(1, c);
    return text;
}

std::string commands_of(const JobRequest& request) {
    return fmt::format("cd {} || exit 1\nexec >>{} 2>&1\nexec {}\n", shell_quoted(request.folder.string()),
                       shell_quoted(request.log.string()), shell_quoted(request.command));
}

std::vector<std::string> resource_options(const JobRequest& request) {
    const JobResources& wanted = request.resources;
    std::vector<std::string> options{"--nodes=1", "--ntasks=1", fmt::format("--cpus-per-task={}", wanted.cpus)};
    if (wanted.memory_bytes > 0) options.push_back(fmt::format("--mem={}M", (wanted.memory_bytes + (1U << 20) - 1) >> 20));
    if (wanted.seconds) options.push_back("--time=" + slurm_time(*wanted.seconds));
    // --gpus needs select/cons_tres; a job has one node, so that this means the same everywhere.
    if (wanted.gpus > 0) options.push_back(fmt::format("--gres=gpu:{}", wanted.gpus));
    if (!wanted.partition.empty()) options.push_back("--partition=" + wanted.partition);
    if (!wanted.account.empty()) options.push_back("--account=" + wanted.account);
    if (!wanted.qos.empty()) options.push_back("--qos=" + wanted.qos);
    if (!wanted.constraint.empty()) options.push_back("--constraint=" + wanted.constraint);
    if (!request.excluded_nodes.empty()) options.push_back(fmt::format("--exclude={}", fmt::join(request.excluded_nodes, ",")));
    options.insert(options.end(), wanted.extra.begin(), wanted.extra.end());
    return options;
}

}  // namespace

int warning_seconds(std::optional<double> limit_seconds) {
    if (!limit_seconds) return kWarningSeconds;
    const double minutes = std::ceil(*limit_seconds / 60);
    return std::clamp(static_cast<int>(minutes * 60 / 4), 1, kWarningSeconds);
}

std::string slurm_time(double seconds) {
    const auto whole = static_cast<long long>(std::ceil(std::clamp(seconds, 1.0, 1e9)));
    return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

SlurmBatch slurm_batch(const std::string& job_name, std::span<const JobRequest> requests, const std::filesystem::path& folder,
                       const std::string& stem) {
    SATDL_CHECK(!requests.empty(), "a batch without jobs");
    const JobRequest& first = requests.front();
    SlurmBatch batch;
    batch.script = folder / (stem + ".sh");
    batch.comment = requests.size() == 1 ? first.name : stem;
    batch.argv = {"sbatch", "--parsable", "--job-name=" + job_name, "--comment=" + batch.comment, "--requeue", "--open-mode=append",
                  fmt::format("--signal=B:USR1@{}", warning_seconds(first.resources.seconds))};
    if (requests.size() == 1) {
        batch.script_text = "#!/bin/sh\n" + commands_of(first);
        batch.argv.push_back("--output=" + literal(first.log.string()));
        batch.argv.push_back("--chdir=" + first.folder.string());
    } else {
        batch.tasks = slurm_tasks_file(folder, stem);
        batch.script_text = fmt::format("#!/bin/sh\n. {}\n", shell_quoted(batch.tasks.string()));
        for (const JobRequest& request : requests) batch.tasks_text += fmt::format("{}{}\n", kNameMark, request.name);
        batch.tasks_text += "case $SLURM_ARRAY_TASK_ID in\n";
        for (std::size_t i = 0; i < requests.size(); ++i) batch.tasks_text += fmt::format("{})\n{};;\n", i, commands_of(requests[i]));
        batch.tasks_text += "esac\n";
        batch.logs = folder / (stem + ".logs");
        batch.argv.push_back("--output=" + literal(batch.logs.string()) + "/%a");
        batch.argv.push_back("--chdir=" + folder.string());
        batch.argv.push_back(fmt::format("--array=0-{}", requests.size() - 1));
    }
    const std::vector<std::string> resources = resource_options(first);
    batch.argv.insert(batch.argv.end(), resources.begin(), resources.end());
    batch.argv.push_back(batch.script.string());
    return batch;
}

std::filesystem::path slurm_tasks_file(const std::filesystem::path& folder, const std::string& stem) { return folder / (stem + ".tasks"); }

std::vector<std::string> parse_slurm_tasks(std::string_view text) {
    std::vector<std::string> names;
    while (text.starts_with(kNameMark)) {
        text.remove_prefix(kNameMark.size());
        names.emplace_back(text.substr(0, text.find('\n')));
        text.remove_prefix(std::min(names.back().size() + 1, text.size()));
    }
    return names;
}

}  // namespace satdl
