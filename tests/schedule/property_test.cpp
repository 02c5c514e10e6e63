// Random DAGs and random edits against an oracle that recomputes everything from nothing: the same bytes, and nothing run that
// need not run. The oracle shares with the engine only what a key is (fingerprint), and nothing of how plans and schedules work.
//
//   SATDL_PROPERTY_CASES=100000   how many cases (default: a few hundred)
//   SATDL_PROPERTY_SEED=7         where to begin; a failure prints the seed of its case
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>
#include <set>

#include "pipeline/plan/stage_key.h"
#include "pipeline/run/scheduler.h"
#include "pipeline/store/memory_store.h"
#include "tests/support/tiny_stages.h"

using namespace satdl;
using namespace satdl::test;

namespace {

// ---- the oracle -------------------------------------------------------------------------------------------------------

struct Truth {
    std::map<std::string, Numbers> outputs;  // by port
    Digest key;
};

// By node, from nothing: each stage's function on its inputs, in the DAG's order.
std::vector<Truth> recompute(const Dag& dag, const Files& files, const Machine& machine) {
    std::vector<Truth> truths;
    for (const Node& node : dag.nodes) {
        std::map<std::string, Numbers> in;
        std::vector<Digest> input_digests;
        for (const Input& input : node.inputs) {
            in[input.port] = truths[input.from].outputs.at(input.from_port);
            input_digests.push_back(port_digest(as_group(in[input.port])));
        }
        const Numbers file = node.files.empty() ? Numbers{} : files.at(node.files[0].path.string());
        std::vector<Digest> file_digests;
        if (!node.files.empty()) file_digests.push_back(sha256(std::as_bytes(std::span(file))));
        Truth truth;
        truth.outputs = tiny_stages().at(node.stage->description.kind).run(node.params.integer("k"), in, file);
        truth.key = key_of(recipe_of(dag, node, 1, machine, input_digests, file_digests));
        truths.push_back(std::move(truth));
    }
    return truths;
}

// What a run must do: each key that is not stored once, and no other; afterwards all of them are stored.
std::set<Digest> must_run(const std::vector<Truth>& truths, const std::set<Digest>& stored) {
    std::set<Digest> keys;
    for (const Truth& truth : truths) {
        if (!stored.contains(truth.key)) keys.insert(truth.key);
    }
    return keys;
}

// ---- random worlds ----------------------------------------------------------------------------------------------------

struct Sketch {  // a node before it is one, so that an edit can change it
    std::string kind;
    std::int64_t k = 0;
    std::string path;
    DagBuilder::Edges edges;
};

class RandomDag {
public:
    explicit RandomDag(std::mt19937_64& random) : random_(random) {
        const std::size_t count = 1 + pick(14);
        for (std::size_t i = 0; i < count; ++i) nodes_.push_back(node(i));
    }

    [[nodiscard]] Dag build() const {
        DagBuilder builder;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            std::map<std::string, ConfigValue> params{{"k", ConfigValue::of(nodes_[i].k)}};
            if (!nodes_[i].path.empty()) params.emplace("path", ConfigValue::of_text(nodes_[i].path));
            builder.add(fmt::format("n{}", i), nodes_[i].kind, std::move(params), nodes_[i].edges);
        }
        return builder.build();
    }

    void edit_params() { nodes_[pick(nodes_.size())].k = number(); }
    std::size_t pick(std::size_t below) { return static_cast<std::size_t>(random_() % below); }
    std::int64_t number() { return static_cast<std::int64_t>(pick(5)); }

private:
    Sketch node(std::size_t index) {
        if (index == 0 || pick(5) == 0) {
            if (pick(2) == 0) return {"make", number(), "", {}};
            return {"read", 0, fmt::format("file{}", pick(3)), {}};
        }
        static const std::vector<std::string> kKinds{"add", "coarse", "parity", "split"};
        Sketch made{kKinds[pick(kKinds.size())], number(), "", {{"x", port(pick(index))}}};
        if (made.kind == "add" && pick(2) == 0) made.edges.emplace_back("y", port(pick(index)));
        return made;
    }
    std::string port(std::size_t from) {
        const char* name = nodes_[from].kind == "split" ? (pick(2) == 0 ? "low" : "high") : "out";
        return fmt::format("n{}.{}", from, name);
    }

    std::mt19937_64& random_;
    std::vector<Sketch> nodes_;
};

Numbers random_content(RandomDag& random) {
    Numbers numbers(1 + random.pick(4));
    for (std::int64_t& number : numbers) number = static_cast<std::int64_t>(random.pick(300));
    return numbers;
}

// One store with its history, run by one schedule.
struct Side {
    explicit Side(const Files& files) : cache(store, files), executor(files) {}
    MemoryStore store;
    TinyCacheView cache;
    TinyExecutor executor;
};

const Machine kMachine{16, "AVX2"};

// jobs 0: the serial twin.
RunResult run(Side& side, const Dag& dag, int jobs, Workers& workers) {
    const Plan plan = make_plan(dag, {}, kMachine, side.cache);
    Observer silent;
    TickingClock clock;
    const std::atomic<bool> stop{false};
    const RunContext run{.dag = dag, .plan = plan, .machine = kMachine, .store = side.store, .cache = side.cache,
                         .executor = side.executor, .observer = silent, .clock = clock, .stop = stop, .limits = {.jobs = jobs}};
    RunResult result = jobs == 0 ? run_serially(run) : run_on_flow_graph(run, workers);
    side.cache.remember(dag, result);
    return result;
}

// The first contradiction between a run and the oracle, or "".
std::string compare(Side& side, const Dag& dag, const RunResult& result, const std::vector<Truth>& truths, const std::set<Digest>& due) {
    if (result.nodes.size() != dag.nodes.size()) return "a node is missing in the result";
    std::multiset<Digest> ran;
    for (const NodeResult& node : result.nodes) {
        const std::string& name = dag.nodes[node.node].name;
        const Truth& truth = truths[node.node];
        if (node.state != NodeState::Ran && node.state != NodeState::Reused) return fmt::format("{} {}: {}", name, name_of(node.state), node.error);
        if (node.key != truth.key) return fmt::format("{} has another key", name);
        if (node.state == NodeState::Ran) ran.insert(truth.key);
        const auto kept = side.store.load(truth.key);
        if (!kept) return fmt::format("{} is not in the store", name);
        for (const auto& [port, numbers] : truth.outputs) {
            if (as_numbers(kept->outputs.at(port)) != numbers) return fmt::format("{}.{} has other bytes", name, port);
            if (node.outputs->at(port) != port_digest(as_group(numbers))) return fmt::format("{}.{} has another digest", name, port);
        }
    }
    if (ran != std::multiset<Digest>(due.begin(), due.end())) return fmt::format("{} keys ran, {} had to", ran.size(), due.size());
    if (side.executor.take_ran().size() != due.size()) return "the executor ran something else than the result says";
    return "";
}

// One random DAG, then edit after edit, each run on both sides. "" or what went wrong.
std::string play(std::uint64_t seed, Workers& workers) {
    std::mt19937_64 random(seed);
    RandomDag dag(random);
    Files files;
    for (int i = 0; i < 3; ++i) files[fmt::format("file{}", i)] = random_content(dag);
    Side serial(files);
    Side parallel(files);
    std::set<Digest> stored;
    for (int step = 0; step < 6; ++step) {
        const Dag now = dag.build();
        const auto truths = recompute(now, files, kMachine);
        const std::set<Digest> due = must_run(truths, stored);
        const int jobs = 1 + static_cast<int>(dag.pick(16));
        if (auto wrong = compare(serial, now, run(serial, now, 0, workers), truths, due); !wrong.empty()) {
            return fmt::format("serially, step {}: {}", step, wrong);
        }
        if (auto wrong = compare(parallel, now, run(parallel, now, jobs, workers), truths, due); !wrong.empty()) {
            return fmt::format("{} jobs, step {}: {}", jobs, step, wrong);
        }
        stored.insert(due.begin(), due.end());
        switch (dag.pick(4)) {
            case 0: dag.edit_params(); break;
            case 1: files[fmt::format("file{}", dag.pick(3))] = random_content(dag); break;
            case 2:
                for (const Digest& key : std::set<Digest>(stored)) {
                    if (dag.pick(3) != 0) continue;
                    stored.erase(key);
                    serial.store.erase(key);
                    parallel.store.erase(key);
                }
                break;
            default: break;  // nothing changes: nothing may run
        }
    }
    return "";
}

std::uint64_t from_environment(const char* name, std::uint64_t fallback) {
    const char* text = std::getenv(name);
    return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("Random DAGs under random edits give the bytes of a clean run and rerun no stage without need") {
    const std::uint64_t first = from_environment("SATDL_PROPERTY_SEED", 1);
    const std::uint64_t cases = from_environment("SATDL_PROPERTY_CASES", 300);
    Workers workers(kMachine, {});
    for (std::uint64_t seed = first; seed < first + cases; ++seed) {
        const std::string wrong = play(seed, workers);
        if (wrong.empty()) continue;
        FAIL("SATDL_PROPERTY_SEED=" << seed << ": " << wrong);
    }
    SUCCEED("seeds " << first << " to " << first + cases - 1);
}
