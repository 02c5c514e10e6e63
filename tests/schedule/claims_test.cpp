// What a run does while another process computes one of its keys.
#include "world.h"

using namespace satdl;
using namespace satdl::test;

namespace {

// Another process that has one key, for as many looks as it takes; then `ends` says what it leaves.
class OtherProcess final : public KeyClaims {
public:
    OtherProcess(Digest key, int looks, std::function<void()> ends) : key_(key), looks_(looks), ends_(std::move(ends)) {}

    [[nodiscard]] std::variant<std::unique_ptr<Claim>, ClaimHolder> claim(const Digest& key) override {
        const std::scoped_lock lock(mutex_);
        if (key == key_ && looks_ > 0) {
            if (--looks_ == 0) ends_();
            return ClaimHolder{.process = {}, .host = {}, .run = "7"};
        }
        if (!held_.insert(key).second) throw std::logic_error("claimed twice");
        return std::make_unique<Held>(*this, key);
    }
    [[nodiscard]] std::size_t held() const { return held_.size(); }

private:
    struct Held final : Claim {
        Held(OtherProcess& process, const Digest& claimed) : from(process), key(claimed) {}
        ~Held() override {
            const std::scoped_lock lock(from.mutex_);
            from.held_.erase(key);
        }
        OtherProcess& from;
        const Digest key;
    };

    const Digest key_;
    std::mutex mutex_;
    int looks_;  // guarded by mutex_, as held_ is
    const std::function<void()> ends_;
    std::set<Digest> held_;
};

// A world in which diamond() has run, but for the artifacts of b and d; `b` is what b's was.
struct Scene {
    explicit Scene(int jobs) : dag(diamond()), before(world.run(dag, jobs)) {
        stored = world.store.load(key_of_b());
        world.store.erase(key_of_b());
        world.store.erase(*result_of(dag, before, "d").key);
        (void)world.executor.take_ran();
        world.observer = {};
    }
    [[nodiscard]] Digest key_of_b() const { return *result_of(dag, before, "b").key; }
    void store_b() {
        const NodeResult& b = result_of(dag, before, "b");
        world.store.publish(b.recipe, dag.nodes[b.node].stage->description, *stored);
    }
    RunResult run_beside(OtherProcess& other, int jobs) {
        world.claims = &other;
        return world.run(dag, jobs);
    }

    World world;
    Dag dag;
    RunResult before;
    std::optional<StageOutput> stored;
};

}  // namespace

TEST_CASE("What another process computes is awaited and reused") {
    const int jobs = any_jobs();
    Scene scene(jobs);
    OtherProcess other(scene.key_of_b(), 2, [&] { scene.store_b(); });
    const RunResult result = scene.run_beside(other, jobs);
    CHECK(result.exit_code() == ExitCode::Done);
    CHECK(scene.world.executor.take_ran() == Names{"d"});
    CHECK(scene.world.observer.waiting == Names{"b for run 7"});
    CHECK(result_of(scene.dag, result, "b").because == "run 7 computed it");
    CHECK(result_of(scene.dag, result, "d").outputs == result_of(scene.dag, scene.before, "d").outputs);
    CHECK(other.held() == 0);
}

TEST_CASE("If the other process ends without a result, the stage runs here") {
    const int jobs = any_jobs();
    Scene scene(jobs);
    OtherProcess other(scene.key_of_b(), 2, [] {});
    const RunResult result = scene.run_beside(other, jobs);
    CHECK(scene.world.executor.take_ran() == Names{"b", "d"});
    CHECK(result_of(scene.dag, result, "b").outputs == result_of(scene.dag, scene.before, "b").outputs);
    CHECK(other.held() == 0);
}

TEST_CASE("What another process has stored since the plan was made does not run") {
    const int jobs = any_jobs();
    Scene scene(jobs);
    OtherProcess other(scene.key_of_b(), 0, [] {});
    const Plan plan = make_plan(scene.dag, {}, scene.world.machine, scene.world.cache);
    scene.store_b();
    World& world = scene.world;
    const RunContext run{.dag = scene.dag,
                         .plan = plan,
                         .machine = world.machine,
                         .store = world.store,
                         .cache = world.cache,
                         .executor = world.executor,
                         .observer = world.observer,
                         .clock = world.clock,
                         .stop = world.stop,
                         .limits = {.jobs = jobs},
                         .claims = &other};
    const RunResult result = jobs == kSerial ? run_serially(run) : run_on_flow_graph(run);
    CHECK(world.executor.take_ran() == Names{"d"});
    CHECK(result_of(scene.dag, result, "b").because == "another process computed it meanwhile");
    CHECK(world.observer.waiting.empty());
}

TEST_CASE("Who waits for another process ends when the run is stopped, and keeps nothing") {
    const int jobs = any_jobs();
    Scene scene(jobs);
    OtherProcess other(scene.key_of_b(), 1'000'000, [] {});
    scene.world.observer.waits = [&] { scene.world.stop = true; };
    const RunResult result = scene.run_beside(other, jobs);
    CHECK(result.stopped);
    CHECK(result_of(scene.dag, result, "b").because == "the run was stopped before it could start");
    CHECK(scene.world.executor.take_ran().empty());
    CHECK(other.held() == 0);
}

TEST_CASE("Who waits for another process ends when another stage of the run fails") {
    const int jobs = GENERATE(1, 2, 8);
    Scene scene(jobs);
    scene.world.store.erase(*result_of(scene.dag, scene.before, "c").key);
    scene.world.executor.scripts["c"] = [](const StageInputs&, StageContext&) -> StageOutput {
        throw std::runtime_error("broken");
    };
    OtherProcess other(scene.key_of_b(), 1'000'000, [] {});
    const RunResult result = scene.run_beside(other, jobs);
    CHECK(result.exit_code() == ExitCode::StageFailed);
    CHECK(result_of(scene.dag, result, "b").because == "not started because c failed");
    CHECK(other.held() == 0);
}
