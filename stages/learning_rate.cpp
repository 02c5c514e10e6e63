#include "stages/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "pipeline/core/error.h"

namespace satdl::stages {
namespace {

std::int64_t in_updates(double epochs, std::int64_t updates_an_epoch) {
    return static_cast<std::int64_t>(std::llround(epochs * static_cast<double>(updates_an_epoch)));
}

}  // namespace

ScheduleKind schedule_from_name(const std::string& name) {
    if (name == "constant") return ScheduleKind::Constant;
    if (name == "step") return ScheduleKind::Step;
    SATDL_CHECK(name == "cosine", "unknown schedule " + name);
    return ScheduleKind::Cosine;
}

Schedule::Schedule(const ScheduleOptions& options, double learning_rate, std::int64_t updates_an_epoch, std::int64_t epochs)
    : options_(options),
      learning_rate_(learning_rate),
      warmup_(in_updates(options.warmup_epochs, updates_an_epoch)),
      stage_(std::max<std::int64_t>(in_updates(options.step_epochs, updates_an_epoch), 1)),
      total_(updates_an_epoch * epochs) {}

double Schedule::rate_at(std::int64_t update) const {
    if (update < warmup_) return learning_rate_ * static_cast<double>(update + 1) / static_cast<double>(warmup_);
    const std::int64_t since = update - warmup_;
    switch (options_.kind) {
        case ScheduleKind::Constant: break;
        case ScheduleKind::Step: {
            const double share = std::pow(options_.step_factor, static_cast<double>(since / stage_));
            return learning_rate_ * std::max(options_.floor, share);
        }
        case ScheduleKind::Cosine: {
            const auto length = static_cast<double>(std::max<std::int64_t>(total_ - warmup_, 1));
            const double way = std::min(static_cast<double>(since) / length, 1.0);
            return learning_rate_ * (options_.floor + (1 - options_.floor) * (1 + std::cos(std::numbers::pi * way)) / 2);
        }
    }
    return learning_rate_;
}

}  // namespace satdl::stages
