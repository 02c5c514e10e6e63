#include "pipeline/run/attempt.h"

#include <fmt/format.h>

#include <chrono>
#include <exception>

#include "pipeline/core/error.h"
#include "pipeline/dag/outcome_check.h"
#include "pipeline/os/sigbus_guard.h"
#include "pipeline/plan/placement.h"
#include "pipeline/run/attempt_checkpoints.h"

namespace satdl {
namespace {

class Context final : public StageContext {
public:
    Context(const RunContext& run, Observer& observer, const PlannedNode& planned, MappingWatch& read)
        : run_(run), observer_(observer), planned_(planned), node_(run.dag.nodes[planned.node]), read_(read),
          checkpoints_(run, planned) {
        if (const auto& timeout = node_.policy.timeout_seconds) deadline_ = run.clock.seconds() + *timeout;
        for (const Notice& told : placement_notices(node_, run.machine)) log(told.level, told.text);
        for (const std::string& warning : checkpoints_.warnings()) log(LogLevel::Warning, warning);
    }

    [[nodiscard]] const Params& params() const override { return node_.params; }
    [[nodiscard]] int threads() const override { return planned_.threads; }
    [[nodiscard]] Precision precision() const override {
        return resolve_precision(node_, run_.machine).value_or(Precision::Fp32);
    }
    [[nodiscard]] Device device() const override {
        return gpu_of(node_, run_.machine) != nullptr ? Device::Cuda : Device::Cpu;
    }
    [[nodiscard]] const std::vector<SourceFile>& files() const override { return node_.files; }
    [[nodiscard]] bool stop_requested() const override {
        return run_.stop.load(std::memory_order_relaxed) || (deadline_ && run_.clock.seconds() > *deadline_);
    }
    void progress(const Progress& progress) override { observer_.stage_progress(run_.dag, planned_.node, progress); }
    void log(LogLevel level, std::string_view message) override {
        observer_.stage_log(run_.dag, planned_.node, level, std::string(message));
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

    [[nodiscard]] const AttemptCheckpoints& checkpoints() const { return checkpoints_; }

private:
    const RunContext& run_;
    Observer& observer_;
    const PlannedNode& planned_;
    const Node& node_;
    MappingWatch& read_;  // what the stage reads: its inputs, and what it goes on from
    std::optional<double> deadline_;
    AttemptCheckpoints checkpoints_;
};

Attempt failed(std::string error, Failure failure) {
    Attempt made;
    made.error = std::move(error);
    made.failure = failure;
    return made;
}

Attempt checked(const RunContext& run, const PlannedNode& planned, StageOutput outcome) {
    const StageDescription& description = run.dag.nodes[planned.node].stage->description;
    if (const auto fault = contradiction(description, run.dag.types[planned.node], outcome))
        return failed(fmt::format("what it returned is not what its description declares: {}", *fault), Failure::Lasting);
    Attempt made;
    made.digests = port_digests(outcome);
    made.outcome = std::make_shared<const StageOutput>(std::move(outcome));
    made.state = NodeState::Ran;
    return made;
}

Attempt stopped(const RunContext& run, const ExecutionPolicy& policy, bool was_asked) {
    if (run.stop.load(std::memory_order_relaxed)) {
        Attempt made;
        made.state = NodeState::Stopped;
        return made;
    }
    if (!was_asked) return failed("it stopped, though nobody had asked it to", Failure::Passing);
    return failed(fmt::format("it ran longer than its timeout of {:g} s, and was asked to stop", *policy.timeout_seconds),
                  Failure::Passing);
}

// The outcomes of a stage as values: every way in which it can end, its own words kept.
Attempt caught(const RunContext& run, Observer& observer, const PlannedNode& planned, const StageInputs& inputs, MappingWatch& read,
               double& ended) {
    const Node& node = run.dag.nodes[planned.node];
    std::optional<Context> context;
    try {
        context.emplace(run, observer, planned, read);
        StageOutput outcome = run.executor.execute(node, inputs, *context);
        ended = run.clock.seconds();
        Attempt made = checked(run, planned, std::move(outcome));
        made.resumed_from = context->checkpoints().resumed_from();
        return made;
    } catch (const Stopped&) {
        return stopped(run, node.policy, context && context->stop_requested());
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

Attempt attempt(const RunContext& run, Observer& observer, const PlannedNode& planned, const StageInputs& inputs) {
    const double started = run.clock.seconds();
    double ended = -1;
    MappingWatch read(inputs);
    Attempt made = caught(run, observer, planned, inputs, read, ended);
    if (const auto change = read.changed(); change && made.state != NodeState::Stopped) made = failed(spoiled(*change), Failure::Lasting);
    made.library = run.executor.library(run.dag.nodes[planned.node]);
    made.seconds = (ended < 0 ? run.clock.seconds() : ended) - started;
    return made;
}

std::unique_ptr<Clock> steady_clock() { return std::make_unique<SteadyClock>(); }

}  // namespace satdl
