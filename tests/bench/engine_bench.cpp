// What the engine costs a trivial stage: decide, key, schedule, run, digest, hand on, keep in memory. Prints lines of
// `seconds a stage through the engine` and `seconds a call of the stage alone`.
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "pipeline/catalog/catalog.h"
#include "pipeline/catalog/library_loader.h"
#include "pipeline/dag_file/dag_source.h"
#include "pipeline/plan/plan.h"
#include "pipeline/run/scheduler.h"
#include "pipeline/store/memory_store.h"
#include "pipeline/yaml/yaml_parser.h"

namespace {

using namespace satdl;

constexpr int kNodes = 2000;

// Nothing is known from before: every node runs.
class NothingKnown final : public CacheView {
public:
    explicit NothingKnown(Store& store) : store_(store) {}
    std::optional<StoredOutput> outcome(const Digest& key) override { return store_.find(key); }
    std::optional<PreviousRun> previous_run(const Node&) override { return {}; }
    Digest file_digest(const SourceFile&) override { return {}; }
    std::optional<double> expected_seconds(const Digest&, const std::string&) override { return {}; }

private:
    Store& store_;
};

class DirectExecutor final : public Executor {
public:
    StageOutput execute(const Node& node, const StageInputs& inputs, StageContext& context) override {
        return libraries_.function(*node.stage)(inputs, context);
    }

private:
    StageLibraries libraries_;
};

class NoContext final : public StageContext {
public:
    explicit NoContext(const Params& params) : params_(params) {}
    const Params& params() const override { return params_; }
    int threads() const override { return 1; }
    const std::vector<SourceFile>& files() const override { return files_; }
    bool stop_requested() const override { return false; }
    void progress(const Progress&) override {}
    void log(LogLevel, std::string_view) override {}

private:
    const Params& params_;
    std::vector<SourceFile> files_;
};

double seconds_of(const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Chains of ten, side by side.
Dag chains(const Catalog& catalog) {
    std::string text = "name: chains\nstages:\n  n0: {kind: tiny_source, value: 0}\n";
    for (int i = 1; i < kNodes; ++i) {
        text += "  n" + std::to_string(i) + ": {kind: tiny, in: {x: n" + std::to_string(i % 10 ? i - 1 : i - 10) +
                ".y}, value: " + std::to_string(i) + "}\n";
    }
    const auto source = std::make_shared<const SourceText>(SourceText{"chains", text});
    return DagSource("chains.yaml", parse_yaml(source)).build({}, catalog, DatasetIndex({}));
}

}  // namespace

int main() {
    const Catalog catalog = load_catalog(program_folder(), {(program_folder() / "libbench_stages.so").string()});
    const Dag dag = chains(catalog);
    const Machine machine = this_machine();
    const std::atomic<bool> stop{false};
    const auto clock = steady_clock();
    DirectExecutor executor;
    Observer silent;
    for (int repetition = 0; repetition < 12; ++repetition) {
        MemoryStore store;
        NothingKnown cache(store);
        const double engine = seconds_of([&] {
            const Plan plan = make_plan(dag, {}, machine, cache);
            const RunResult result =
                run_on_flow_graph({.dag = dag, .plan = plan, .machine = machine, .store = store, .cache = cache,
                                   .executor = executor, .observer = silent, .clock = *clock, .stop = stop});
            SATDL_CHECK(result.count(NodeState::Ran) == kNodes, "every node runs");
        });
        const Node& node = dag.nodes.back();
        NoContext context(node.params);
        const double zero = 0;
        const StageInputs inputs{{"x", {{"", Array::of<double>({1}, std::span<const double>(&zero, 1))}}}};
        const double alone = seconds_of([&] {
            for (int i = 0; i < kNodes; ++i) (void)executor.execute(node, inputs, context);
        });
        if (repetition >= 2) std::printf("%.9f %.9f\n", engine / kNodes, alone / kNodes);
    }
}
