// A training step of M1 and of M2 as dags/full.yaml defines them, and of a wide dense autoencoder: prints the median seconds of a step. Its
// twins are training_bench.py (PyTorch) and training_bench_jax.py.
//
// usage: training_bench m1|m2|dense THREADS STEPS [bf16|autograd]   # autograd: a dense network, too, is trained by LibTorch's autograd
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "stages/initialise.h"
#include "stages/tensor.h"
#include "stages/tensor_memory.h"
#include "stages/trainer.h"
#include "tests/support/study_networks.h"

namespace {

using namespace satdl;
using namespace satdl::stages;
using SteadyClock = std::chrono::steady_clock;

constexpr std::int64_t kBatch = 128;
constexpr std::int64_t kBatches = 16;  // of an epoch, as in the twins: a larger set would measure the memory, too
constexpr std::int64_t kWarmUp = 3;

// Takes the time between one step's report and the next.
class StepTimes final : public StageContext {
public:
    const Params& params() const override { return params_; }
    int threads() const override { return 1; }
    const std::vector<SourceFile>& files() const override { return files_; }
    bool stop_requested() const override { return false; }
    void progress(const Progress& progress) override {
        if (!progress.epoch_ended) reported_.push_back(SteadyClock::now());
    }
    void log(LogLevel, std::string_view) override {}

    double median_seconds() const {
        std::vector<double> seconds;
        for (std::size_t i = kWarmUp; i < reported_.size(); ++i)
            seconds.push_back(std::chrono::duration<double>(reported_[i] - reported_[i - 1]).count());
        std::ranges::nth_element(seconds, seconds.begin() + std::ssize(seconds) / 2);
        return seconds[seconds.size() / 2];
    }

private:
    Params params_;
    std::vector<SourceFile> files_;
    std::vector<SteadyClock::time_point> reported_;
};

}  // namespace

int main(int argc, char** argv) {
    SATDL_CHECK(argc == 4 || argc == 5, "usage: training_bench m1|m2|dense THREADS STEPS [bf16|autograd]");
    const std::map<std::string, std::string> networks{{"m1", test::kM1}, {"m2", test::kM2}, {"dense", test::kDenseAutoencoder}};
    const bool labelled = argv[1] == std::string("m2");
    const std::string mode = argc == 5 ? argv[4] : "";
    const TensorMemory memory;
    const KernelThreadScope threads(std::atoi(argv[2]));
    const std::int64_t steps = std::atoll(argv[3]) + kWarmUp, samples = kBatches * kBatch;

    const Precision precision = mode == "bf16" ? Precision::Bf16 : Precision::Fp32;
    Network layers = test::network_from(networks.at(argv[1]).c_str());
    if (mode == "autograd") layers.layers.insert(layers.layers.begin(), {"none", Dropout{.rate = 0}, {}});  // a layer that no chain has
    const Net net(std::move(layers), {1, 28, 28}, precision);
    Weights weights = net.blank_weights();
    initialise(net, Initialiser::Keras, 7, 0, weights);
    const at::Tensor x = at::rand({samples, 1, 28, 28});
    const at::Tensor target = labelled ? at::randint(10, {samples}, at::kLong) : x;
    TrainingOptions options;
    options.loss = labelled ? LossKind::CrossEntropy : LossKind::Mse;
    options.batch_size = kBatch;
    options.epochs = (steps + kBatches - 1) / kBatches;
    StepTimes times;
    Trainer trainer(net, options, {{x, target}, {}}, times);
    TrainingState state = trainer.start(std::move(weights));
    trainer.run(state);
    std::printf("%.9f\n", times.median_seconds());
}
