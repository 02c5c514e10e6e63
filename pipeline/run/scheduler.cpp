// One continue_node per planned node counts its producers; one function_node executes what the admission lets through; one
// serial function_node writes behind. "Done" goes to the consumers' continue_nodes as a message, not along an edge: a node is
// done when it was executed, reused or skipped, and a continue_node's successors would hear that its producers are.
//
// The continue_nodes are lightweight: their bodies run within the call that puts the last message, and only note the node. So
// everything that a stage's end makes ready is there before the admission chooses what starts next, and chains of reused nodes
// cost no task and no depth of stack.
//
// oneTBB's own error handling is not used (exceptions, which deadlock a lightweight node, and cancellation): bodies throw
// nothing, the outcome of a node is a value, and stopping is a flag that NodeRunner looks at.
#include "pipeline/run/scheduler.h"

#include <tbb/flow_graph.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "pipeline/plan/machine.h"
#include "pipeline/run/job_runner.h"
#include "pipeline/run/node_runner.h"

namespace satdl {
namespace {

// A thread that waits inside a node (for blocks of a digest, say) must not take up another node meanwhile: that could be a
// training of an hour, or one that wants the lock which this thread holds.
template <typename Body>
auto isolated(Body&& body) {
    return tbb::this_task_arena::isolate(std::forward<Body>(body));
}

// Of what is written together: enough for the disk to have much to do at once, not so much that a large output waits for another.
constexpr std::size_t kTogether = 64;
constexpr std::uint64_t kTogetherBytes = std::uint64_t{8} << 20;

// How often a node that waits for another process looks whether that one is done.
constexpr std::chrono::milliseconds kLookInterval{100};

class FlowGraphRun {
public:
    FlowGraphRun(NodeRunner& runner, const RunContext& run)
        : runner_(runner), links_(runner.graph()),
          admission_(run.limits, std::max(1, run.machine.cores), by_position(run.cohorts, run.plan)),
          executing_(graph_, tbb::flow::unlimited, [this](std::size_t node) noexcept { execute(node); return Done(); }),
          storing_(graph_, tbb::flow::serial, [this](Done) noexcept { store(); return Done(); }) {
        if (run.jobs != nullptr) jobs_.emplace(runner, run);
        for (std::size_t node = 0; node < links_.count(); ++node) {
            const int producers = static_cast<int>(links_[node].producers.size());
            ready_.push_back(std::make_unique<Dependencies>(
                graph_, producers, [this, node](const Done&) noexcept { note_ready(node); return Done(); }));
        }
    }

    void run() {
        for (std::size_t node = 0; node < links_.count(); ++node) {
            if (links_[node].producers.empty()) ready_[node]->try_put(Done());
        }
        settle_ready();
        graph_.wait_for_all();
    }

private:
    using Done = tbb::flow::continue_msg;
    using Dependencies = tbb::flow::continue_node<Done, tbb::flow::lightweight>;

    void note_ready(std::size_t node) {
        const std::scoped_lock lock(mutex_);
        to_settle_.push_back(node);
    }

    std::optional<std::size_t> take_ready() {
        const std::scoped_lock lock(mutex_);
        if (to_settle_.empty()) return std::nullopt;
        const std::size_t node = to_settle_.front();
        to_settle_.pop_front();
        return node;
    }

    void settle_ready() {
        while (const auto node = take_ready()) {
            switch (isolated([&] { return runner_.settle(*node); })) {
                case NodeRunner::Step::Settled: notify_consumers(*node); break;
                case NodeRunner::Step::Run:
                    admission_.offer(*node, runner_.resources_for(*node), links_[*node].remaining_seconds);
                    break;
                case NodeRunner::Step::Job: follow_job(*node); break;
                case NodeRunner::Step::Wait: admission_.awaited(runner_.waits_for(*node), *node); break;
            }
        }
        start_admitted();
    }

    void execute(std::size_t node) {
        const NodeRunner::AfterExecution next = isolated([&] { return runner_.execute(node, admission_.gpu_of(node)); });
        admission_.finished(node);
        switch (next) {
            case NodeRunner::AfterExecution::Waiting:
                look_later(node);
                start_admitted();
                return;
            case NodeRunner::AfterExecution::Store: store_later(node); break;
            case NodeRunner::AfterExecution::Done: break;
        }
        ended(node);
    }

    void ended(std::size_t node) {
        notify_consumers(node);
        for (const std::size_t follower : runner_.take_followers(node)) note_ready(follower);
        settle_ready();
    }

    // Nodes that another process computes occupy no core: a thread of its own looks after all of them.
    void look_later(std::size_t node) {
        graph_.reserve_wait();
        const std::scoped_lock lock(mutex_);
        elsewhere_.push_back(node);
        if (!look_out_.joinable()) look_out_ = std::jthread([this](const std::stop_token& stop) { look_out(stop); });
        node_elsewhere_.notify_one();
    }

    void look_out(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (node_elsewhere_.wait(lock, stop, [&] { return !elsewhere_.empty(); })) {
            const std::vector<std::size_t> nodes = std::exchange(elsewhere_, {});
            lock.unlock();
            for (const std::size_t node : nodes) look_again(node);
            std::this_thread::sleep_for(kLookInterval);
            lock.lock();
        }
    }

    void look_again(std::size_t node) {
        const auto step = isolated([&] { return runner_.try_again(node); });
        if (!step) {
            const std::scoped_lock lock(mutex_);
            elsewhere_.push_back(node);
            return;
        }
        if (*step == NodeRunner::Step::Run) {
            admission_.offer(node, runner_.resources_for(node), links_[node].remaining_seconds);
            start_admitted();
        } else {
            ended(node);
        }
        graph_.release_wait();
    }

    // Nor do nodes that jobs execute.
    void follow_job(std::size_t node) {
        graph_.reserve_wait();
        jobs_->add(node);
        const std::scoped_lock lock(mutex_);
        if (!follower_.joinable()) follower_ = std::jthread([this](const std::stop_token& stop) { follow_jobs(stop); });
        look_at_jobs();
    }

    // Precondition: mutex_ is held.
    void look_at_jobs() {
        look_now_ = true;
        jobs_changed_.notify_one();
    }

    void follow_jobs(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (jobs_changed_.wait(lock, stop, [&] { return look_now_; })) {
            look_now_ = false;
            lock.unlock();
            const std::vector<std::size_t> nodes = isolated([&] { return jobs_->look(); });
            for (const std::size_t node : nodes) ended(node);
            for ([[maybe_unused]] const std::size_t node : nodes) graph_.release_wait();
            const bool go_on = jobs_->has_nodes();
            lock.lock();
            if (!go_on) continue;
            if (nodes.empty()) jobs_changed_.wait_for(lock, stop, kLookInterval, [&] { return look_now_; });
            look_now_ = true;
        }
    }

    void store_later(std::size_t node) {
        {
            const std::scoped_lock lock(mutex_);
            to_store_.push_back(node);
        }
        storing_.try_put(Done());
    }

    // Called once for each node, but a call stores all that wait: a later one may find none left.
    void store() {
        const std::vector<std::size_t> nodes = take_to_store();
        if (nodes.empty()) return;
        isolated([&] { runner_.store(nodes); });
        if (jobs_) {  // which may wait for these
            const std::scoped_lock lock(mutex_);
            look_at_jobs();
        }
        start_admitted();  // what was held may have been freed
    }

    std::vector<std::size_t> take_to_store() {
        const std::scoped_lock lock(mutex_);
        std::vector<std::size_t> nodes;
        std::uint64_t bytes = 0;
        while (!to_store_.empty() && nodes.size() < kTogether) {
            bytes += runner_.bytes_to_store(to_store_.front());
            if (!nodes.empty() && bytes > kTogetherBytes) break;
            nodes.push_back(to_store_.front());
            to_store_.pop_front();
        }
        return nodes;
    }

    void notify_consumers(std::size_t node) {
        admission_.done(node);
        for (const std::size_t consumer : links_[node].consumers) ready_[consumer]->try_put(Done());
    }

    void start_admitted() {
        for (const std::size_t node : admission_.admit(runner_.live_bytes())) executing_.try_put(node);
    }

    NodeRunner& runner_;
    const PlanGraph& links_;
    Admission admission_;

    std::mutex mutex_;
    std::deque<std::size_t> to_settle_;  // guarded by mutex_
    std::deque<std::size_t> to_store_;   // guarded by mutex_
    std::vector<std::size_t> elsewhere_;  // guarded by mutex_: they wait for other processes
    std::condition_variable_any node_elsewhere_;
    std::optional<JobRunner> jobs_;  // only if the run has jobs
    bool look_now_ = false;          // guarded by mutex_
    std::condition_variable_any jobs_changed_;

    tbb::flow::graph graph_;  // before its nodes: it must outlive them
    tbb::flow::function_node<std::size_t, Done> executing_;
    tbb::flow::function_node<Done, Done> storing_;
    std::vector<std::unique_ptr<Dependencies>> ready_;
    std::jthread look_out_;  // the last, with the other one: they use all the others
    std::jthread follower_;
};

}  // namespace

struct Workers::Arena {
    explicit Arena(int threads)
        : enough(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads)), arena(threads) {}

    tbb::global_control enough;
    tbb::task_arena arena;
};

Workers::Workers(const Machine& machine, const Limits& limits)
    : arena_(std::make_unique<Arena>(std::max({1, machine.cores, limits.jobs}) + 1)) {}

// When memory has run out in the middle of something, oneTBB may hold a lock for good, and its own end would wait for that: then it is left as
// it is, since the program ends anyway.
Workers::~Workers() {
    if (std::uncaught_exceptions() > 0) [[maybe_unused]] Arena* const left = arena_.release();
}

void Workers::run(const std::function<void()>& body) { arena_->arena.execute(body); }

RunResult run_on_flow_graph(const RunContext& run, Workers& workers) {
    NodeRunner runner(run);
    workers.run([&] { FlowGraphRun(runner, run).run(); });
    return runner.finish();
}

RunResult run_on_flow_graph(const RunContext& run) {
    const bool idle = std::ranges::none_of(run.plan.nodes, [](const PlannedNode& planned) { return may_run(planned.action); });
    if (idle) return run_serially(run);
    Workers workers(run.machine, run.limits);
    return run_on_flow_graph(run, workers);
}

RunResult run_serially(const RunContext& run, std::size_t together) {
    NodeRunner runner(run);
    std::optional<JobRunner> jobs;
    if (run.jobs != nullptr) jobs.emplace(runner, run);
    std::vector<std::size_t> to_store;
    const auto store = [&] {
        if (!to_store.empty()) runner.store(std::exchange(to_store, {}));
    };
    for (std::size_t node = 0; node < runner.graph().count(); ++node) {
        auto step = std::optional(runner.settle(node));
        if (step == NodeRunner::Step::Job) {
            store();  // the job reads it from there
            jobs->add(node);
            while (jobs->look().empty()) std::this_thread::sleep_for(kLookInterval);
            continue;
        }
        while (step == NodeRunner::Step::Run) {
            const NodeRunner::AfterExecution next = runner.execute(node);
            if (next == NodeRunner::AfterExecution::Store) to_store.push_back(node);
            if (next != NodeRunner::AfterExecution::Waiting) break;
            store();  // what another process may be waiting for
            while (!(step = runner.try_again(node))) std::this_thread::sleep_for(kLookInterval);
        }
        if (to_store.size() >= together) store();
    }
    store();
    return runner.finish();
}

}  // namespace satdl
