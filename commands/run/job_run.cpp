#include "commands/run/job_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "pipeline/os/build_id.h"
#include "pipeline/os/shared_library.h"

namespace satdl {
namespace {

// Of `satdl run`, as they were given.
std::vector<std::string> arguments_of_this_process() {
    std::ifstream file("/proc/self/cmdline", std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    std::vector<std::string> arguments;
    for (std::size_t from = 0; from < all.size();) {
        const std::size_t end = std::min(all.find('\0', from), all.size());
        arguments.push_back(all.substr(from, end - from));
        from = end + 1;
    }
    if (arguments.empty()) return arguments;
    const bool is_run = std::filesystem::path(arguments.front()).filename() == "satdl-run";
    arguments.erase(arguments.begin());
    if (is_run) arguments.insert(arguments.begin(), "run");
    return arguments;
}

}  // namespace

std::string build_of_this_program() {
    std::string text;
    for (const char byte : program_build_id()) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return text;
}

JobRun job_run_of(const RunOptions& options, const Session& session, const std::string& run) {
    const Machine& machine = session.machine();
    JobRun job;
    job.build = build_of_this_program();
    job.run = run;
    job.folder = std::filesystem::current_path();
    job.store = std::filesystem::absolute(options.store.store);
    job.results = std::filesystem::absolute(options.store.results_folder());
    job.dag = options.dag.file;
    job.profile = options.dag.profile;
    for (const Override& one : options.dag.overrides) job.overrides.emplace_back(one.name, one.value());
    if (options.sweep.sweeps()) job.sweep = requested_design(options.sweep, session);
    job.stage_libraries = options.dag.stages;
    job.trust = options.dag.trust;
    job.accept_undeclared_files = options.dag.undeclared == UndeclaredFiles::Accepted;
    job.isolate = options.isolate;
    job.checkpoint_every_seconds = options.checkpoint_every_seconds;
    job.final_checkpoints = !options.no_final_checkpoints;
    job.machine = {.cores = machine.cores, .cpu = machine.cpu, .processor = machine.processor, .memory_bytes = machine.memory_bytes,
                   .bf16 = machine.bf16};
    job.executor = options.dag.executor;
    job.arguments = arguments_of_this_process();
    return job;
}

std::unique_ptr<JobExecutor> jobs_of_run(const RunOptions& options, Session& session, const std::string& run, const Dag& dag,
                                         const Plan& plan, KeyClaims& claims, Clock& clock, const StopSignals& signals, Observer& warnings) {
    const auto job_of = [&](const PlannedNode& planned) { return may_run(planned.action) ? dag.nodes[planned.node].job.get() : nullptr; };
    const auto first = std::ranges::find_if(plan.nodes, job_of);
    if (first == plan.nodes.end()) return nullptr;
    JobRun job = job_run_of(options, session, run);
    job.queue = job_of(*first)->type;
    OpenStore& open = session.open();
    return make_job_executor({.run = job,
                              .program = program_folder() / "satdl",
                              .takes = [type = job.queue](const Node& node) { return node.job != nullptr && node.job->type == type; },
                              .tell = [&warnings](const std::string& text) { warnings.warning(text); },
                              .files = open.files(),
                              .store = open.store(),
                              .checkpoints = &open.checkpoints(),
                              .claims = claims,
                              .clock = clock,
                              .stop = signals.stop()});
}

}  // namespace satdl
