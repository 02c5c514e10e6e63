// evaluate_predictions beside evaluate: of one network's outputs both say the same.
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "stage_test.h"
#include "stages/ports.h"
#include "stages/stages.h"

using namespace satdl;
using namespace satdl::stages;
using Catch::Contains;

namespace {

StageInputs predictions(Array outputs, Array target) {
    return {{"predictions", port(std::move(outputs))}, {"target", port(std::move(target))}};
}

StageOutput evaluated(const StageInputs& inputs, const Given& given) { return run(evaluate_predictions_stage(), inputs, given); }

// Three samples: right, wrong, right; classes 0, 1, 2.
StageInputs three() {
    return predictions(array<float>({3, 3}, {0.5f, 0.25f, 0.25f, 0.5f, 0.25f, 0.25f, 0, 0.25f, 0.75f}),
                       array<std::uint8_t>({3}, {0, 1, 2}));
}

}  // namespace

TEST_CASE("of probabilities: the metrics that the formulas give") {
    const StageOutput outcome = evaluated(three(), {{"loss", "cross_entropy"}});
    CHECK(metric(outcome, "loss") == Approx(-(std::log(0.5) + std::log(0.25) + std::log(0.75)) / 3));
    CHECK(metric(outcome, "accuracy") == Approx(2 / 3.0));
    CHECK(metric(outcome, "binary_accuracy") == Approx(7 / 9.0));  // 0.5 is no yes: only 0.75 is one
    CHECK(metric(outcome, "precision/0") == 0.5);
    CHECK(metric(outcome, "recall/1") == 0);
    CHECK(metric(outcome, "samples") == 3);
    CHECK(values_of<std::int64_t>(outcome.outputs.at("confusion").at("")) == std::vector<std::int64_t>{1, 0, 0, 1, 0, 0, 0, 0, 1});
    CHECK(values_of<float>(outcome.outputs.at("predictions").at("")) == values_of<float>(three().at("predictions").at("")));

    const StageOutput binary = evaluated(three(), {{"loss", "binary_cross_entropy"}});
    const double sum = std::log(0.5) + 2 * std::log(0.75) + std::log(0.5) + std::log(0.25) + std::log(0.75) + std::log(1 - 1e-7) +
                       std::log(0.75) + std::log(0.75);
    CHECK(metric(binary, "loss") == Approx(-sum / 9));
    CHECK(metric(binary, "accuracy") == Approx(2 / 3.0));
}

TEST_CASE("probabilities of 0 count as 1e-7, and float64 is taken, too") {
    const StageInputs wrong = predictions(array<double>({1, 2}, {0, 1}), array<std::int64_t>({1}, {0}));
    CHECK(metric(evaluated(wrong, {{"loss", "cross_entropy"}}), "loss") == Approx(-std::log(1e-7)));
    CHECK(metric(evaluated(wrong, {{"loss", "binary_cross_entropy"}}), "loss") == Approx(-std::log(1e-7)).epsilon(0.01));
}

TEST_CASE("of logits, and of values without classes") {
    const StageInputs logits = predictions(array<float>({2, 2}, {2, 0, 3, 1}), array<std::int32_t>({2}, {0, 1}));
    const double right = -std::log(1 / (1 + std::exp(-2.0)));
    CHECK(metric(evaluated(logits, {{"loss", "cross_entropy"}, {"from_logits", "true"}}), "loss") == Approx(right + 1));
    const StageInputs values = predictions(array<float>({2, 1, 2}, {1, 2, 3, 4}), array<float>({2, 1, 2}, {1, 2, 3, 2}));
    const StageOutput outcome = evaluated(values, {{"loss", "mse"}});
    CHECK(metric(outcome, "loss") == 1);
    CHECK(outcome.outputs.at("metrics").size() == 2);
    CHECK(outcome.outputs.at("confusion").at("").shape() == Shape{0, 0});
}

TEST_CASE("one output means yes or no") {
    const StageInputs inputs = predictions(array<float>({4, 1}, {0.9f, 0.6f, 0.5f, 0.1f}), array<std::uint8_t>({4}, {1, 0, 0, 0}));
    const StageOutput outcome = evaluated(inputs, {{"loss", "binary_cross_entropy"}});
    CHECK(metric(outcome, "accuracy") == 0.75);
    CHECK(values_of<std::int64_t>(outcome.outputs.at("confusion").at("")) == std::vector<std::int64_t>{2, 1, 0, 1});
}

TEST_CASE("a network's outputs get the metrics that the network gets") {
    const StageInputs data = blobs(200);
    for (const std::string ending : {"softmax", "sigmoid", "none"}) {
        INFO(ending);
        const std::string loss = ending == "sigmoid" ? "binary_cross_entropy" : "cross_entropy";
        const std::string net = "[flatten, {dense: 3" + (ending == "none" ? std::string() : ", activation: " + ending) + "}]";
        const StageOutput trained = run(train_stage(), data, {{"net", net}, {"loss", loss}, {"epochs", "2"}});
        const StageInputs with_model{{"model", trained.outputs.at("model")}, {"x", data.at("val_x")}, {"target", data.at("val_target")}};
        const StageOutput whole = run(evaluate_stage(), with_model, {{"loss", loss}});
        const StageInputs with_outputs{{"predictions", whole.outputs.at("predictions")}, {"target", data.at("val_target")}};
        const StageOutput outcome = evaluated(with_outputs, {{"loss", loss}, {"from_logits", ending == "none" ? "true" : "false"}});
        CHECK(outcome.outputs.at("metrics").size() == whole.outputs.at("metrics").size());
        for (const auto& [name, value] : whole.outputs.at("metrics")) {
            INFO(name);
            CHECK(metric(outcome, name) == Approx(value.values<double>()[0]).epsilon(1e-5));
        }
        CHECK(values_of<std::int64_t>(outcome.outputs.at("confusion").at("")) ==
              values_of<std::int64_t>(whole.outputs.at("confusion").at("")));
    }
}

TEST_CASE("predictions that cannot be evaluated say why") {
    const auto target = [] { return array<std::uint8_t>({1}, {0}); };
    const Given cross_entropy{{"loss", "cross_entropy"}};
    CHECK_THROWS_WITH(evaluated(predictions(array<float>({1, 2}, {3, -1}), target()), cross_entropy),
                      Contains("cross_entropy needs probabilities, but the predictions are -1 to 3") && Contains("from_logits: true"));
    CHECK_THROWS_WITH(evaluated(predictions(array<float>({1, 2}, {0, 0}), target()), cross_entropy),
                      Contains("the probabilities of sample 0 are all 0"));
    CHECK_THROWS_WITH(evaluated(predictions(array<float>({1, 2}, {NAN, 1}), target()), cross_entropy),
                      Contains("the predictions are no numbers for 1 of 1 samples; the first of them is sample 0"));
    CHECK_THROWS_WITH(evaluated(predictions(array<float>({1, 2}, {1, 0}), array<std::uint8_t>({1}, {2})), cross_entropy),
                      Contains("2 classes"));
}
