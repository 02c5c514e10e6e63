#include "pipeline/run/attempt.h"

#include <fmt/format.h>

#include <chrono>
#include <exception>

#include "pipeline/plan/placement.h"
#include "pipeline/core/error.h"
#include "pipeline/os/sigbus_guard.h"
#include "pipeline/dag/outcome_check.h"
#include "pipeline/run/stage_checkpoints.h"

namespace satdl {
namespace {

class Context final : public StageContext {
public:
    Context(const Carrying& carrying, Observer& observer, const PlannedNode& planned, MappingWatch& read)
        : carrying_(carrying), observer_(observer), planned_(planned), node_(carrying.dag.nodes[planned.node]), read_(read),
          checkpoints_(carrying, planned) {
        if (const auto& timeout = node_.policy.timeout_seconds) deadline_ = carrying.clock.seconds() + *timeout;
        for (const Notice& told : placement_notices(node_, carrying.machine)) log(told.level, told.text);
        for (const std::string& warning : checkpoints_.warnings()) log(LogLevel::Warning, warning);
    }

    [[nodiscard]] const Params& params() const override { return node_.params; }
    [[nodiscard]] int threads() const override { return planned_.threads; }
    [[nodiscard]] Precision precision() const override {
        return resolve_precision(node_, carrying_.machine).value_or(Precision::Fp32);
    }
    [[nodiscard]] Device device() const override {
        return gpu_of(node_, carrying_.machine) != nullptr ? Device::Cuda : Device::Cpu;
    }
    [[nodiscard]] const std::vector<SourceFile>& files() const override { return node_.files; }
    [[nodiscard]] bool stop_requested() const override {
        return carrying_.stop.load(std::memory_order_relaxed) || (deadline_ && carrying_.clock.seconds() > *deadline_);
    }
    void progress(const Progress& progress) override { observer_.stage_progress(carrying_.dag, planned_.node, progress); }
    void log(LogLevel level, std::string_view message) override {
        observer_.stage_log(carrying_.dag, planned_.node, level, std::string(message));
    }
    [[nodiscard]] const NamedArrays* checkpoint() override {
        const NamedArrays* const state = checkpoints_.last();
        if (state != nullptr) read_.add(*state);
        return state;
    }
    [[nodiscard]] bool checkpoint_due(bool epoch_ended) override { return checkpoints_.due(epoch_ended); }
    void keep_checkpoint(const NamedArrays& state, const Progress& at) override {
        read_.refuse_changed();
        if (const std::string trouble = checkpoints_.keep(state, at); !trouble.empty()) log(LogLevel::Warning, trouble);
    }

    void keep_final_checkpoint(const NamedArrays& state, const Progress& at) override {
        read_.refuse_changed();
        if (const std::string trouble = checkpoints_.keep_final_checkpoint(state, at); !trouble.empty()) log(LogLevel::Warning, trouble);
    }

    [[nodiscard]] const StageCheckpoints& checkpoints() const { return checkpoints_; }

private:
    const Carrying& carrying_;
    Observer& observer_;
    const PlannedNode& planned_;
    const Node& node_;
    MappingWatch& read_;  // what the stage reads: its inputs, and what it goes on from
    std::optional<double> deadline_;
    StageCheckpoints checkpoints_;
};

Attempt failed(std::string error, Failure failure) {
    Attempt made;
    made.error = std::move(error);
    made.failure = failure;
    return made;
}

Attempt checked(const Carrying& carrying, const PlannedNode& planned, Outcome outcome) {
    const StageDescription& description = carrying.dag.nodes[planned.node].stage->description;
    if (const auto fault = contradiction(description, carrying.plan.types[planned.node], outcome))
        return failed(fmt::format("what it returned is not what its description declares: {}", *fault), Failure::Lasting);
    Attempt made;
    made.digests = port_digests(outcome);
    made.outcome = std::make_shared<const Outcome>(std::move(outcome));
    made.state = NodeState::Ran;
    return made;
}

Attempt stopped(const Carrying& carrying, const ExecutionPolicy& supervision, bool was_asked) {
    if (carrying.stop.load(std::memory_order_relaxed)) {
        Attempt made;
        made.state = NodeState::Stopped;
        return made;
    }
    if (!was_asked) return failed("it stopped, though nobody had asked it to", Failure::Passing);
    return failed(fmt::format("it ran longer than its timeout of {:g} s, and was asked to stop", *policy.timeout_seconds),
                  Failure::Passing);
}

// The outcomes of a stage as values: every way in which it can end, its own words kept.
Attempt caught(const Carrying& carrying, Observer& observer, const PlannedNode& planned, const StageInputs& inputs, MappingWatch& read,
               double& ended) {
    const Node& node = carrying.dag.nodes[planned.node];
    std::optional<Context> context;
    try {
        context.emplace(carrying, observer, planned, read);
        Outcome outcome = carrying.executor.execute(node, inputs, *context);
        ended = carrying.clock.seconds();
        Attempt made = checked(carrying, planned, std::move(outcome));
        made.resumed_from = context->checkpoints().resumed_from();
        return made;
    } catch (const Stopped&) {
        return stopped(carrying, node.policy, context && context->stop_requested());
    } catch (const Error& error) {
        const std::string checkpoint = context ? context->checkpoints().after_failure() : "";
        return failed(checkpoint.empty() ? error.what() : fmt::format("{}\n  {}", error.what(), checkpoint),
                      error.code() == ExitCode::StageFailed ? Failure::Passing : Failure::Lasting);
    } catch (const std::exception& error) {
        return failed(describe(error), Failure::Passing);
    } catch (...) {
        return failed("it threw something that is no exception", Failure::Passing);
    }
}

// Whatever the stage made or said of it: it may have read zeros. Another attempt would be given the same.
std::string spoiled(const std::string& change) {
    return fmt::format("{} while the stage read it, so what it made is not used: {}", change, kAfterFileChanged);
}

class SteadyClock final : public Clock {
public:
    [[nodiscard]] double seconds() override {
        return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    }
};

}  // namespace

Attempt attempt(const Carrying& carrying, Observer& observer, const PlannedNode& planned, const StageInputs& inputs) {
    const double started = carrying.clock.seconds();
    double ended = -1;
    MappingWatch read(inputs);
    Attempt made = caught(carrying, observer, planned, inputs, read, ended);
    if (const auto change = read.changed(); change && made.state != NodeState::Stopped) made = failed(spoiled(*change), Failure::Lasting);
    made.library = carrying.executor.library(carrying.dag.nodes[planned.node]);
    made.seconds = (ended < 0 ? carrying.clock.seconds() : ended) - started;
    return made;
}

std::unique_ptr<Clock> steady_clock() { return std::make_unique<SteadyClock>(); }

}  // namespace satdl
