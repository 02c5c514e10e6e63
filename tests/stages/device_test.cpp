// Networks on another device than the CPU: that all that must be moved is moved, on a made-up device; what a GPU is asked for.
#include "torch_test.h"

#include <ATen/Context.h>

#include "made_up_device.h"
#include "stages/device.h"
#include "stages/device_random.h"
#include "stages/stages.h"
#include "stages/initialise.h"
#include "stages/trainer.h"
#include "stages/training_checkpoint.h"

using namespace satdl;
using namespace satdl::stages;
using Catch::Matchers::Contains;

namespace {

// The first convolution has no bias: where its ReLU lets everything through, batch norm takes a bias away again. Its gradient would be nothing
// but rounding, and Adam would move it by the rate, whichever its sign.
const std::string kAutoencoder =
    "[{conv: 8, activation: relu, bias: false}, {batch_norm: {momentum: 0.5}}, max_pool, {conv: 4, kernel: 2, activation: tanh}, "
    "{average_pool: 2}, {upsample: 4}, {dropout: 0.1}, {conv: 1, activation: sigmoid}]";
const std::string kClassifier =
    "[flatten, {dense: 12, activation: leaky_relu}, {batch_norm: {momentum: 0.9}}, {dropout: 0.2}, {unflatten: {channels: 3, height: 2, width: 2}}, flatten, "
    "{dense: 3, activation: softmax}]";

struct Task {
    std::string layers;
    Shape input;
    TrainingData data;
    TrainingOptions options;
};

Task autoencoder() {
    const at::Tensor x = at::linspace(0, 7, 40 * 64).sin().square().view({40, 1, 8, 8});
    return {kAutoencoder, {1, 8, 8}, {{x, x}, Samples{x, x}}, {.loss = LossKind::Mse, .optimiser = {}, .epochs = 2, .batch_size = 16}};
}

Task classifier(OptimiserOptions optimiser) {
    const at::Tensor x = at::linspace(0, 50, 90 * 6).sin().view({90, 6, 1, 1});
    const at::Tensor target = at::arange(90, at::kLong).remainder(3);
    return {kClassifier, {6, 1, 1}, {{x, target}, Samples{x, target}},
            {.loss = LossKind::CrossEntropy, .optimiser = optimiser, .epochs = 3, .batch_size = 32,
             .clipping = {.norm = 1.0, .value = 0.5}, .accumulate = 2}};
}

struct Trained {
    std::map<std::string, Array> weights, best;
    TrainingHistory history;
    NamedArrays checkpoint;
};

Trained trained_on(at::Device device, const Task& task, Precision precision, const NamedArrays* from = nullptr) {
    struct Context : TestContext {
        const NamedArrays* from = nullptr;
        [[nodiscard]] const NamedArrays* checkpoint() override { return from; }
        void keep_checkpoint(const NamedArrays& state, const Progress&) override { kept = state; }
        [[nodiscard]] bool checkpoint_due(bool epoch_ended) override { return epoch_ended && kept.empty(); }
        NamedArrays kept;
    } context;
    context.from = from;
    const Net net(network_of(task.layers), task.input, precision, device);
    TrainingOptions options = task.options;
    if (options.loss == LossKind::CrossEntropy) options.class_weights = at::tensor({0.5, 1.0, 1.5}, at::kFloat).to(device);
    Weights weights = net.blank_weights();
    initialise(net, Initialiser::Keras, 3, 0, weights);
    Trainer trainer(net, options, task.data, context);
    TrainingState state = trainer.start(std::move(weights));
    trainer.run(state);
    for (const Weights& tensors : {state.weights, state.best_weights, state.moments.first, state.moments.second})
        for (const at::Tensor& tensor : tensors) CHECK(tensor.device() == device);
    return {net.arrays_from(state.weights), net.arrays_from(state.best_weights), state.history, context.kept};
}

bool near(const std::map<std::string, Array>& found, const std::map<std::string, Array>& wanted) {
    for (const auto& [name, array] : wanted) {
        const std::vector<float> a = values_of<float>(found.at(name)), b = values_of<float>(array);
        for (std::size_t i = 0; i < b.size(); ++i)
            if (std::abs(a[i] - b[i]) > 1e-4f) return false;
    }
    return found.size() == wanted.size();
}

// A device computes with LibTorch's operations, the CPU with loops of its own, which round otherwise.
bool near(const at::Tensor& found, const at::Tensor& wanted) { return found.allclose(wanted, 2e-6, 1e-6); }

class OnCuda final : public TestContext {
public:
    explicit OnCuda(Precision precision = Precision::Fp32, int gpu = 0) : precision_(precision), gpu_(gpu) {}
    [[nodiscard]] Device device() const override { return Device::Cuda; }
    [[nodiscard]] Precision precision() const override { return precision_; }
    [[nodiscard]] int gpu() const override { return gpu_; }
    [[nodiscard]] bool stop_requested() const override { return stop; }
    bool stop = false;

private:
    const Precision precision_;
    const int gpu_;
};

}  // namespace

TEST_CASE("a training on another device has everything there, and gives what the CPU gives") {
    const Precision precision = GENERATE(Precision::Fp32, Precision::Bf16);
    const Task task = GENERATE_COPY(autoencoder(), classifier({.learning_rate = 0.01}),
                                    classifier({.kind = OptimiserKind::AdamW, .weight_decay = 0.1}),
                                    classifier({.kind = OptimiserKind::Sgd, .learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01}),
                                    classifier({.kind = OptimiserKind::Sgd, .momentum = 0.5, .nesterov = true}));
    const Trained here = trained_on(at::kCPU, task, precision);
    const int before = made_up::operations;
    const Trained there = trained_on(made_up::kDevice, task, precision);
    CHECK(made_up::operations - before > 1000);
    CHECK(near(there.weights, here.weights));
    CHECK(near(there.best, here.best));
    REQUIRE(there.history.rows.size() == here.history.rows.size());
    CHECK(there.history.names == here.history.names);
    for (std::size_t row = 0; row < here.history.rows.size(); ++row)
        CHECK(there.history.rows[row][0] == Approx(here.history.rows[row][0]).epsilon(1e-4));
}

TEST_CASE("a training on another device stores checkpoints of plain bytes and resumes from one with the same bytes") {
    const Task task = GENERATE(autoencoder(), classifier({.learning_rate = 0.01}));
    const Trained whole = trained_on(made_up::kDevice, task, Precision::Fp32);
    REQUIRE(whole.checkpoint.at("epoch").values<std::int64_t>()[0] == 1);
    const Trained resumed = trained_on(made_up::kDevice, task, Precision::Fp32, &whole.checkpoint);
    for (const auto& [name, array] : whole.weights) {
        INFO(name);
        CHECK(values_of<float>(resumed.weights.at(name)) == values_of<float>(array));
    }
    CHECK(resumed.history.rows == whole.history.rows);
}

TEST_CASE("evaluations and features on another device are the CPU's") {
    const Task task = GENERATE(autoencoder(), classifier({}));
    const Net here(network_of(task.layers), task.input);
    const Net there(network_of(task.layers), task.input, Precision::Fp32, made_up::kDevice);
    Weights weights = here.blank_weights();
    initialise(here, Initialiser::Keras, 3, 0, weights);
    Weights moved = there.weights_from(here.arrays_from(weights));
    const Samples& samples = task.data.train;
    const Objective objective(task.options.loss, here.last_activation(), here.output(), samples.target, Metrics::All);
    const Samples prepared{samples.x, objective.prepare(samples.target)};
    Shape shape = here.output();
    shape.insert(shape.begin(), samples.x.size(0));
    const auto predicted = [&](const Net& net, Weights& with) {
        Predictions predictions{at::empty(shape, at::kFloat), {}};
        if (objective.has_classes()) predictions.classes = at::empty({samples.x.size(0)}, at::kLong);
        const TestContext context;
        const MetricSums sums = evaluate(net, with, objective, prepared, 16, context, &predictions);
        return std::pair(objective.means(sums), predictions);
    };
    const auto [metrics, outputs] = predicted(here, weights);
    const auto [metrics_there, outputs_there] = predicted(there, moved);
    REQUIRE(metrics_there.size() == metrics.size());
    for (std::size_t i = 0; i < metrics.size(); ++i) {
        CHECK(metrics_there[i].first == metrics[i].first);
        // A device's mean is LibTorch's in float32, the CPU's is summed in float64.
        if (metrics[i].first == "loss") CHECK(metrics_there[i].second == Approx(metrics[i].second).epsilon(1e-6));
        else CHECK(metrics_there[i].second == metrics[i].second);
    }
    CHECK(near(outputs_there.outputs, outputs.outputs));
    if (objective.has_classes()) CHECK(outputs_there.classes.equal(outputs.classes));
    const at::NoGradGuard no_grad;
    for (std::size_t layer = 0; layer < here.network().layers.size(); ++layer) {
        const at::Tensor features = there.features(moved, samples.x, layer);
        CHECK(features.device() == made_up::kDevice);
        CHECK(near(features.cpu(), here.features(weights, samples.x, layer)));
    }
}

TEST_CASE("the words of a stream are the same wherever they are computed") {
    const at::Device device = GENERATE(at::Device(at::kCPU), made_up::kDevice);
    const std::int64_t count = GENERATE(1, 4, 7, 10'001);
    const Stream stream = GENERATE(Stream(0, Purpose::Dropout), Stream(-7, Purpose::Noise, 3, 0xFFFFFFFF));
    std::vector<std::uint32_t> wanted(static_cast<std::size_t>(count));
    stream.fill_words(0, wanted);
    const at::Tensor words = words_on(device, stream, count);
    CHECK(words.device() == device);
    const at::Tensor here = words.cpu().contiguous();
    CHECK(std::ranges::equal(std::span(here.data_ptr<std::int64_t>(), wanted.size()), wanted,
                             [](std::int64_t a, std::uint32_t b) { return a == b; }));
}

TEST_CASE("tensors of two devices do not mix on the made-up device: a move that is forgotten fails its test") {
    const at::Tensor there = at::ones({3}).to(made_up::kDevice);
    CHECK_THROWS_WITH(there + at::ones({3}), Contains("two devices"));
    CHECK((there + 1).cpu().equal(at::full({3}, 2.0f)));
}

TEST_CASE("a stage on a GPU asks LibTorch for the same bits each time, and for no TF32") {
    at::globalContext().setBenchmarkCuDNN(true);
    CHECK(DeviceScope(TestContext()).device() == at::Device(at::kCPU));
    CHECK(at::globalContext().benchmarkCuDNN());
    CHECK(DeviceScope(OnCuda(Precision::Fp32, 1)).device() == at::Device(at::kCUDA, 1));
    CHECK(at::globalContext().deterministicCuDNN());
    CHECK(!at::globalContext().benchmarkCuDNN());
    CHECK(!at::globalContext().allowTF32CuDNN());
    CHECK(!at::globalContext().allowTF32CuBLAS());
}

TEST_CASE("stages with and without TF32 are not on GPUs at the same time: LibTorch has one setting for all") {
    const OnCuda rounded(Precision::Tf32);
    OnCuda exact(Precision::Fp32, 1);
    {
        const DeviceScope first(rounded), second(rounded);
        CHECK(at::globalContext().allowTF32CuDNN());
        CHECK(at::globalContext().allowTF32CuBLAS());
        exact.stop = true;
        CHECK_THROWS_AS(DeviceScope(exact), Stopped);
        exact.stop = false;
    }
    const DeviceScope alone(exact);
    CHECK(!at::globalContext().allowTF32CuDNN());
}

TEST_CASE("a GPU is described by its driver, and if there is none, LibTorch says so") {
    const GpuAnswer answer = gpu_of_driver(SATDL_BINARY_DIR "/libfake_driver.so", "CUDA 12.6");
    REQUIRE(std::holds_alternative<Gpu>(answer));
    CHECK(std::get<Gpu>(answer) == Gpu{"Imaginary GPU", "compute capability 9.0, 114 multiprocessors, CUDA 12.6", true, 2});
    CHECK(memory_of({at::kCUDA, 1}, SATDL_BINARY_DIR "/libfake_driver.so") == std::uint64_t{80} << 30);
    CHECK_FALSE(memory_of({at::kCUDA, 1}, "libno_driver.so.1"));
    CHECK_FALSE(memory_of(at::kCPU));
    CHECK(gpu_of_driver("libno_driver.so.1", "") == GpuAnswer(NoGpu{"the driver's library libno_driver.so.1 cannot be loaded"}));
    CHECK(gpu_of_driver("libc.so.6", "") == GpuAnswer(NoGpu{"the driver's library libc.so.6 does not report which GPU it is"}));
    CHECK(std::holds_alternative<Gpu>(find_gpu()) == at::hasCUDA());
}
