// Learning rates and early stopping, against formulas worked out here.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "stages/early_stopping.h"
#include "stages/learning_rate.h"

using namespace satdl::stages;

namespace {

std::vector<double> rates(const ScheduleOptions& options, std::int64_t updates_an_epoch, std::int64_t epochs) {
    const Schedule schedule(options, 0.5, updates_an_epoch, epochs);
    std::vector<double> found;
    for (std::int64_t update = 0; update < updates_an_epoch * epochs; ++update) found.push_back(schedule.rate_at(update));
    return found;
}

void check_near(const std::vector<double>& found, const std::vector<double>& wanted) {
    REQUIRE(found.size() == wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(wanted[i]).margin(1e-15));
}

// The epoch after which a training with these values of its metric ends; 0: it does not end early.
std::size_t stopped_after(const StoppingOptions& options, const std::vector<double>& values, bool more_is_better = false) {
    StoppingState state;
    for (std::size_t i = 0; i < values.size(); ++i) {
        watch(options, static_cast<std::int64_t>(i) + 1, values[i], more_is_better, state);
        if (state.stopped) return i + 1;
    }
    return 0;
}

}  // namespace

TEST_CASE("a constant rate is the optimiser's own, to the bit") {
    for (const double rate : rates({}, 3, 2)) CHECK(rate == 0.5);
}

TEST_CASE("the warm-up rises linearly to the rate, and needs no first step at zero") {
    check_near(rates({.warmup_epochs = 1}, 4, 2), {0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.5, 0.5});
    check_near(rates({.warmup_epochs = 0.5}, 4, 1), {0.25, 0.5, 0.5, 0.5});
}

TEST_CASE("step multiplies by its factor every so many epochs, counted from the end of the warm-up") {
    const ScheduleOptions step{.kind = ScheduleKind::Step, .step_epochs = 1, .step_factor = 0.5};
    check_near(rates(step, 2, 3), {0.5, 0.5, 0.25, 0.25, 0.125, 0.125});
    ScheduleOptions more = step;
    more.warmup_epochs = 0.5;
    more.floor = 0.4;
    check_near(rates(more, 2, 3), {0.5, 0.5, 0.5, 0.25, 0.25, 0.2});
    more = {.kind = ScheduleKind::Step, .step_epochs = 0.01, .step_factor = 0.5};
    check_near(rates(more, 1, 3), {0.5, 0.25, 0.125});  // at least one update
}

TEST_CASE("cosine falls from the rate to the floor over all epochs after the warm-up") {
    const double pi = std::acos(-1.0);
    std::vector<double> wanted;
    for (int t = 0; t < 6; ++t) wanted.push_back(0.5 * (1 + std::cos(pi * t / 6)) / 2);
    check_near(rates({.kind = ScheduleKind::Cosine}, 3, 2), wanted);
    wanted = {0.25, 0.5};
    for (int t = 0; t < 4; ++t) wanted.push_back(0.5 * (0.1 + 0.9 * (1 + std::cos(pi * t / 4)) / 2));
    check_near(rates({.kind = ScheduleKind::Cosine, .warmup_epochs = 1, .floor = 0.1}, 2, 3), wanted);
    const Schedule whole({.kind = ScheduleKind::Cosine, .floor = 0.2}, 0.5, 2, 3);
    CHECK(whole.rate_at(6) == Approx(0.1));
    CHECK(whole.rate_at(100) == Approx(0.1));
}

TEST_CASE("training ends once the metric has not improved for `patience` epochs in a row") {
    CHECK(stopped_after({}, {1, 2, 3, 4, 5}) == 0);
    CHECK(stopped_after({.patience = 1}, {3, 2, 1}) == 0);
    CHECK(stopped_after({.patience = 1}, {3, 2, 2, 1}) == 3);  // the same is no improvement
    CHECK(stopped_after({.patience = 3}, {5, 4, 6, 6, 3, 7, 7, 7}) == 8);
    CHECK(stopped_after({.patience = 2}, {0.5, 0.6, 0.6, 0.55}, true) == 4);
}

TEST_CASE("an improvement is one of more than min_delta over the last improvement, not over the last epoch") {
    CHECK(stopped_after({.patience = 2, .min_delta = 0.1}, {1, 0.95, 0.89, 0.85, 0.8}) == 5);
    CHECK(stopped_after({.patience = 2, .min_delta = 0.1}, {1, 0.95, 0.92, 0.5}) == 3);
    CHECK(stopped_after({.patience = 2, .min_delta = 0.1}, {0.5, 0.55, 0.58}, true) == 3);
    CHECK(stopped_after({.patience = 1, .min_delta = 0.5}, {2, 1.5}) == 2);  // by exactly min_delta: none
}

TEST_CASE("epochs before start_epoch neither count nor set the mark") {
    CHECK(stopped_after({.patience = 1, .start_epoch = 3}, {1, 2, 3, 2, 4}) == 5);
    CHECK(stopped_after({.patience = 1, .start_epoch = 9}, {1, 2, 3, 2, 4}) == 0);
}
