// A batch system in this process, on a clock that only moves when a test says so: as a script of what happens to each job, or with workers
// that execute them. It writes the files that `satdl exec-batch` writes.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/executors/jobs/job_files.h"
#include "pipeline/executors/jobs/job_queue.h"
#include "pipeline/executors/jobs/queue_executor.h"
#include "pipeline/run/clock.h"
#include "tests/support/job_resources.h"
#include "tests/support/temp_folder.h"

namespace satdl::test {

class VirtualClock final : public Clock {
public:
    double now = 1000;
    [[nodiscard]] double seconds() override { return now; }
};

// A store of which only the keys matter.
class KeyStore final : public Store {
public:
    std::set<Digest> stored;
    std::optional<StoredOutput> find(const Digest& key) override {
        return stored.contains(key) ? std::optional(StoredOutput{}) : std::nullopt;
    }
    std::optional<ArtifactHeader> header(const Digest&) override { return std::nullopt; }
    std::optional<StageOutput> load(const Digest&) override { return std::nullopt; }
    Published publish(const Recipe& recipe, const StageDescription&, const StageOutput&) override {
        return stored.insert(key_of(recipe)).second ? Published::New : Published::Same;
    }
    std::vector<Digest> keys() override { return {stored.begin(), stored.end()}; }
    std::filesystem::path path_of(const Digest& key) const override { return key.hex(); }
};

class PositionStore final : public CheckpointStore {
public:
    std::map<Digest, CheckpointPosition> positions;
    std::optional<CheckpointPosition> newest(const Digest& key, std::int64_t) override {
        const auto found = positions.find(key);
        return found == positions.end() ? std::nullopt : std::optional(found->second);
    }
    std::optional<Checkpoint> load(const Digest&, std::vector<std::string>&, std::int64_t) override { return std::nullopt; }
    void write(const Recipe&, const Digest&, const CheckpointPosition&, const NamedArrays&) override {}
    void remove(const Digest&) override {}
};

struct Cluster {
    struct Job {
        JobRequest request;
        JobId id;
        JobSpec spec;
        JobStatus status;
        double ends = 0;
        int restart = 0;
    };

    Cluster(VirtualClock& its_clock, KeyStore& its_store, FileSystem& its_files) : clock(its_clock), store(its_store), files(its_files) {}

    VirtualClock& clock;
    KeyStore& store;
    FileSystem& files;
    JobLimits limits{};
    std::map<std::string, Job> jobs;  // by name, as the batch system knows them
    std::map<JobId, JobStatus> accounting;
    std::vector<std::size_t> submissions;  // requests of each call
    std::vector<std::string> cancelled, asked_to_stop;
    int polls = 0, cancelled_all = 0;
    bool answers = true;
    std::set<std::string> hidden;  // not in its answers
    std::function<std::optional<SubmitFailure>(const JobRequest&)> refuse;
    bool takes_refused = false;  // the answer to a submission was lost: it has the jobs all the same
    int next_id = 100;

    [[nodiscard]] Job& job(const std::string& name) { return jobs.at(name); }
    [[nodiscard]] std::filesystem::path folder(const std::string& name) { return job(name).request.log.parent_path(); }

    // ---- what happens to a job
    void begin(const std::string& name, const std::string& machine = "n1") {
        Job& one = job(name);
        one.status = {.state = JobStatus::State::Running, .machine = machine};
        write_job_begin(folder(name), {.job = one.id, .machine = machine, .process = 1, .restart = one.restart, .wall_time = 1}, files);
    }
    void event(const std::string& name, const JobEvent& what) { JobEventWriter(folder(name)).write(what); }
    void start(const std::string& name, std::size_t node = 0) { event(name, {.what = JobEvent::What::Started, .node = node}); }
    void node_ends(const std::string& name, const JobNodeEnd& end) {
        if (end.outcome == JobNodeEnd::Outcome::Ran) store.stored.insert(job(name).spec.nodes[end.node].key);
        event(name, {.what = JobEvent::What::Ended, .node = end.node, .end = end});
    }
    void finish(const std::string& name, const JobFinish& what) { write_job_finish(folder(name), what, files); }
    void end(const std::string& name, JobEnd how, int code = 0) {
        job(name).status.state = JobStatus::State::Ended;
        job(name).status.end = how;
        job(name).status.exit_code = code;
    }
    void stop_with(const std::string& name, JobNodeEnd::Outcome outcome, JobEnd how = JobEnd::Exited) {
        JobFinish what;
        for (std::size_t i = 0; i < job(name).spec.nodes.size(); ++i) what.nodes.push_back({.node = i, .outcome = outcome});
        finish(name, what);
        end(name, how);
    }
    void succeed(const std::string& name, double seconds = 1) {
        JobFinish what;
        for (std::size_t i = 0; i < job(name).spec.nodes.size(); ++i) {
            store.stored.insert(job(name).spec.nodes[i].key);
            what.nodes.push_back({.node = i, .outcome = JobNodeEnd::Outcome::Ran, .seconds = seconds});
        }
        finish(name, what);
        end(name, JobEnd::Exited);
    }
    void vanish(const std::string& name) { hidden.insert(name); }

    // ---- workers that execute jobs by themselves: `seconds` of each stage by its name; the files are written when a job ends
    std::size_t workers = 0;
    std::function<double(const std::string&)> seconds_of;
    double latency = 0;  // from a free worker to the start of a job
    std::deque<std::string> waiting;
    std::multimap<double, std::string> running;  // by when they end
    void work() {
        while (!running.empty() && running.begin()->first <= clock.now) {
            succeed(running.begin()->second);
            running.erase(running.begin());
        }
        while (running.size() < workers && !waiting.empty()) {
            Job& next = job(waiting.front());
            double seconds = latency;
            for (const auto& node : next.spec.nodes) seconds += seconds_of(node.name);
            next.status.state = JobStatus::State::Running;
            running.emplace(clock.now + seconds, waiting.front());
            waiting.pop_front();
        }
    }
};

// The connection of one controller to the cluster, which outlives it.
class ClusterQueue final : public JobQueue {
public:
    explicit ClusterQueue(Cluster& cluster) : cluster_(cluster) {}
    [[nodiscard]] std::string name() const override { return "slurm"; }
    [[nodiscard]] JobLimits limits() override { return cluster_.limits; }
    [[nodiscard]] std::vector<SubmitResult> submit(std::span<const JobRequest> requests) override {
        cluster_.submissions.push_back(requests.size());
        std::vector<SubmitResult> results;
        for (const JobRequest& request : requests) {
            const auto refused = cluster_.refuse ? cluster_.refuse(request) : std::nullopt;
            if (!refused || cluster_.takes_refused) {
                Cluster::Job& job = cluster_.jobs[request.name];
                job.request = request;
                job.id = std::to_string(cluster_.next_id++);
                job.spec = read_job_spec(request.log.parent_path(), cluster_.files);
                if (cluster_.workers > 0) cluster_.waiting.push_back(request.name);
            }
            if (refused) results.emplace_back(*refused);
            else results.emplace_back(cluster_.jobs[request.name].id);
        }
        return results;
    }
    [[nodiscard]] std::optional<std::map<std::string, std::pair<JobId, JobStatus>>> poll() override {
        ++cluster_.polls;
        if (!cluster_.answers) return std::nullopt;
        std::map<std::string, std::pair<JobId, JobStatus>> answer;
        for (const auto& [name, job] : cluster_.jobs)
            if (!cluster_.hidden.contains(name)) answer.emplace(name, std::pair(job.id, job.status));
        return answer;
    }
    [[nodiscard]] std::map<JobId, JobStatus> look_up(std::span<const JobId> jobs) override {
        std::map<JobId, JobStatus> found;
        for (const JobId& id : jobs)
            if (const auto known = cluster_.accounting.find(id); known != cluster_.accounting.end()) found.insert(*known);
        return found;
    }
    void cancel(std::span<const JobId> jobs) override { cluster_.cancelled.insert(cluster_.cancelled.end(), jobs.begin(), jobs.end()); }
    void cancel_all() override { ++cluster_.cancelled_all; }
    void ask_to_stop(std::span<const JobId> jobs) override {
        cluster_.asked_to_stop.insert(cluster_.asked_to_stop.end(), jobs.begin(), jobs.end());
    }

private:
    Cluster& cluster_;
};

// What a run would hear.
struct RecordingListener final : JobListener {
    std::map<NodeId, JobOutcome> outcomes;
    std::vector<std::string> queue, starts, logs;
    std::vector<std::pair<NodeId, Progress>> progresses;
    void queued(NodeId, const std::string& job, const std::string& reason) override { queue.push_back(job + ": " + reason); }
    void started(NodeId, const std::string& where) override { starts.push_back(where); }
    void progress(NodeId node, const Progress& at) override { progresses.emplace_back(node, at); }
    void log(NodeId, LogLevel, const std::string& text) override { logs.push_back(text); }
    void ended(NodeId node, JobOutcome outcome) override {
        if (!outcomes.emplace(node, std::move(outcome)).second) throw std::logic_error("a stage has ended twice");
    }
};

// A run's controller, and all that it needs of the world.
struct ClusterRun {
    TempFolder folder{TempFolder::Where::Memory};
    std::unique_ptr<FileSystem> files = real_file_system();
    VirtualClock clock;
    KeyStore store;
    PositionStore checkpoints;
    Cluster cluster{clock, store, *files};
    RecordingListener listener;
    std::string run_file = "run-1.json";
    std::unique_ptr<QueueExecutor> executor;

    ClusterRun() { connect(); }
    // Another controller, after the one before was killed, or ended.
    void connect() {
        executor.reset();
        QueueExecutorOptions options{.folder = folder.path(),
                                     .run_file = run_file,
                                     .command = {"satdl", "exec-batch"},
                                     .working_folder = "/",
                                     .takes = [](const Node&) { return true; }};
        executor = std::make_unique<QueueExecutor>(std::move(options), std::make_unique<ClusterQueue>(cluster), nullptr, *files, store,
                                                   &checkpoints, clock);
    }
    [[nodiscard]] static Digest key(NodeId node) { return sha256("key " + std::to_string(node)); }
    [[nodiscard]] static JobStage stage(NodeId node, std::optional<double> expected_seconds = std::nullopt, JobResources resources = {}) {
        return {.node = node,
                .name = "stage" + std::to_string(node),
                .key = key(node),
                .resources = std::move(resources),
                .expected_seconds = expected_seconds};
    }
    void submit(std::vector<JobStage> stages) {
        executor->submit(std::move(stages));
        pass(0.5);
    }
    // Time goes by, in steps as a run polls.
    void pass(double seconds, double step = 0.1) {
        for (const double until = clock.now + seconds; clock.now < until;) {
            executor->poll(listener);
            clock.now = std::min(clock.now + step, until);
            if (cluster.workers > 0) cluster.work();
        }
        executor->poll(listener);
    }
    [[nodiscard]] const JobOutcome& outcome(NodeId node) const { return listener.outcomes.at(node); }
};

}  // namespace satdl::test
