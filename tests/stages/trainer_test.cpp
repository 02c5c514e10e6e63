#include "torch_test.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "stages/initialise.h"
#include "stages/model_arrays.h"
#include "stages/stages.h"
#include "stages/tensor.h"
#include "stages/trainer.h"

using namespace satdl;
using namespace satdl::stages;
using Catch::Matchers::Contains;

namespace {

const std::string kClassifier =
    "[flatten, {dense: 16, activation: relu, name: hidden}, {batch_norm: {momentum: 0.9}}, {dropout: 0.2}, "
    "{dense: 3, activation: softmax}]";

Given training(Given more = {}) {
    Given given{{"net", kClassifier}, {"loss", "cross_entropy"}, {"epochs", "4"},
                {"batch_size", "32"}, {"learning_rate", "0.02"}, {"seed", "7"}};
    for (auto& [name, value] : more) given[name] = value;
    return given;
}

}  // namespace

TEST_CASE("a classifier learns to tell separate blobs apart") {
    const StageOutput outcome = run(train_stage(), blobs(600), training());
    CHECK(metric(outcome, "val/accuracy") > 0.95);
    CHECK(column(outcome, "epoch") == std::vector<double>{1, 2, 3, 4});
    CHECK(column(outcome, "step") == std::vector<double>{19, 38, 57, 76});
    CHECK(column(outcome, "train/loss").front() > column(outcome, "train/loss").back());
}

TEST_CASE("a network of two layers learns XOR, with every optimiser") {
    const auto [optimiser, rate] =
        GENERATE(table<std::string, std::string>({{"adam", "0.05"}, {"adamw", "0.05"}, {"sgd", "0.5"}}));
    StageInputs inputs{{"x", port(array<float>({4, 2}, {0, 0, 0, 1, 1, 0, 1, 1}))},
                       {"target", port(array<float>({4, 1}, {0, 1, 1, 0}))}};
    const Given given{{"net", "[{dense: 8, activation: tanh}, {dense: 1, activation: sigmoid}]"},
                      {"loss", "binary_cross_entropy"},
                      {"optimiser", optimiser},
                      {"learning_rate", rate},
                      {"momentum", "0.9"},
                      {"epochs", "300"},
                      {"batch_size", "4"},
                      {"seed", "3"}};
    const StageOutput outcome = run(train_stage(), inputs, given);
    CHECK(metric(outcome, "train/binary_accuracy") == 1);
    CHECK(metric(outcome, "train/loss") < 0.05);
}

TEST_CASE("an autoencoder of convolutions learns, and its validation loss is that of an evaluation") {
    std::vector<float> images(64 * 64);
    const Stream stream(1, Purpose::Noise);
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = stream.uniform(i / 16) > 0.5 ? 1.0f : 0.0f;
    const NamedArrays x = port(array<float>({64, 1, 8, 8}, images));
    const StageInputs inputs{{"x", x}, {"target", x}, {"val_x", x}, {"val_target", x}};
    const StageOutput trained = run(train_stage(), inputs,
                                {{"net", "[{conv: 8, activation: relu}, {batch_norm: {momentum: 0.5}}, max_pool, {conv: 8}, "
                                         "upsample, {conv: 1, activation: sigmoid, name: out}]"},
                                 {"loss", "mse"}, {"epochs", "10"}, {"batch_size", "16"}, {"learning_rate", "0.01"}});
    CHECK(column(trained, "val/loss").back() < 0.7 * column(trained, "val/loss").front());
    const StageInputs to_evaluate{{"model", trained.outputs.at("model")}, {"x", x}, {"target", x}};
    const StageOutput evaluated = run(evaluate_stage(), to_evaluate, {{"loss", "mse"}, {"batch_size", "16"}});
    CHECK(metric(evaluated, "loss") == metric(trained, "val/loss"));
    CHECK(metric(evaluated, "samples") == 64);
    CHECK(evaluated.outputs.at("predictions").at("").shape() == Shape{64, 1, 8, 8});

    const StageInputs to_features{{"model", trained.outputs.at("model")}, {"x", x}};
    const StageOutput last = run(features_stage(), to_features, {{"batch_size", "16"}});
    CHECK(values_of<float>(last.outputs.at("features").at("")) ==
          values_of<float>(evaluated.outputs.at("predictions").at("")));
    const StageOutput middle = run(features_stage(), to_features, {{"layer", "max_pool_1"}, {"batch_size", "24"}});
    CHECK(middle.outputs.at("features").at("").shape() == Shape{64, 8, 4, 4});
    CHECK_THROWS_WITH(run(features_stage(), to_features, {{"layer", "max_pol_1"}}), Contains("max_pool_1"));
}

TEST_CASE("the same training gives the same bytes, again and beside another one") {
    const StageInputs inputs = blobs(200);
    const auto train_with = [&](int threads, const std::string& seed) {
        return bytes_of(run(train_stage(), inputs, training({{"seed", seed}}), threads));
    };
    const auto alone = train_with(1, "7");
    const auto alone_two = train_with(2, "7");
    CHECK(train_with(1, "8") != alone);
    CHECK(train_with(1, "7") == alone);
    for (int round = 0; round < 3; ++round) {
        std::map<std::string, std::string> one, two;
        {
            const std::jthread first([&] { one = train_with(1, "7"); });
            const std::jthread second([&] { two = train_with(2, "7"); });
        }
        CHECK(one == alone);
        CHECK(two == alone_two);
    }
}

TEST_CASE("each thread's work uses the threads that it asked for, whatever another asks for") {
    std::atomic<int> arrived{0};
    const auto threads_within = [&](int wanted) {
        const ThreadScope scope(wanted);
        ++arrived;
        while (arrived < 2) std::this_thread::yield();  // both have set theirs before either asks
        return at::get_num_threads();
    };
    int one = 0, three = 0;
    {
        const std::jthread first([&] { one = threads_within(1); });
        const std::jthread second([&] { three = threads_within(3); });
    }
    CHECK(one == 1);
    CHECK(three == 3);
}

TEST_CASE("where the input lies in memory cannot be seen in the result") {
    StageInputs inputs = blobs(200);
    const auto aligned = bytes_of(run(train_stage(), inputs, training()));
    const Array x = inputs.at("x").at("");
    auto shifted = std::make_shared<std::vector<std::byte>>(x.bytes().size() + 4);
    std::ranges::copy(x.bytes(), shifted->begin() + 4);
    inputs["x"] = port(Array(x.dtype(), x.shape(), std::span<const std::byte>(*shifted).subspan(4), shifted));
    CHECK(bytes_of(run(train_stage(), inputs, training())) == aligned);
}

TEST_CASE("the model holds the weights of the best epoch, batch norm's statistics too") {
    const StageInputs inputs = blobs(200);
    // A rate that is too large: the loss goes up and down.
    const Given given = training({{"learning_rate", "0.8"}, {"optimiser", "sgd"}, {"epochs", "12"}});
    for (const std::string monitor : {"auto", "val_accuracy", "train/loss"}) {
        Given monitored = given;
        monitored["monitor"] = monitor;
        const StageOutput trained = run(train_stage(), inputs, monitored);
        const std::string name = monitor == "auto" ? "val/loss" : monitor == "val_accuracy" ? "val/accuracy" : monitor;
        const std::vector<double> values = column(trained, name);
        const auto best = name == "val/accuracy" ? std::ranges::max_element(values) : std::ranges::min_element(values);
        CHECK(metric(trained, "best_epoch") == static_cast<double>(best - values.begin() + 1));
        CHECK(metric(trained, name) == *best);
        CHECK(metric(trained, "last/" + name) == values.back());

        const StageInputs to_evaluate{{"model", trained.outputs.at("model")}, {"x", inputs.at("val_x")},
                                      {"target", inputs.at("val_target")}};
        const StageOutput evaluated = run(evaluate_stage(), to_evaluate, {{"loss", "cross_entropy"}, {"batch_size", "32"}});
        CHECK(metric(evaluated, "loss") == metric(trained, "val/loss"));
        CHECK(metric(evaluated, "accuracy") == metric(trained, "val/accuracy"));
    }
}

TEST_CASE("a longer training begins with the very epochs of a shorter one") {
    const StageInputs inputs = blobs(200);
    const auto short_loss = column(run(train_stage(), inputs, training({{"epochs", "2"}})), "val/loss");
    const auto long_loss = column(run(train_stage(), inputs, training({{"epochs", "4"}})), "val/loss");
    CHECK(short_loss == std::vector<double>(long_loss.begin(), long_loss.begin() + 2));
}

TEST_CASE("a training that stops between two steps resumes from its state with the same result") {
    const StageInputs inputs = blobs(200);
    const Net net(network_of(kClassifier), {1, 1, 2});
    const TrainingOptions options{.loss = LossKind::CrossEntropy, .optimiser = {}, .epochs = 3, .batch_size = 32, .seed = 7};
    const auto samples = [&](const std::string& x, const std::string& target) {
        return Samples{tensor_of(inputs.at(x).at("")), tensor_of(inputs.at(target).at(""))};
    };
    const auto fresh = [&] {
        Weights weights = net.blank_weights();
        initialise(net, Initialiser::Keras, 7, 0, weights);
        return weights;
    };
    const TrainingData data{samples("x", "target"), samples("val_x", "val_target")};
    TestContext context;
    Trainer unbroken(net, options, data, context);
    TrainingState whole = unbroken.start(fresh());
    unbroken.run(whole);

    TestContext stopping;
    stopping.stop = [](const std::vector<Progress>& reported) { return reported.size() >= 11; };
    Trainer first(net, options, data, stopping);
    TrainingState state = first.start(fresh());
    CHECK_THROWS_AS(first.run(state), Stopped);
    CHECK(state.epoch == 1);
    CHECK(state.step == 3);
    Trainer second(net, options, data, context);
    second.run(state);
    CHECK(state.history.rows == whole.history.rows);
    CHECK(state.best_epoch == whole.best_epoch);
    for (std::size_t i = 0; i < whole.weights.size(); ++i) CHECK(state.weights[i].equal(whole.weights[i]));
}

TEST_CASE("fine-tuning begins with the base's layers, and leaves them alone where they are frozen") {
    const StageInputs inputs = blobs(200);
    const StageOutput base = run(train_stage(), inputs, training());
    const NamedArrays& model = base.outputs.at("model");
    StageInputs more = inputs;
    more["base"] = model;
    Given given =
        training({{"net", "[{dense: 8, activation: relu}, {dense: 3, activation: softmax}]"}, {"until", "batch_norm_1"}});
    const auto weights = [](const StageOutput& outcome, const std::string& name) {
        return values_of<float>(outcome.outputs.at("model").at(name));
    };
    for (const bool freeze : {true, false}) {
        INFO(freeze);
        given["freeze"] = freeze ? "true" : "false";
        const StageOutput tuned = run(fine_tune_stage(), more, given);
        for (const std::string name : {"hidden.weight", "batch_norm_1.weight", "batch_norm_1.running_mean"}) {
            CHECK((weights(tuned, name) == values_of<float>(model.at(name))) == freeze);
        }
        CHECK(metric(tuned, "val/accuracy") > 0.9);
        CHECK(model_from(tuned.outputs.at("model")).network.layers.size() == 5);
    }
    given["until"] = "batch_nom_1";
    CHECK_THROWS_WITH(run(fine_tune_stage(), more, given), Contains("batch_norm_1"));
    CHECK_THROWS_WITH(run(fine_tune_stage(), more, training({{"net", "[softmax]"}, {"freeze", "true"}})),
                      Contains("nothing to train"));
}

TEST_CASE("a training fails when its loss is not finite, and the error has the epoch and the step") {
    StageInputs inputs = blobs(100, false);
    std::vector<float> points = values_of<float>(inputs.at("x").at(""));
    points[150] = std::nanf("");
    inputs["x"] = port(array<float>({100, 1, 1, 2}, points));
    CHECK_THROWS_WITH(run(train_stage(), inputs, training()),
                      Contains("the loss is nan in epoch 1, step") && Contains("learning_rate"));
    inputs = blobs(100);
    inputs["val_x"] = port(array<float>({100, 1, 1, 2}, points));
    CHECK_THROWS_WITH(run(train_stage(), inputs, training()), Contains("validation data is nan after epoch 1"));
}

TEST_CASE("progress is reported at every step with its metrics, and at the end of each epoch") {
    const StageEntry stage = train_stage();
    TestContext context(stage.description, training({{"epochs", "2"}}));
    (void)stage.run(blobs(100), context);
    REQUIRE(context.reported.size() == 10);
    CHECK(context.reported[0].epoch == 1);
    CHECK(context.reported[0].step == 1);
    CHECK(context.reported[0].steps == 4);
    CHECK(context.reported[0].metrics.front().first == "train/loss");
    CHECK(!context.reported[3].epoch_ended);
    CHECK(context.reported[4].epoch_ended);
    CHECK(context.reported[4].epoch == 1);
    CHECK(context.reported[4].metrics.size() == 4);
    CHECK(context.reported[9].epoch == 2);
}

TEST_CASE("a stage that is asked to stop stops") {
    const StageEntry stage = train_stage();
    TestContext context(stage.description, training());
    context.stop = [](const std::vector<Progress>& reported) { return reported.size() >= 2; };
    CHECK_THROWS_AS(stage.run(blobs(100), context), Stopped);
    CHECK(context.reported.size() == 2);
}

TEST_CASE("data that do not fit are refused in words") {
    const auto error_of = [](const StageInputs& inputs, const Given& given) -> std::string {
        try {
            (void)run(train_stage(), inputs, given);
        } catch (const Error& error) {
            return error.what();
        }
        return "no error";
    };
    StageInputs inputs = blobs(50);
    inputs.erase("val_target");
    CHECK_THAT(error_of(inputs, training()), Contains("val_x and val_target must be connected together"));
    inputs = blobs(50, false);
    inputs["target"] = port(array<std::uint8_t>({2}, {0, 1}));
    CHECK_THAT(error_of(inputs, training()), Contains("x has 50 samples, target is [2]"));
    CHECK_THAT(error_of(blobs(50, false), training({{"monitor", "val_acuracy"}})), Contains("val_acuracy"));
    CHECK_THAT(error_of(blobs(50, false), training({{"monitor", "val_loss"}})), Contains("no metric 'val_loss'"));
    CHECK_THAT(error_of(blobs(0), training()), Contains("no samples"));
}
