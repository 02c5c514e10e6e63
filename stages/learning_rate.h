// How fast to learn at each step: a function of the update's number alone, so a training that resumes continues exactly.
//
// Updates are counted from 0 through all epochs; W, the length of the warm-up, and E, that of a stage of `step`, are in
// updates (what users give in epochs, times the updates of an epoch, rounded to whole ones, E at least to 1); T is the
// number of all updates, r the optimiser's learning rate, f the floor:
//   warm-up   t < W: r (t + 1) / W              (linear; the first update is not wasted on a rate of 0)
//   constant  r
//   step      r max(f, factor^floor((t - W) / E))                       as PyTorch's StepLR
//   cosine    r (f + (1 - f) (1 + cos(pi (t - W) / (T - W))) / 2)       Loshchilov and Hutter, "SGDR", formula 5, without
//                                                                       restarts; Keras' CosineDecay with alpha = f
#pragma once

#include <cstdint>
#include <string>

namespace satdl::stages {

enum class ScheduleKind { Constant, Step, Cosine };

struct ScheduleOptions {
    ScheduleKind kind = ScheduleKind::Constant;
    double warmup_epochs = 0;
    double step_epochs = 10;   // step: how long a rate is kept
    double step_factor = 0.1;  // step: what is left of it then
    double floor = 0;          // step, cosine: the least share of the learning rate
};

[[nodiscard]] ScheduleKind schedule_from_name(const std::string& name);  // "constant", "step", "cosine"

class Schedule {
public:
    Schedule(const ScheduleOptions& options, double learning_rate, std::int64_t updates_an_epoch, std::int64_t epochs);

    [[nodiscard]] double rate_at(std::int64_t update) const;  // counted from 0

private:
    ScheduleOptions options_;
    double learning_rate_;
    std::int64_t warmup_, stage_, total_;  // in updates
};

}  // namespace satdl::stages
