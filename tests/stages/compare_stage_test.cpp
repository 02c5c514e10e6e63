#include <catch2/catch.hpp>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "stage_test.h"
#include "stages/ports.h"
#include "stages/stages.h"

using namespace satdl;
using namespace satdl::stages;
using Catch::Matchers::Contains;

namespace {

StageOutput compare(const StageInputs& inputs, const std::string& metric_name = "accuracy") {
    const StageEntry stage = compare_stage();
    TestContext context(stage.description, {{"baseline_name", "M2"}, {"candidate_name", "M3"}, {"metric", metric_name}});
    return stage.run(inputs, context);
}

NamedArrays metrics(double accuracy, double loss) {
    return metrics_group({{"accuracy", accuracy}, {"loss", loss}, {"samples", 10}});
}

NamedArrays history(std::initializer_list<double> accuracy) {
    const auto epochs = static_cast<std::int64_t>(accuracy.size());
    return {{"val/accuracy", array<double>({epochs}, accuracy)}};
}

using Row = std::vector<std::string>;

// Of two classes; 0 is right.
NamedArrays predictions(std::size_t samples, const std::function<bool(std::size_t)>& is_right) {
    std::vector<float> outputs;
    for (std::size_t i = 0; i < samples; ++i) outputs.insert(outputs.end(), {is_right(i) ? 0.9F : 0.1F, 0.5F});
    return one_array(Array::of<float>({static_cast<std::int64_t>(samples), 2}, std::span<const float>(outputs)));
}

NamedArrays zeros(std::size_t samples) {
    const std::vector<std::uint8_t> labels(samples);
    return one_array(Array::of<std::uint8_t>({static_cast<std::int64_t>(samples)}, std::span<const std::uint8_t>(labels)));
}

// Of 100 samples, the baseline is right on the first `first`, the candidate on the last `second`.
StageInputs with_predictions(std::size_t first, std::size_t second) {
    const auto of = [](std::size_t right) { return metrics_group({{"accuracy", static_cast<double>(right) / 100}, {"samples", 100}}); };
    return {{"baseline", of(first)},
            {"candidate", of(second)},
            {"baseline_predictions", predictions(100, [&](std::size_t i) { return i < first; })},
            {"candidate_predictions", predictions(100, [&](std::size_t i) { return i >= 100 - second; })},
            {"labels", zeros(100)}};
}

}  // namespace

TEST_CASE("there is a winner only if the paired test over the samples tells the two apart") {
    const auto note = [](const StageInputs& inputs) { return compare(inputs).tables[0].notes[0]; };
    CHECK(note(with_predictions(15, 50)) == "P0 is better than P: M3's accuracy is 35.00 points above M2's "
                                            "(McNemar's exact test: p < 0.0001; M3 alone is right on 50 samples, M2 alone on 15)");
    CHECK(note(with_predictions(50, 15)) == "P0 is worse than P: M3's accuracy is 35.00 points below M2's "
                                            "(McNemar's exact test: p < 0.0001; M3 alone is right on 15 samples, M2 alone on 50)");
    CHECK(note(with_predictions(4, 9)) == "P0 and P cannot be told apart: M3's accuracy is 5.00 points above M2's "
                                          "(McNemar's exact test: p = 0.2668; M3 alone is right on 9 samples, M2 alone on 4)");
    CHECK_THAT(note(with_predictions(9, 9)), Contains("P0 and P cannot be told apart: M3 and M2 have the same accuracy"));
}

TEST_CASE("predictions must be those that the metrics are of, and be numbers") {
    StageInputs inputs = with_predictions(4, 9);
    inputs["baseline"] = inputs["candidate"] = metrics_group({{"accuracy", 0.04}, {"samples", 50}});
    CHECK_THROWS_WITH(compare(inputs), Contains("baseline_predictions has 100 samples, but the metrics of M2 are of 50"));
    const auto with = [](const std::string& port, Array array) {
        StageInputs changed = with_predictions(4, 9);
        changed[port] = one_array(std::move(array));
        return changed;
    };
    std::vector<float> outputs(200, 0.5F);
    outputs[7] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH(compare(with("candidate_predictions", Array::of<float>({100, 2}, outputs))),
                      Contains("candidate_predictions (M3) has NaN"));
    CHECK_THROWS_WITH(compare(with("baseline_predictions", Array::of<float>({100, 1}, std::vector<float>(100)))),
                      Contains("baseline_predictions (M2) is [100, 1], but the outputs of a classifier are [N, classes]") &&
                          Contains("connect metrics and predictions of one evaluation a side"));
}

TEST_CASE("labels must be those that the accuracies are of") {
    const auto with_labels = [](std::int64_t samples, std::int64_t label) {
        StageInputs inputs = with_predictions(4, 9);
        inputs["labels"] = one_array(Array::of<std::int64_t>({samples}, std::vector<std::int64_t>(samples, label)));
        return inputs;
    };
    CHECK_NOTHROW(compare(with_labels(100, 0)));
    CHECK_THROWS_WITH(compare(with_labels(100, 1)), Contains("baseline_predictions (M2) is right on 96 of 100 samples by these labels, "
                                                             "but its metrics say accuracy 4.00 %"));
    for (const std::int64_t label : {-1, 2})
        CHECK_THROWS_WITH(compare(with_labels(100, label)), Contains("labels is not of class numbers 0 to 1"));
    CHECK_THROWS_WITH(compare(with_labels(99, 0)), Contains("labels has 99 samples, baseline_predictions 100"));
    StageInputs inputs = with_predictions(4, 9);
    inputs["candidate"] = metrics_group({{"accuracy", 0.1}, {"samples", 100}});
    CHECK_THROWS_WITH(compare(inputs), Contains("candidate_predictions (M3) is right on 9 of 100 samples"));
}

TEST_CASE("a sample whose greatest outputs are equal may be right or wrong: its logits were not") {
    StageInputs inputs = with_predictions(4, 9);
    std::vector<float> outputs;
    for (int i = 0; i < 100; ++i) outputs.insert(outputs.end(), {i < 10 ? 1.0F : 0.0F, 1.0F});
    inputs["baseline_predictions"] = one_array(Array::of<float>({100, 2}, outputs));
    CHECK_NOTHROW(compare(inputs));  // 4 of the 10 samples on which both sigmoids are 1
    inputs["baseline"] = metrics_group({{"accuracy", 0.11}, {"samples", 100}});
    CHECK_THROWS_WITH(compare(inputs), Contains("baseline_predictions (M2) is right on 10 of 100 samples"));
}

TEST_CASE("evaluations on different numbers of samples are not compared") {
    const auto of = [](double samples) { return metrics_group({{"accuracy", 0.5}, {"samples", samples}}); };
    CHECK_THROWS_WITH(compare({{"baseline", of(100)}, {"candidate", of(20)}}),
                      Contains("baseline (M2) was evaluated on 100 samples, but candidate (M3) on 20"));
}

TEST_CASE("a metric that is no number is not compared") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH(compare({{"baseline", metrics(0.9, 1)}, {"candidate", metrics(nan, 1)}}),
                      Contains("the accuracy of M3 is nan: there is nothing to compare"));
    CHECK_THROWS_WITH(compare({{"baseline", metrics(0.9, nan)}, {"candidate", metrics(0.9, 1)}}, "loss"),
                      Contains("the loss of M2 is nan"));
}

TEST_CASE("compare puts the numbers side by side, and without predictions it names no winner") {
    const StageOutput outcome = compare({{"baseline", metrics(0.88, 0.33)},
                                     {"candidate", metrics(0.925, 0.25)},
                                     {"baseline_train", metrics(0.92, 0.2)},
                                     {"candidate_train", metrics(0.985, 0.05)}});
    CHECK(metric(outcome, "p") == 0.88);
    CHECK(metric(outcome, "p0") == 0.925);
    CHECK(metric(outcome, "difference") == Approx(0.045));
    CHECK(metric(outcome, "gap/p") == Approx(0.04));
    CHECK(metric(outcome, "gap/p0") == Approx(0.06));
    REQUIRE(outcome.tables.size() == 1);
    const Table& table = outcome.tables[0];
    CHECK(table.columns == Row{"", "P: M2", "P0: M3", "P0 - P"});
    REQUIRE(table.rows.size() == 5);
    CHECK(table.rows[0] == Row{"test accuracy", "88.00 %", "92.50 %", "+4.50 points"});
    CHECK(table.rows[1] == Row{"training accuracy", "92.00 %", "98.50 %", "+6.50 points"});
    CHECK(table.rows[2] == Row{"test loss", "0.3300", "0.2500", "-0.0800"});
    CHECK(table.rows[4] == Row{"training - test accuracy", "4.00 %", "6.00 %", "+2.00 points"});
    REQUIRE(table.notes.size() == 1);
    CHECK(table.notes[0] ==
          "M3's accuracy is 4.50 points above M2's; one number each does not say whether they differ by more than chance");
}

TEST_CASE("a difference of losses and a difference of zero are reported in words") {
    const StageOutput outcome = compare({{"baseline", metrics(0.9, 0.2)}, {"candidate", metrics(0.8, 0.3)}}, "loss");
    CHECK(outcome.tables[0].notes[0] ==
          "M3's loss is 0.1000 above M2's; one number each does not say whether they differ by more than chance");
    CHECK(outcome.tables[0].rows[0][0] == "test loss");
    const StageOutput same = compare({{"baseline", metrics(0.9, 0.2)}, {"candidate", metrics(0.9, 0.3)}});
    CHECK_THAT(same.tables[0].notes[0], Contains("M3 and M2 have the same accuracy"));
}

TEST_CASE("curves stand side by side, also where one training was shorter") {
    const StageOutput outcome = compare({{"baseline", metrics(0.9, 0.2)},
                                     {"candidate", metrics(0.8, 0.3)},
                                     {"baseline_history", history({0.5, 0.6})},
                                     {"candidate_history", history({0.7})}});
    REQUIRE(outcome.tables.size() == 2);
    CHECK(outcome.tables[0].columns == Row{"epoch", "P val/accuracy", "P0 val/accuracy"});
    CHECK(outcome.tables[0].rows == std::vector<Row>{{"1", "50.00 %", "70.00 %"}, {"2", "60.00 %", ""}});
}

TEST_CASE("where both accuracies are reported, a note tells them apart") {
    const NamedArrays both = metrics_group({{"accuracy", 0.9}, {"binary_accuracy", 0.98}});
    const StageOutput outcome = compare({{"baseline", both}, {"candidate", both}});
    CHECK(outcome.tables[0].rows[1] == Row{"test binary_accuracy", "98.00 %", "98.00 %", "+0.00 points"});
    CHECK_THAT(outcome.tables[0].notes.back(), Contains("binary_accuracy"));
}

TEST_CASE("a metric that is not there is named") {
    CHECK_THROWS_WITH(compare({{"baseline", metrics(1, 1)}, {"candidate", metrics(1, 1)}}, "acuracy"),
                      Contains("M2 has no metric 'acuracy'") && Contains("accuracy"));
}

TEST_CASE("the metrics of a training do as well as those of an evaluation") {
    const NamedArrays training = metrics_group({{"val/accuracy", 0.75}, {"last/val/accuracy", 0.5}});
    CHECK(metric(compare({{"baseline", training}, {"candidate", training}}), "p") == 0.75);
}
