// What checkpoints cost a training, kept as a run keeps them by default.
//
// usage: checkpoint_bench m2 FOLDER   trains M2 with and without, in turn: a line `with without keeping` a pair, in seconds; keeping: what
//                                     of `with` went into checkpoints
//        checkpoint_bench m1 FOLDER   keeps checkpoints of M1: a line `keeping 60` each, since within an epoch one comes in 60 seconds
#include <chrono>
#include <cstdio>
#include <string>

#include "pipeline/plan/machine.h"
#include "pipeline/run/attempt_checkpoints.h"
#include "pipeline/store/checkpoint_files.h"
#include "pipeline/store/memory_store.h"
#include "stages/initialise.h"
#include "stages/tensor.h"
#include "stages/trainer.h"
#include "tests/support/hdf5_writer.h"
#include "tests/support/study_networks.h"
#include "tests/support/tiny_stages.h"

namespace {

using namespace satdl;
using namespace satdl::stages;

constexpr int kPairs = 5;
constexpr std::int64_t kBatch = 128, kSteps = 100, kEpochs = 300;  // of a training of M2

// A stage of a run, as far as checkpoints are concerned.
struct Run {
    explicit Run(const std::filesystem::path& folder)
        : dag(test::DagBuilder().add("m", "make").build()), cache(store, no_files), executor(no_files),
          plan(make_plan(dag, {}, machine, cache)), checkpoints(folder, Retention::LastTwo, *files, test::hdf5_writer), clock(steady_clock()) {}

    double seconds() { return clock->seconds(); }

    const test::Files no_files;
    const Dag dag;
    const Machine machine;
    MemoryStore store;
    test::TinyCacheView cache;
    test::TinyExecutor executor;
    Observer observer;
    const Plan plan;
    const std::unique_ptr<FileSystem> files = real_file_system();
    CheckpointFiles checkpoints;
    const std::unique_ptr<Clock> clock;
    const std::atomic<bool> stop{false};
    const RunContext run{.dag = dag, .plan = plan, .machine = machine, .store = store, .cache = cache, .executor = executor,
                         .observer = observer, .clock = *clock, .stop = stop, .checkpoints = &checkpoints};
};

class Context final : public StageContext {
public:
    Context(Run& run, AttemptCheckpoints* checkpoints) : run_(run), checkpoints_(checkpoints) {}
    [[nodiscard]] const Params& params() const override { return params_; }
    [[nodiscard]] int threads() const override { return 1; }
    [[nodiscard]] const std::vector<SourceFile>& files() const override { return files_; }
    [[nodiscard]] bool stop_requested() const override { return false; }
    void progress(const Progress&) override {}
    void log(LogLevel, std::string_view) override {}
    [[nodiscard]] bool checkpoint_due(bool epoch_ended) override { return checkpoints_ != nullptr && checkpoints_->due(epoch_ended); }
    void keep_checkpoint(const NamedArrays& state, const Progress& at) override {
        const double began = run_.seconds();
        const std::string problem = checkpoints_->keep(state, at);
        SATDL_CHECK(problem.empty(), problem);
        keeping_seconds += run_.seconds() - began;
    }

    double keeping_seconds = 0;

private:
    Run& run_;
    AttemptCheckpoints* const checkpoints_;
    Params params_;
    std::vector<SourceFile> files_;
};

Weights started(const Net& net) {
    Weights weights = net.blank_weights();
    initialise(net, Initialiser::Keras, 7, 0, weights);
    return weights;
}

// Seconds of a training.
double train(const Net& net, const Samples& samples, Run& run, Context& context) {
    TrainingOptions options;
    options.loss = LossKind::CrossEntropy;
    options.epochs = kEpochs;
    options.batch_size = kBatch;
    Trainer trainer(net, options, {samples, {}}, context);
    TrainingState state = trainer.start(started(net));
    const double began = run.seconds();
    trainer.run(state);
    return run.seconds() - began;
}

void bench_m2(Run& run) {
    const Net net(test::network_from(test::kM2), {1, 28, 28});
    const Samples samples{at::rand({kSteps * kBatch, 1, 28, 28}), at::randint(10, {kSteps * kBatch}, at::kLong)};
    for (int pair = 0; pair < kPairs; ++pair) {
        AttemptCheckpoints checkpoints(run.run, run.plan.nodes[0]);
        Context keeping(run, &checkpoints), without(run, nullptr);
        const double with_seconds = train(net, samples, run, keeping);
        const double without_seconds = train(net, samples, run, without);
        std::printf("%.9f %.9f %.9f\n", with_seconds, without_seconds, keeping.keeping_seconds);
        run.checkpoints.remove(*run.plan.nodes[0].key);
    }
}

void bench_m1(Run& run) {
    const Net net(test::network_from(test::kM1), {1, 28, 28});
    const at::Tensor x = at::rand({kBatch, 1, 28, 28});
    AttemptCheckpoints checkpoints(run.run, run.plan.nodes[0]);
    Context keeping(run, &checkpoints);
    TrainingOptions options;
    options.batch_size = kBatch;
    Trainer trainer(net, options, {{x, x}, {}}, keeping);
    TrainingState state = trainer.start(started(net));
    trainer.run(state);  // one step, so that there is a best epoch
    for (int i = 0; i < kPairs; ++i) {
        keeping.keeping_seconds = 0;
        trainer.keep_checkpoint(state);
        std::printf("%.9f %.9f\n", keeping.keeping_seconds, run.run.checkpoint_every_seconds);
    }
}

}  // namespace

int main(int argc, char** argv) {
    SATDL_CHECK(argc == 3, "usage: checkpoint_bench m1|m2 FOLDER");
    const KernelThreadScope threads(1);
    Run run(argv[2]);
    if (std::string(argv[1]) == "m1") bench_m1(run);
    else bench_m2(run);
}
