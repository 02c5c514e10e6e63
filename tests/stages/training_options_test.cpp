// What users expect of a training beyond epochs and batches: schedules, early stopping, held-out data, class weights,
// accumulated gradients; and what it reports of itself.
#include "torch_test.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "pipeline/network/metric_names.h"
#include "stages/initialise.h"
#include "stages/stages.h"
#include "stages/tensor.h"
#include "stages/trainer.h"

using namespace satdl;
using namespace satdl::stages;
using Catch::Matchers::Contains;

namespace {

const std::string kPlain = "[flatten, {dense: 8, activation: tanh}, {dense: 3, activation: softmax}]";

Given training(Given more = {}) {
    Given given{{"net", kPlain}, {"loss", "cross_entropy"}, {"epochs", "3"}, {"batch_size", "32"},
                {"learning_rate", "0.05"}};
    for (auto& [name, value] : more) given[name] = value;
    return given;
}

std::vector<float> first_kernel(const StageOutput& outcome) {
    return values_of<float>(outcome.outputs.at("model").at("dense_1.weight"));
}

}  // namespace

TEST_CASE("the history holds the learning rate of each epoch's last update") {
    const StageInputs inputs = blobs(64);  // two updates an epoch
    CHECK(column(run(train_stage(), inputs, training()), "lr") == std::vector<double>{0.05, 0.05, 0.05});
    const Given step = training({{"schedule", "step"}, {"step_epochs", "1"}, {"warmup_epochs", "1"}});
    const std::vector<double> rates = column(run(train_stage(), inputs, step), "lr");
    CHECK(rates[0] == Approx(0.05));
    CHECK(rates[1] == Approx(0.05));
    CHECK(rates[2] == Approx(0.005));
}

TEST_CASE("a rate of the schedule is what the optimiser uses") {
    const StageInputs inputs = blobs(64);
    // after the first epoch nothing is learnt any more
    const Given frozen =
        training({{"schedule", "step"}, {"step_epochs", "1"}, {"step_factor", "1e-9"}, {"optimiser", "sgd"}});
    const std::vector<double> losses = column(run(train_stage(), inputs, frozen), "val/loss");
    CHECK(losses[2] == Approx(losses[0]).epsilon(1e-6));
    CHECK(losses[0] == column(run(train_stage(), inputs, training({{"optimiser", "sgd"}})), "val/loss")[0]);
}

TEST_CASE("a training that no longer improves stops early, and says why") {
    const StageEntry stage = train_stage();
    const Given given = training({{"learning_rate", "0"}, {"epochs", "9"}, {"patience", "3"}});
    TestContext context(stage.description, given);
    const StageOutput outcome = stage.run(blobs(60), context);
    CHECK(column(outcome, "epoch").size() == 4);
    CHECK(metric(outcome, "stopped_early") == 1);
    CHECK(metric(outcome, "last_epoch") == 4);
    CHECK(metric(outcome, "best_epoch") == 1);
    const std::string reason = "stopped after epoch 4: val/loss has not improved for 3 epochs";
    CHECK(context.logged == std::vector<std::string>{reason});
    CHECK(outcome.tables.at(0).notes.at(0) == reason);

    const StageOutput whole = run(stage, blobs(60), training());
    CHECK(metric(whole, "stopped_early") == 0);
    CHECK(whole.tables.at(0).notes.at(0) == "ended after epoch 3, the last");
}

TEST_CASE("each metric has its own best epoch beside those of the monitored one and the last") {
    const StageOutput outcome =
        run(train_stage(), blobs(120), training({{"learning_rate", "2"}, {"optimiser", "sgd"}, {"epochs", "8"}}));
    for (const std::string name : {"train/loss", "train/accuracy", "val/loss", "val/accuracy"}) {
        INFO(name);
        const std::vector<double> values = column(outcome, name);
        const auto best =
            name.ends_with("accuracy") ? std::ranges::max_element(values) : std::ranges::min_element(values);
        CHECK(metric(outcome, "best/" + name) == *best);
        CHECK(metric(outcome, "epoch_of_best/" + name) == static_cast<double>(best - values.begin() + 1));
        CHECK(metric(outcome, "last/" + name) == values.back());
        CHECK(metric(outcome, name) == values[static_cast<std::size_t>(metric(outcome, "best_epoch")) - 1]);
    }
}

TEST_CASE("validation_fraction holds out the last samples, as if they had come as validation data") {
    const StageInputs all = blobs(100, false);
    const auto part = [](const NamedArrays& group, std::int64_t first, std::int64_t count) {
        return port(array_of(tensor_of(group.at("")).narrow(0, first, count).clone()));
    };
    const StageInputs split{{"x", part(all.at("x"), 0, 75)}, {"target", part(all.at("target"), 0, 75)},
                            {"val_x", part(all.at("x"), 75, 25)}, {"val_target", part(all.at("target"), 75, 25)}};
    CHECK(bytes_of(run(train_stage(), all, training({{"validation_fraction", "0.25"}}))) ==
          bytes_of(run(train_stage(), split, training())));
    CHECK_THROWS_WITH(run(train_stage(), blobs(3, false), training({{"validation_fraction", "0.9"}})),
                      Contains("leaves 0 for training and 3 for validation"));
}

TEST_CASE("a batch larger than the data is one of all samples, to the last byte, and the validation's batches stay what they were") {
    const StageInputs inputs = blobs(48);
    CHECK(bytes_of(run(train_stage(), inputs, training({{"batch_size", "1000000"}}))) ==
          bytes_of(run(train_stage(), inputs, training({{"batch_size", "48"}}))));
}

TEST_CASE("a warning names the classes that only held-out samples have") {
    const StageEntry stage = train_stage();
    const auto logged = [&](const StageInputs& inputs) {
        TestContext context(stage.description, training({{"validation_fraction", "0.25"}, {"epochs", "1"}}));
        (void)stage.run(inputs, context);
        return std::ranges::count_if(context.logged, [](const std::string& line) {
            return line.starts_with("class 2 is only in the last 3 samples, which validation_fraction holds out");
        });
    };
    StageInputs inputs = blobs(12, false);
    CHECK(logged(inputs) == 0);
    inputs["target"] = port(array<std::uint8_t>({12}, {0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2}));
    CHECK(logged(inputs) == 1);
}

TEST_CASE("several batches to an update learn what one large batch learns") {
    const StageInputs inputs = blobs(200);  // 32 does not divide it: the last update of an epoch has fewer samples
    for (const std::string optimiser : {"sgd", "adam"}) {
        const StageOutput large = run(train_stage(), inputs, training({{"optimiser", optimiser}}));
        const StageOutput small =
            run(train_stage(), inputs, training({{"optimiser", optimiser}, {"batch_size", "8"}, {"accumulate", "4"}}));
        CHECK(column(small, "step") == column(large, "step"));
        const std::vector<float> found = first_kernel(small), wanted = first_kernel(large);
        for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(wanted[i]).margin(1e-4));
    }
}

TEST_CASE("a training that stops between two batches of one update resumes with the same result") {
    const StageInputs inputs = blobs(200);
    const Net net(network_of("[flatten, {dense: 6}, batch_norm, {dropout: 0.3}, {dense: 3, activation: softmax}]"),
                  {1, 1, 2});
    const TrainingOptions options{.loss = LossKind::CrossEntropy,
                                  .optimiser = {.kind = OptimiserKind::Sgd, .momentum = 0.9, .nesterov = true},
                                  .epochs = 4,
                                  .batch_size = 16,
                                  .seed = 7,
                                  .schedule = {.kind = ScheduleKind::Cosine, .warmup_epochs = 1},
                                  .stopping = {.patience = 2, .min_delta = 0.5},
                                  .clipping = {.norm = 0.1, .value = {}},
                                  .accumulate = 3,
                                  .class_weights = at::tensor({1.0f, 2.0f, 3.0f})};
    const TrainingData data{{tensor_of(inputs.at("x").at("")), tensor_of(inputs.at("target").at(""))},
                            Samples{tensor_of(inputs.at("val_x").at("")), tensor_of(inputs.at("val_target").at(""))}};
    const auto fresh = [&] {
        Weights weights = net.blank_weights();
        initialise(net, Initialiser::Keras, 7, 0, weights);
        return weights;
    };
    TestContext context;
    Trainer unbroken(net, options, data, context);
    TrainingState whole = unbroken.start(fresh());
    unbroken.run(whole);
    CHECK(whole.stopping.stopped);
    CHECK(whole.epoch == 3);

    for (const std::size_t reports : {1U, 2U, 15U, 19U, 28U}) {  // 13 batches and an end to an epoch
        TestContext stopping;
        stopping.stop = [&](const std::vector<Progress>& reported) { return reported.size() >= reports; };
        Trainer first(net, options, data, stopping);
        TrainingState state = first.start(fresh());
        CHECK_THROWS_AS(first.run(state), Stopped);
        Trainer second(net, options, data, context);
        second.run(state);
        CHECK(state.history.rows == whole.history.rows);
        CHECK(state.history.rates == whole.history.rates);
        CHECK(state.epoch == whole.epoch);
        for (std::size_t i = 0; i < whole.weights.size(); ++i) CHECK(state.weights[i].equal(whole.weights[i]));
    }
}

TEST_CASE("class weights turn the training towards a class, and must be as many as there are classes") {
    const StageInputs inputs = blobs(90);
    const auto second_class_recall = [&](const std::string& weights) {
        const StageOutput trained = run(train_stage(), inputs, training({{"class_weights", weights}, {"epochs", "1"}}));
        return metric(run(evaluate_stage(),
                          {{"model", trained.outputs.at("model")}, {"x", inputs.at("x")}, {"target", inputs.at("target")}},
                          {{"loss", "cross_entropy"}}),
                      "recall/1");
    };
    CHECK(second_class_recall("[0, 1, 0]") > 0.95);
    CHECK(second_class_recall("[1, 0, 1]") < 0.5);
    const auto weights_of = [&](const std::string& weights) {
        return first_kernel(run(train_stage(), inputs, training({{"class_weights", weights}})));
    };
    CHECK(weights_of("balanced") == weights_of("[1, 1, 1]"));  // as many of each class
    CHECK_THROWS_WITH(weights_of("[1, 2]"), Contains("2 weights") && Contains("3 classes"));
}

TEST_CASE("what a training and an evaluation report is what planning says they will") {
    const StageInputs inputs = blobs(60);
    const LossFacts facts{"cross_entropy", Activation::Softmax, {3}, true};
    const StageOutput trained = run(train_stage(), inputs, training({{"epochs", "1"}}));
    std::vector<std::string> wanted{"epoch", "lr", "step"}, found;
    for (const std::string& name : training_metrics(facts)) wanted.push_back("train/" + name);
    for (const std::string& name : training_metrics(facts)) wanted.push_back("val/" + name);
    for (const auto& [name, array] : trained.outputs.at("history")) found.push_back(name);
    CHECK_THAT(found, Catch::Matchers::UnorderedEquals(wanted));

    const StageOutput evaluated = run(
        evaluate_stage(), {{"model", trained.outputs.at("model")}, {"x", inputs.at("x")}, {"target", inputs.at("target")}},
        {{"loss", "cross_entropy"}});
    wanted = evaluation_metrics(facts);
    wanted.emplace_back("samples");
    found.clear();
    for (const auto& [name, array] : evaluated.outputs.at("metrics")) found.push_back(name);
    CHECK_THAT(found, Catch::Matchers::UnorderedEquals(wanted));
}

TEST_CASE("an evaluation's confusion matrix adds up to its accuracy, and without classes it is empty") {
    const StageInputs inputs = blobs(60);
    const StageOutput trained = run(train_stage(), inputs, training({{"epochs", "1"}}));
    const StageInputs model{{"model", trained.outputs.at("model")}, {"x", inputs.at("x")}, {"target", inputs.at("target")}};
    const StageOutput evaluated = run(evaluate_stage(), model, {{"loss", "cross_entropy"}, {"batch_size", "7"}});
    const Array& confusion = evaluated.outputs.at("confusion").at("");
    CHECK(confusion.shape() == Shape{3, 3});
    const std::vector<std::int64_t> counts = values_of<std::int64_t>(confusion);
    CHECK(metric(evaluated, "accuracy") == Approx(static_cast<double>(counts[0] + counts[4] + counts[8]) / 60));
    for (std::size_t row = 0; row < 3; ++row) CHECK(counts[3 * row] + counts[3 * row + 1] + counts[3 * row + 2] == 20);
    CHECK(evaluated.tables.at(0).rows.at(0)[0] == "accuracy");
    CHECK(evaluated.tables.at(0).rows.back()[0] == "loss");
    CHECK(evaluated.tables.at(1).rows.size() == 3);

    // binary accuracy of a softmax: each of the three outputs on its side of 0.5
    const std::vector<float> outputs = values_of<float>(evaluated.outputs.at("predictions").at(""));
    const auto classes = values_of<std::uint8_t>(inputs.at("target").at(""));
    double right = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i) right += (outputs[i] > 0.5f) == (classes[i / 3] == i % 3) ? 1 : 0;
    CHECK(metric(evaluated, "binary_accuracy") == Approx(right / 180));

    const NamedArrays x = port(array<float>({2, 2}, {1, 0, 0, 1}));
    const StageOutput copies = run(train_stage(), {{"x", x}, {"target", x}},
                               {{"net", "[{dense: 2}]"}, {"loss", "mse"}, {"epochs", "1"}});
    const StageOutput without = run(evaluate_stage(), {{"model", copies.outputs.at("model")}, {"x", x}, {"target", x}},
                                {{"loss", "mse"}});
    CHECK(without.outputs.at("confusion").at("").shape() == Shape{0, 0});
}

TEST_CASE("an evaluation in which a sample gets no number is refused, and names the sample") {
    const StageInputs inputs = blobs(60);
    const StageOutput trained = run(train_stage(), inputs, training({{"epochs", "1"}}));
    const auto evaluate_with = [&](float stray) {
        std::vector<float> values = values_of<float>(inputs.at("x").at(""));
        for (const std::size_t sample : {3, 7}) values[sample * values.size() / 60] = stray;
        const NamedArrays x = port(Array::of<float>(inputs.at("x").at("").shape(), std::span<const float>(values)));
        return run(evaluate_stage(), {{"model", trained.outputs.at("model")}, {"x", x}, {"target", inputs.at("target")}},
                   {{"loss", "cross_entropy"}});
    };
    CHECK(metric(evaluate_with(0), "samples") == 60);
    CHECK_THROWS_WITH(evaluate_with(std::numeric_limits<float>::quiet_NaN()),
                      Contains("the model gives no number for 2 of 60 samples; the first of them is sample 3"));
}

TEST_CASE("features of samples with NaN are made, with a warning that counts them") {
    const StageInputs inputs = blobs(60);
    const StageOutput trained = run(train_stage(), inputs, training({{"epochs", "1"}}));
    std::vector<float> values = values_of<float>(inputs.at("x").at(""));
    const auto warnings = [&] {
        const NamedArrays x = port(Array::of<float>(inputs.at("x").at("").shape(), std::span<const float>(values)));
        TestContext context(features_stage().description, {});
        (void)features_stage().run({{"model", trained.outputs.at("model")}, {"x", x}}, context);
        return context.logged;
    };
    CHECK(warnings().empty());
    for (const std::size_t sample : {3, 7}) values[sample * values.size() / 60] = std::numeric_limits<float>::quiet_NaN();
    CHECK(warnings() ==
          std::vector<std::string>{"features has NaN or infinity in 2 of 60 samples; the first of them is sample 3: check what "
                                   "the stage reads"});
}

TEST_CASE("class weights that fit no network are refused by the rules of the plan") {
    const auto with = [](const std::string& weights) {
        return run(train_stage(), blobs(60), training({{"class_weights", weights}, {"epochs", "1"}}));
    };
    CHECK_THROWS_WITH(with("[1, 2]"), Contains("class_weights has 2 weights, but the network has 3 classes"));
    CHECK_THROWS_WITH(with("[0, 0, 0]"), Contains("class_weights are all 0"));
}

TEST_CASE("weights that are not finite after the last update fail the training, even if every loss was finite") {
    const StageInputs inputs{{"x", port(array<float>({1, 1}, {3e18F}))}, {"target", port(array<float>({1, 1}, {0}))}};
    const Given given{{"net", "[{dense: 1}]"}, {"loss", "mse"}, {"optimiser", "sgd"}, {"epochs", "1"}, {"learning_rate", "1e6"}};
    CHECK_THROWS_WITH(run(train_stage(), inputs, given), Contains("the weights are no numbers after epoch 1"));
}

TEST_CASE("gradients that are not finite fail a training that clips them, at their step") {
    Given given{{"net", "[{dense: 1, bias: false}]"}, {"loss", "mse"}, {"optimiser", "sgd"}, {"epochs", "1"}, {"learning_rate", "0"}};
    const auto inputs = [](double x) {
        return StageInputs{{"x", port(array<float>({1, 1}, {static_cast<float>(x)}))}, {"target", port(array<float>({1, 1}, {0}))}};
    };
    const double w = std::abs(first_kernel(run(train_stage(), inputs(1), given))[0]);
    REQUIRE(w < 1.9);
    // w^2 x^2, the loss, is a float32, but 2 w x^2, its gradient, is not
    const double greatest = std::numeric_limits<float>::max(), x = std::sqrt(std::sqrt(greatest / 2 / w * greatest / w / w));
    for (const char* clipping : {"clip_norm", "clip_value"}) {
        Given clipped = given;
        clipped[clipping] = "1";
        CHECK_THROWS_WITH(run(train_stage(), inputs(x), clipped), Contains("the gradients are no numbers in epoch 1, step 1"));
    }
}

TEST_CASE("biases and norms are left out of weight decay where that is asked for") {
    const auto trained = [](const Given& more) {
        Given given = training(more);
        given["net"] = "[flatten, {dense: 4}, batch_norm, layer_norm, {dense: 3, activation: softmax}]";
        given["epochs"] = "1";
        given["initialiser"] = "torch";  // whose biases begin with numbers
        return run(train_stage(), blobs(30, false), given).outputs.at("model");
    };
    const NamedArrays start = trained({{"learning_rate", "0"}}), plain = trained({}), all = trained({{"weight_decay", "0.5"}}),
                      kernels = trained({{"weight_decay", "0.5"}, {"exclude_from_weight_decay", "bias_and_norm"}});
    for (const auto& [name, array] : plain) {
        if (name == "architecture") continue;
        INFO(name);
        const std::vector<float> without = values_of<float>(array), excluded = values_of<float>(kernels.at(name));
        if (!name.starts_with("dense") || name.ends_with("bias")) {
            CHECK(excluded == without);
            continue;
        }
        CHECK(excluded == values_of<float>(all.at(name)));
        const std::vector<float> before = values_of<float>(start.at(name));
        for (std::size_t i = 0; i < before.size(); ++i) CHECK(excluded[i] == Approx(without[i] - 0.05 * 0.5 * before[i]).margin(1e-6));
    }
    CHECK(values_of<float>(all.at("dense_1.bias")) != values_of<float>(plain.at("dense_1.bias")));
    CHECK(values_of<float>(all.at("batch_norm_1.weight")) != values_of<float>(plain.at("batch_norm_1.weight")));
}

TEST_CASE("the last epoch is kept if that is asked for, whichever was best, and what the best one was is said either way") {
    const StageInputs inputs = blobs(60);
    // The first of equal epochs is the best: the accuracy stays at its maximum while the weights still change.
    const Given first = training({{"monitor", "val/accuracy"}, {"epochs", "6"}});
    Given last = first;
    last["keep"] = "last";
    TestContext best_context(train_stage().description, first), last_context(train_stage().description, last);
    const StageOutput best = train_stage().run(inputs, best_context), end = train_stage().run(inputs, last_context);
    REQUIRE(metric(best, "best_epoch") < 6);
    CHECK(metric(end, "best_epoch") == 6);
    CHECK(metric(end, "val/loss") == metric(best, "last/val/loss"));
    CHECK(metric(end, "best/val/accuracy") == metric(best, "val/accuracy"));
    CHECK(first_kernel(end) != first_kernel(best));
    CHECK(best_context.reported.back().step == 0);
    CHECK(static_cast<double>(best_context.reported.back().epoch) == metric(best, "best_epoch"));
    CHECK(last_context.reported.back().epoch_ended);
}
