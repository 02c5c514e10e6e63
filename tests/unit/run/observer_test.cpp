#include "pipeline/run/observer.h"

#include <catch2/catch.hpp>
#include <stdexcept>
#include <thread>

#include "pipeline/run/serialized_observer.h"
#include "pipeline/run/workload.h"
#include "pipeline/sweep/sweep_summary.h"

using namespace satdl;

namespace {

struct Noting final : Observer {
    std::vector<std::string> notes;
    bool throws = false;
    int inside = 0;

    void note(const std::string& text) {
        ++inside;
        notes.push_back(text);
        if (throws) throw std::runtime_error("no room for " + text);
        --inside;
    }
    void run_started(const Dag&, const Plan&) override { note("run started"); }
    void stage_started(const Dag&, const PlannedNode& planned) override { note("started " + std::to_string(planned.node)); }
    void stage_progress(const Dag&, NodeId node, const Progress& progress) override {
        note("progress " + std::to_string(node) + " " + std::to_string(progress.step));
    }
    void stage_log(const Dag&, NodeId, LogLevel, const std::string& message) override { note("log " + message); }
    void stage_finished(const Dag&, const NodeResult& result) override { note("finished " + std::string(name_of(result.state))); }
    void stages_finished(const Dag&, const std::vector<NodeResult>& results) override { note("together " + std::to_string(results.size())); }
    void run_finished(const Dag&, const RunResult& result) override { note("run finished " + std::to_string(result.nodes.size())); }
    void warning(const std::string& text) override { note("warning " + text); }
    void sweep_started(const Sweep&, const Workload& workload) override { note("sweep of " + std::to_string(workload.points)); }
    void sweep_finished(const Sweep&, const SweepSummary& summary, const RunResult&) override { note("sweep finished " + summary.metrics.at(0)); }
};

void call_everything(Observer& observer) {
    const Dag dag;
    PlannedNode planned;
    planned.node = 3;
    Progress progress;
    progress.step = 5;
    observer.run_started(dag, Plan{});
    observer.stage_started(dag, planned);
    observer.stage_progress(dag, 3, progress);
    observer.stage_log(dag, 3, LogLevel::Info, "hello");
    NodeResult ran;
    ran.state = NodeState::Ran;
    observer.stage_finished(dag, ran);
    observer.stages_finished(dag, {NodeResult{}, ran});
    observer.run_finished(dag, RunResult{});
    observer.warning("disk");
    Workload workload;
    workload.points = 2;
    observer.sweep_started(Sweep{}, workload);
    SweepSummary summary;
    summary.metrics = {"loss"};
    observer.sweep_finished(Sweep{}, summary, RunResult{});
}

const std::vector<std::string> kEverything{"run started", "started 3", "progress 3 5", "log hello", "finished ran", "together 2",
                                          "run finished 0", "warning disk", "sweep of 2", "sweep finished loss"};

}  // namespace

TEST_CASE("Every observer gets every call, in order") {
    Noting first;
    Noting second;
    call_everything(*broadcast({&first, &second}));
    CHECK(first.notes == kEverything);
    CHECK(second.notes == kEverything);
}

TEST_CASE("An observer that throws does not keep calls from the others, and its exception is rethrown") {
    Noting bad;
    bad.throws = true;
    Noting good;
    const auto all = broadcast({&bad, &good});
    CHECK_THROWS_WITH(all->run_started(Dag{}, Plan{}), "no room for run started");
    CHECK(good.notes == std::vector<std::string>{"run started"});
}

TEST_CASE("A serialized observer throws nothing back into the run, and remembers the first exception") {
    Noting bad;
    bad.throws = true;
    SerializedObserver gate(bad);
    CHECK(gate.observer_error().empty());
    call_everything(gate);
    CHECK(bad.notes == kEverything);
    CHECK(gate.observer_error() == "no room for run started");
}

TEST_CASE("A serialized observer is never called by two threads at once") {
    Noting noting;
    SerializedObserver gate(noting);
    const Dag dag;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&] {
            for (int i = 0; i < 200; ++i) gate.stage_log(dag, 0, LogLevel::Info, "x");
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(noting.notes.size() == 800);
    CHECK(noting.inside == 0);
}
