#include <catch2/catch.hpp>

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

}  // namespace

TEST_CASE("compare says who wins, by how much, and who over-fits more") {
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
    REQUIRE(table.notes.size() == 2);
    CHECK(table.notes[0] == "P0 is better than P: M3 beats M2 by 4.50 points of accuracy");
    CHECK_THAT(table.notes[1], Contains("M3 over-fits more than M2"));
}

TEST_CASE("of losses, the lower one is better") {
    const StageOutput outcome = compare({{"baseline", metrics(0.9, 0.2)}, {"candidate", metrics(0.8, 0.3)}}, "loss");
    CHECK(outcome.tables[0].notes[0] == "P0 is worse than P: M3 falls behind M2 by 0.1000 of loss");
    CHECK(outcome.tables[0].rows[0][0] == "test loss");
    const StageOutput same = compare({{"baseline", metrics(0.9, 0.2)}, {"candidate", metrics(0.9, 0.3)}});
    CHECK(same.tables[0].notes[0] == "P0 = P: M3 and M2 have the same accuracy");
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
