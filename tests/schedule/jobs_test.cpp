// Stages that jobs execute, beside those that are executed here.
#include "world.h"

using namespace satdl;
using namespace satdl::test;

namespace {

// Jobs that run at once or after some polls, each as `satdl exec-batch` does: a plan for the stage alone, whose inputs are in the store or
// not at all.
class ScriptedJobs final : public JobExecutor {
public:
    ScriptedJobs(World& world, const Dag& dag) : world_(world), dag_(dag) { world.job_executor = this; }

    std::set<std::string> here;                                 // stages that it does not take
    std::map<std::string, JobOutcome> scripted;                 // instead of running the stage
    int polls_to_wait = 0;                                      // before a job ends
    std::function<void()> before_poll = [] {};
    std::function<void()> when_asked = [] {};  // whether it takes a stage
    Names calls;                                                // "submit b", "stop: cancel"

    [[nodiscard]] bool takes(const Node& node) const override {
        when_asked();
        return !here.contains(node.name);
    }
    void submit(std::vector<JobStage> stages) override {
        for (JobStage& stage : stages) {
            calls.push_back(fmt::format("submit {}{}", stage.name, stage.forced ? " anew" : ""));
            jobs_.push_back({std::move(stage), 0});
        }
    }
    void poll(JobListener& listener) override {
        before_poll();
        std::vector<Job> jobs = std::exchange(jobs_, {});
        for (Job& job : jobs) {
            const NodeId node = job.stage.node;
            if (job.polls == 0) listener.queued(node, "job 7", "Resources");
            if (job.polls == 0) listener.started(node, "job 7 on n1");
            if (job.polls++ < polls_to_wait && !cancelled_) {
                jobs_.push_back(std::move(job));
                continue;
            }
            JobOutcome outcome;
            outcome.state = JobOutcome::State::Stopped;
            if (const auto found = scripted.find(job.stage.name); found != scripted.end()) outcome = found->second;
            else if (!cancelled_) outcome = run(job.stage);
            outcome.where = "job 7 on n1";
            outcome.queued_seconds = 3;
            outcome.seconds = 5;
            listener.ended(node, outcome);
        }
    }
    void stop(Stop how) override {
        calls.emplace_back(how == Stop::Cancel ? "stop: cancel" : "stop: detach");
        cancelled_ = how == Stop::Cancel;
    }

private:
    struct Job {
        JobStage stage;
        int polls = 0;
    };

    JobOutcome run(const JobStage& stage) {
        TinyCacheView cache(world_.store, world_.files);
        const Plan plan = make_plan(dag_, {.single = {stage.name}, .force = stage.forced}, world_.machine, cache);
        JobOutcome outcome;
        if (plan.blocked()) outcome.error = "its inputs are not in the store";
        if (plan.blocked()) return outcome;
        TinyExecutor executor(world_.files);
        Observer nobody;
        const std::atomic<bool> stop{false};
        const RunResult result = run_serially({.dag = dag_, .plan = plan, .machine = world_.machine, .store = world_.store, .cache = cache,
                                               .executor = executor, .observer = nobody, .clock = world_.clock, .stop = stop});
        outcome.state = result.exit_code() == ExitCode::Done ? JobOutcome::State::Ran : JobOutcome::State::Failed;
        return outcome;
    }

    World& world_;
    const Dag& dag_;
    std::vector<Job> jobs_;
    bool cancelled_ = false;
};

JobOutcome failed(const std::string& error) {
    JobOutcome outcome;
    outcome.error = error;
    return outcome;
}

std::vector<std::optional<PortDigests>> outputs(const RunResult& result) {
    std::vector<std::optional<PortDigests>> all;
    for (const NodeResult& node : result.nodes) all.push_back(node.outputs);
    return all;
}

}  // namespace

TEST_CASE("stages that jobs execute end with the same outputs, each submitted after its producers") {
    const int jobs = any_jobs();
    const Dag dag = diamond();
    World local;
    const RunResult expected = local.run(dag, jobs);
    World world;
    ScriptedJobs executor(world, dag);
    const RunResult result = world.run(dag, jobs);
    CHECK(outputs(result) == outputs(expected));
    CHECK(world.executor.take_ran().empty());
    REQUIRE(executor.calls.size() == 4);
    CHECK(executor.calls.front() == "submit a");
    CHECK(executor.calls.back() == "submit d");
    for (const NodeResult& node : result.nodes) {
        CHECK(node.state == NodeState::Ran);
        REQUIRE(node.job);
        CHECK(node.job->where == "job 7 on n1");
        CHECK(node.job->queued_seconds == 3);
        CHECK(node.seconds == 5);
    }
    CHECK(result.exit_code() == ExitCode::Done);
    CHECK(world.observer.started.size() == 4);
    CHECK(world.observer.queued.size() == 4);
    CHECK(world.observer.queued.front() == "a: job 7, Resources");

    const RunResult again = world.run(dag, jobs);
    CHECK(again.count(NodeState::Reused) == 4);
    CHECK(executor.calls.size() == 4);
}

TEST_CASE("jobs and stages that are executed here feed each other, by the store") {
    const int jobs = any_jobs();
    const Dag dag = diamond();
    World local;
    const RunResult expected = local.run(dag, jobs);
    World world;
    ScriptedJobs executor(world, dag);
    executor.here = GENERATE(as<std::set<std::string>>{}, std::set<std::string>{"a"}, std::set<std::string>{"b", "c"},
                             std::set<std::string>{"a", "d"}, std::set<std::string>{"a", "b", "c", "d"});
    const RunResult result = world.run(dag, jobs);
    CHECK(outputs(result) == outputs(expected));
    CHECK(result.count(NodeState::Ran) == 4);
    CHECK(world.executor.take_ran() == Names(executor.here.begin(), executor.here.end()));
    for (const NodeResult& node : result.nodes) CHECK(node.job.has_value() == !executor.here.contains(dag.nodes[node.node].name));
}

TEST_CASE("a job whose input could not be stored fails and is not submitted") {
    const int jobs = any_jobs();
    const Dag dag = chain();
    World world;
    ScriptedJobs executor(world, dag);
    executor.here = {"a"};
    world.store.full = true;
    const RunResult result = world.run(dag, jobs);
    CHECK(executor.calls.empty());
    CHECK_THAT(result_of(dag, result, "b").error, Catch::StartsWith("a job cannot read the output of a, which was not stored: "));
    CHECK(result_of(dag, result, "c").because == "needs b, which failed");
}

TEST_CASE("a job that fails stops what depends on it") {
    const int jobs = any_jobs();
    const Dag dag = diamond();
    World world;
    ScriptedJobs executor(world, dag);
    world.limits.keep_going = GENERATE(false, true);
    executor.scripted["b"] = failed("it ran out of memory");
    const RunResult result = world.run(dag, jobs);
    CHECK(result_of(dag, result, "b").error == "it ran out of memory");
    CHECK(result_of(dag, result, "d").because == "needs b, which failed");
    if (world.limits.keep_going) CHECK(result_of(dag, result, "c").state == NodeState::Ran);
    CHECK(result.exit_code() == ExitCode::StageFailed);
}

TEST_CASE("after a failure nothing more is submitted, unless the run keeps going") {
    const int jobs = any_jobs();
    const Dag dag = DagBuilder()
                        .add("a", "make")
                        .add("b", "make", {{"k", ConfigValue::of(std::int64_t{1})}})
                        .add("c", "add", {}, {{"x", "b.out"}})
                        .build();
    World world;
    ScriptedJobs executor(world, dag);
    world.limits.keep_going = GENERATE(false, true);
    executor.scripted["a"] = failed("no such account");
    executor.scripted["a"].is_config = true;
    const RunResult result = world.run(dag, jobs);
    CHECK(result_of(dag, result, "c").state == (world.limits.keep_going ? NodeState::Ran : NodeState::Skipped));
    if (!world.limits.keep_going) CHECK(result_of(dag, result, "c").because == "not started because a failed");
    CHECK(result.exit_code() == ExitCode::Usage);
}

TEST_CASE("the artifact decides whether a job has run, whatever it says") {
    const int jobs = any_jobs();
    const Dag dag = chain();
    World world;
    ScriptedJobs executor(world, dag);
    executor.scripted["b"] = {.state = JobOutcome::State::Ran};
    const RunResult lost = world.run(dag, jobs);
    CHECK(result_of(dag, lost, "b").error == "its job ended well, but its artifact is not in the store");

    executor.scripted.clear();
    const RunResult good = world.run(dag, jobs);
    const Digest key = *result_of(dag, good, "b").key;
    const NodeResult b = result_of(dag, good, "b");
    const auto stored = world.store.load(key);
    world.store.erase(key);
    executor.scripted["b"] = failed("its machine failed");
    executor.before_poll = [&] { world.store.publish(b.recipe, dag.nodes[b.node].stage->description, *stored); };
    CHECK(result_of(dag, world.run(dag, jobs), "b").state == NodeState::Ran);
}

TEST_CASE("what another process has stored meanwhile is not submitted") {
    const int jobs = any_jobs();
    const Dag dag = chain();
    World world;
    ScriptedJobs executor(world, dag);
    const RunResult first = world.run(dag, jobs);
    const NodeResult c = result_of(dag, first, "c");
    const auto stored = world.store.load(*c.key);
    world.store.erase(*c.key);
    executor.calls.clear();
    executor.when_asked = [&] { world.store.publish(c.recipe, dag.nodes[c.node].stage->description, *stored); };
    const RunResult result = world.run(dag, jobs);
    CHECK(executor.calls.empty());
    CHECK(states(dag, result).back() == "c reused: another process computed it meanwhile");
}

TEST_CASE("two stages with one key are one job") {
    const int jobs = any_jobs();
    const Dag dag = DagBuilder().add("a", "make").add("b", "make").add("c", "add", {}, {{"x", "a.out"}, {"y", "b.out"}}).build();
    World world;
    ScriptedJobs executor(world, dag);
    executor.polls_to_wait = jobs == kSerial ? 0 : 1;
    const RunResult result = world.run(dag, jobs);
    CHECK(executor.calls.size() == 2);
    CHECK(result.count(NodeState::Ran) == 2);
    CHECK(result.count(NodeState::Reused) == 1);
}

TEST_CASE("a forced stage is a job although its artifact is there, and its job's word counts") {
    const int jobs = any_jobs();
    const Dag dag = chain();
    World world;
    ScriptedJobs executor(world, dag);
    (void)world.run(dag, jobs);
    executor.calls.clear();
    const RunResult result = world.run(dag, jobs, {.targets = {"b"}, .force = true});
    CHECK(executor.calls == Names{"submit b anew"});
    CHECK(result_of(dag, result, "b").state == NodeState::Ran);
    executor.scripted["b"] = failed("it crashed");
    CHECK(result_of(dag, world.run(dag, jobs, {.targets = {"b"}, .force = true}), "b").error == "it crashed");
}

TEST_CASE("a stop cancels the jobs and waits for their end, what depends on them is skipped") {
    const int jobs = any_jobs();
    const Dag dag = chain();
    World world;
    ScriptedJobs executor(world, dag);
    executor.polls_to_wait = 1000;
    executor.before_poll = [&] { world.stop = true; };
    const RunResult result = world.run(dag, jobs);
    CHECK(executor.calls == Names{"submit a", "stop: cancel"});
    CHECK(states(dag, result).front().starts_with("a stopped"));
    CHECK(result_of(dag, result, "b").because == "needs a, which was stopped");
    CHECK(result.stopped);
}

TEST_CASE("a run that detaches ends and leaves its jobs alone") {
    const int jobs = any_jobs();
    const Dag dag = chain();
    World world;
    ScriptedJobs executor(world, dag);
    executor.polls_to_wait = 1000;
    int polls = 0;
    executor.before_poll = [&] {
        ++polls;
        world.detach = true;
        world.stop = true;
    };
    const RunResult result = world.run(dag, jobs);
    CHECK(polls == 1);
    CHECK(executor.calls == Names{"submit a", "stop: detach"});
    CHECK(states(dag, result).front() == "a stopped: the run ended, its job goes on");
    CHECK(result.stopped);
}

TEST_CASE("what a JobExecutor throws fails its stages and not the program") {
    const int jobs = any_jobs();
    const Dag dag = chain();
    World world;
    ScriptedJobs executor(world, dag);
    executor.before_poll = [] { throw std::runtime_error("out of ids"); };
    const RunResult result = world.run(dag, jobs);
    CHECK(result_of(dag, result, "a").error == "its job cannot be followed: out of ids");
    CHECK(result_of(dag, result, "c").state == NodeState::Skipped);
}
