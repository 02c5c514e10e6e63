// satdl exec-batch FOLDER: what a job of a batch system runs (pipeline/executors/jobs/job_files.h). It reads the DAG as its run did, makes
// the same plan for the job's stages alone, and refuses if a key or the machine is not the expected one. They are then run as any stages are,
// with claims and checkpoints; a signal (Slurm's warning before the time limit, a preemption) stops them with a checkpoint.
//
// The run's record belongs to the controller: a job writes none.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <thread>
#include <utility>

#include "commands/run/job_machine.h"
#include "commands/run/job_run.h"
#include "commands/shared/command.h"
#include "commands/shared/command_line.h"
#include "commands/shared/large_arrays_in_use.h"
#include "commands/shared/session.h"
#include "commands/shared/signals.h"
#include "pipeline/executors/jobs/job_files.h"
#include "pipeline/executors/stage_executor.h"
#include "pipeline/records/json_events.h"
#include "pipeline/run/attempt_checkpoints.h"
#include "pipeline/run/scheduler.h"
#include "pipeline/store/key_claims.h"
#include "pipeline/store/process_mark.h"
#include "pipeline/store/store_lock.h"

namespace fs = std::filesystem;

namespace satdl {
namespace {

struct ExecBatchOptions {
    std::string folder;  // of the job
};

// What the controller wrote.
struct Job {
    fs::path folder;
    JobSpec spec;
    JobRun run;
    bool is_repeated = false;  // its stages have been in a job before
};

// The job executes nothing.
struct Refused {
    JobFinish::Refusal refusal;
    std::string text;
};

constexpr double kProgressSeconds = 1;                            // at most so often for one stage, ends of epochs aside
constexpr std::chrono::seconds kInputWait{60}, kInputInterval{2};  // for another machine's artifact to be seen

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

// What Slurm calls this job: "4711", "4711_3".
std::string job_id() {
    const std::string array = variable("SLURM_ARRAY_JOB_ID");
    return array.empty() ? variable("SLURM_JOB_ID") : fmt::format("{}_{}", array, variable("SLURM_ARRAY_TASK_ID"));
}

std::string machine_name() {
    const std::string node = variable("SLURMD_NODENAME");
    return node.empty() ? host_name() : node;
}

// "b7.a2" is a second attempt, and a job with a begin file was restarted by the batch system.
bool is_repeated(const fs::path& folder, FileSystem& files) {
    return !folder.filename().string().ends_with(".a1") || files.stamp(folder / kBeginFile).has_value();
}

JobBegin begin_now() {
    JobBegin begin;
    begin.job = job_id();
    begin.machine = machine_name();
    begin.process = ::getpid();
    begin.restart = std::atoi(variable("SLURM_RESTART_COUNT").c_str());
    begin.wall_time = wall_time();
    return begin;
}

// Tells the controller what the job's stages do; the others are reused, and no news.
class JobReporter final : public Observer {
public:
    JobReporter(const Job& job, const Dag& dag, CheckpointStore& checkpoints)
        : events_(job.folder), checkpoints_(checkpoints), clock_(steady_clock()) {
        for (std::size_t i = 0; i < job.spec.nodes.size(); ++i)
            if (const Node* const node = dag.find(job.spec.nodes[i].name)) positions_[static_cast<NodeId>(node - dag.nodes.data())] = i;
    }

    void stage_started(const Dag&, const PlannedNode& planned) override { write(planned.node, {.what = JobEvent::What::Started}); }
    void stage_waiting(const Dag&, const PlannedNode& planned, const std::string& holder) override {
        log(planned.node, LogLevel::Info, fmt::format("waits for {}, which computes the same", holder));
    }
    void stage_progress(const Dag&, NodeId node, const Progress& progress) override {
        double& told = told_seconds_.try_emplace(node, -kProgressSeconds).first->second;
        if (!progress.epoch_ended && clock_->seconds() - told < kProgressSeconds) return;
        told = clock_->seconds();
        write(node, {.what = JobEvent::What::Progress, .progress = progress});
    }
    void stage_log(const Dag&, NodeId node, LogLevel level, const std::string& message) override { log(node, level, message); }
    void stage_finished(const Dag&, const NodeResult& result) override {
        const auto found = positions_.find(result.node);
        if (found == positions_.end()) return;
        JobNodeEnd end = end_of(result);
        end.node = found->second;
        ends_[end.node] = end;
        write(result.node, {.what = JobEvent::What::Ended, .end = end});
    }

    [[nodiscard]] std::vector<JobNodeEnd> ends() const {
        std::vector<JobNodeEnd> ends;
        for (const auto& [node, end] : ends_) ends.push_back(end);
        return ends;
    }

private:
    void log(NodeId node, LogLevel level, const std::string& text) {
        write(node, {.what = JobEvent::What::Log, .level = level, .text = text});
    }

    void write(NodeId node, JobEvent event) {
        const auto found = positions_.find(node);
        if (found == positions_.end()) return;
        event.node = found->second;
        events_.write(event);
    }

    JobNodeEnd end_of(const NodeResult& result) {
        JobNodeEnd end;
        end.seconds = result.seconds;
        if (result.usage) end.peak_bytes = result.usage->process.peak_bytes;
        switch (result.state) {
            case NodeState::Ran:
            case NodeState::Reused:
                end.outcome = result.not_kept.empty() ? JobNodeEnd::Outcome::Ran : JobNodeEnd::Outcome::Failed;
                if (!result.not_kept.empty()) end.error = "its output was not stored: " + result.not_kept;
                break;
            case NodeState::Failed:
                end.outcome = JobNodeEnd::Outcome::Failed;
                end.error = result.error;
                break;
            case NodeState::Skipped:
                end.outcome = JobNodeEnd::Outcome::Stopped;
                break;
            case NodeState::Stopped: {
                const auto position = result.key ? checkpoints_.newest(*result.key) : std::nullopt;
                end.outcome = position ? JobNodeEnd::Outcome::Continued : JobNodeEnd::Outcome::Stopped;
                if (position) end.position = position->text();
                break;
            }
        }
        return end;
    }

    JobEventWriter events_;
    CheckpointStore& checkpoints_;
    const std::unique_ptr<Clock> clock_;
    std::map<NodeId, std::size_t> positions_;  // in JobSpec::nodes
    std::map<NodeId, double> told_seconds_;    // when its last progress was written
    std::map<std::size_t, JobNodeEnd> ends_;
};

DagOptions dag_options(const JobRun& run) {
    DagOptions options;
    options.file = run.dag;
    options.profile = run.profile;
    for (const auto& [name, value] : run.overrides) options.overrides.push_back({.name = name, .place = {}, .values = {value}});
    options.stages = run.stage_libraries;
    options.executor = run.executor;
    options.trust = run.trust;
    options.undeclared = run.accept_undeclared_files ? UndeclaredFiles::Accepted : UndeclaredFiles::Refused;
    return options;
}

// For which the run was planned; the cores are those of the job.
Machine planned_machine(const Job& job) {
    return {.cores = job.run.machine.cores, .cpu = job.run.machine.cpu, .processor = job.run.machine.processor,
            .memory_bytes = job.run.machine.memory_bytes, .bf16 = job.run.machine.bf16};
}

class Batch {
public:
    Batch(const Job& job, const StopSignals& signals)
        : job_(job), signals_(signals), session_(dag_options(job.run), {job.run.store.string(), job.run.results.string()}, Access::ReadWrite),
          use_(StoreLock::shared(session_.open().folder())),
          dag_(job.run.sweep ? session_.sweep(*job.run.sweep).dag : session_.dag()),
          final_checkpoints_(job.run.final_checkpoints ? &session_.open().final_checkpoints() : nullptr) {}

    // Throws Refused.
    std::vector<JobNodeEnd> run() {
        session_.plan_for(planned_machine(job_));
        for (const JobSpec::Node& node : job_.spec.nodes) cap_cpu_for(node_of(node));
        const Machine here = this_machine();
        session_.allow_running(dag_);
        JobReporter reporter(job_, dag_, session_.open().checkpoints());
        for (const bool forced : {false, true}) {
            std::vector<std::string> names;
            for (const JobSpec::Node& node : job_.spec.nodes)
                if (node.forced == forced) names.push_back(node.name);
            if (!names.empty()) run_some(names, forced, here, reporter);
        }
        return reporter.ends();
    }

private:
    const Node& node_of(const JobSpec::Node& wanted) const {
        const Node* const node = dag_.find(wanted.name);
        if (node != nullptr) return *node;
        throw Refused{JobFinish::Refusal::Run, fmt::format("the DAG file has changed since the run began: there is no stage {}", wanted.name)};
    }

    void run_some(const std::vector<std::string>& names, bool forced, const Machine& here, JobReporter& reporter) {
        StoreCacheView cache = session_.cache(dag_, final_checkpoints_, session_.open().store());
        Plan plan = plan_when_inputs_are_there({.single = names, .force = forced}, cache);
        check_keys(plan, names);
        check_machine(plan, here);
        Machine machine = session_.machine();
        machine.cores = job_.spec.cpus;
        machine.memory_bytes = job_.spec.memory_bytes > 0 ? job_.spec.memory_bytes : here.memory_bytes;
        const Limits limits = default_limits({.keep_going = true}, machine);
        std::optional<LargeArraysInUse> large_arrays;
        if (!job_.run.isolate) large_arrays.emplace(session_.open().folder(), limits, session_.libraries());
        StageExecutor executor(session_.libraries(), session_.work_folder(), job_.run.isolate ? Isolate::All : Isolate::IfRequested);
        ClaimFiles claims(session_.open().folder(), {.process = name_with_process("satdl", 0), .host = host_name(), .run = job_.run.run});
        const auto clock = steady_clock();
        const RunContext run{.dag = dag_,
                             .plan = plan,
                             .machine = machine,
                             .store = session_.open().store(),
                             .cache = cache,
                             .executor = executor,
                             .observer = reporter,
                             .clock = *clock,
                             .stop = signals_.stop(),
                             .limits = limits,
                             .checkpoints = &session_.open().checkpoints(),
                             .checkpoint_every_seconds = job_.run.checkpoint_every_seconds,
                             .final_checkpoints = final_checkpoints_,
                             .claims = &claims};
        // A forced stage starts at the beginning once, and not again in each of its jobs.
        if (forced && job_.is_repeated)
            for (PlannedNode& planned : plan.nodes)
                if (planned.forced) choose_start_again(run, planned);
        const RunResult result = run_on_flow_graph(run);
        if (!result.observer_error.empty()) throw Error(ExitCode::Store, result.observer_error);
    }

    // Another machine's artifact may be seen late on a network file system.
    Plan plan_when_inputs_are_there(const Request& request, StoreCacheView& cache) {
        const auto end = std::chrono::steady_clock::now() + kInputWait;
        while (true) {
            Plan plan = session_.plan(dag_, request, cache);
            if (!plan.blocked()) return plan;
            if (std::chrono::steady_clock::now() >= end || signals_.stop()) {
                const auto blocked = std::ranges::find(plan.nodes, Action::Blocked, &PlannedNode::action);
                throw Refused{JobFinish::Refusal::Run,
                              fmt::format("stage {} cannot run: {}", dag_.nodes[blocked->node].name, blocked->because)};
            }
            std::this_thread::sleep_for(kInputInterval);
        }
    }

    void check_keys(const Plan& plan, const std::vector<std::string>& names) const {
        for (const JobSpec::Node& node : job_.spec.nodes) {
            if (std::ranges::find(names, node.name) == names.end()) continue;
            const PlannedNode* const planned = plan.find(static_cast<NodeId>(&node_of(node) - dag_.nodes.data()));
            if (planned != nullptr && planned->key == node.key) continue;
            throw Refused{JobFinish::Refusal::Run,
                          fmt::format("the key of stage {} is not the one of the run: the DAG file, the settings file or a file that it reads "
                                      "has changed since; run again", node.name)};
        }
    }

    void check_machine(const Plan& plan, const Machine& here) {
        for (const PlannedNode& planned : plan.nodes) {
            if (!may_run(planned.action)) continue;
            if (auto other = other_bits(dag_, dag_.nodes[planned.node], session_.machine(), here, machine_name(), session_.libraries()))
                throw Refused{JobFinish::Refusal::Machine, std::move(*other)};
        }
    }

    const Job& job_;
    const StopSignals& signals_;
    Session session_;
    const StoreLock use_;
    const Dag dag_;
    CheckpointStore* const final_checkpoints_;
};

JobFinish finish_of(const Job& job, const StopSignals& signals) {
    JobFinish finish;
    try {
        if (job.run.build != build_of_this_program())
            throw Refused{JobFinish::Refusal::Run, "this is another build of satdl than the one that planned the run; run again"};
        std::error_code failed;
        fs::current_path(job.run.folder, failed);
        if (failed)
            throw Refused{JobFinish::Refusal::Run, fmt::format("machine {} cannot enter the folder of the run, {}: {}", machine_name(),
                                                               printable(job.run.folder.string()), failed.message())};
        finish.nodes = Batch(job, signals).run();
    } catch (const Refused& refused) {
        finish.refusal = refused.refusal;
        finish.refused = refused.text;
    } catch (const Error& error) {
        finish.refusal = JobFinish::Refusal::Run;
        finish.refused = error.what();
    }
    return finish;
}

ExitCode exec_batch(const ExecBatchOptions& options) {
    const StopSignals signals(StopSignals::Second::IsIgnored);
    const auto files = real_file_system();
    Job job{.folder = fs::absolute(options.folder), .spec = {}, .run = {}};
    job.spec = read_job_spec(job.folder, *files);
    job.run = read_job_run(job.folder.parent_path(), job.spec.run_file, *files);
    job.is_repeated = is_repeated(job.folder, *files);
    write_job_begin(job.folder, begin_now(), *files);
    const JobFinish finish = finish_of(job, signals);
    write_job_finish(job.folder, finish, *files);
    if (finish.refusal != JobFinish::Refusal::None) throw Error(ExitCode::Usage, finish.refused);
    const bool failed = std::ranges::find(finish.nodes, JobNodeEnd::Outcome::Failed, &JobNodeEnd::outcome) != finish.nodes.end();
    return failed ? ExitCode::StageFailed : ExitCode::Done;
}

}  // namespace

void add_exec_batch_command(Command& program) {
    program.add_command<ExecBatchOptions>(
        "exec-batch", "", "For satdl itself: a job of a batch system runs it (docs/cluster.md).",
        [](Command& command, ExecBatchOptions& options) {
            command.add_option("folder", options.folder, "the job's folder").required().type_name("FOLDER");
        },
        exec_batch);
}

}  // namespace satdl
