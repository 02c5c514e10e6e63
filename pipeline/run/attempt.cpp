#include "pipeline/run/attempt.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <filesystem>

#include "pipeline/core/error.h"
#include "pipeline/dag/outcome_check.h"
#include "pipeline/os/resource_usage.h"
#include "pipeline/os/sigbus_guard.h"
#include "pipeline/plan/placement.h"
#include "pipeline/run/attempt_checkpoints.h"

namespace satdl {
namespace {

class AttemptContext final : public StageContext {
public:
    AttemptContext(const RunContext& run, const PlannedNode& planned, MappingWatch& read)
        : run_(run), planned_(planned), node_(run.dag.nodes[planned.node]), read_(read), checkpoints_(run, planned) {
        if (const auto& timeout = node_.policy.timeout_seconds) deadline_ = run.clock.seconds() + *timeout;
        for (const Notice& notice : placement_notices(node_, run.machine, planned.gpu)) report(notice.level, notice.text);
        for (const std::string& warning : checkpoints_.warnings()) report(LogLevel::Warning, warning);
    }

    [[nodiscard]] const Params& params() const override { return node_.params; }
    [[nodiscard]] int threads() const override { return planned_.threads; }
    [[nodiscard]] Precision precision() const override {
        return resolve_precision(node_, run_.machine).value_or(Precision::Fp32);
    }
    [[nodiscard]] Device device() const override {
        return gpu_of(node_, run_.machine) != nullptr ? Device::Cuda : Device::Cpu;
    }
    [[nodiscard]] int gpu() const override { return planned_.gpu; }
    [[nodiscard]] const std::vector<SourceFile>& files() const override { return node_.files; }
    [[nodiscard]] bool stop_requested() const override {
        return run_.stop.load(std::memory_order_relaxed) || (deadline_ && run_.clock.seconds() > *deadline_);
    }
    void progress(const Progress& progress) override { run_.observer.stage_progress(run_.dag, planned_.node, progress); }
    void log(LogLevel level, std::string_view message) override {
        if (level == LogLevel::Warning) warnings_.emplace_back(message);
        report(level, std::string(message));
    }
    [[nodiscard]] const NamedArrays* checkpoint() override {
        const NamedArrays* const state = checkpoints_.last();
        if (state != nullptr) read_.add(*state);
        return state;
    }
    [[nodiscard]] bool checkpoint_due(bool epoch_ended) override { return checkpoints_.due(epoch_ended); }
    void keep_checkpoint(const NamedArrays& state, const Progress& at) override {
        read_.throw_if_changed();
        if (const std::string problem = checkpoints_.keep(state, at); !problem.empty()) report(LogLevel::Warning, problem);
    }

    void keep_final_checkpoint(const NamedArrays& state, const Progress& at) override {
        read_.throw_if_changed();
        if (const std::string problem = checkpoints_.keep_final_checkpoint(state, at); !problem.empty()) report(LogLevel::Warning, problem);
    }

    [[nodiscard]] const AttemptCheckpoints& checkpoints() const { return checkpoints_; }
    [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }  // of the stage, not of this attempt

private:
    void report(LogLevel level, const std::string& message) { run_.observer.stage_log(run_.dag, planned_.node, level, message); }

    const RunContext& run_;
    const PlannedNode& planned_;
    const Node& node_;
    MappingWatch& read_;  // what the stage reads: its inputs, and the checkpoint that it resumes from
    std::optional<double> deadline_;
    AttemptCheckpoints checkpoints_;
    std::vector<std::string> warnings_;
};

Attempt failed(std::string error, Failure failure) {
    Attempt made;
    made.error = std::move(error);
    made.failure = failure;
    return made;
}

std::uint64_t bytes_of(const std::map<std::string, NamedArrays>& groups) {
    std::uint64_t bytes = 0;
    for (const auto& [port, group] : groups)
        for (const auto& [name, array] : group) bytes += array.bytes().size();
    return bytes;
}

std::uint64_t bytes_of(const std::vector<SourceFile>& files) {
    std::uint64_t bytes = 0;
    for (const SourceFile& file : files) {
        std::error_code error;
        const auto size = file.is_folder ? 0 : std::filesystem::file_size(file.path, error);
        if (!error) bytes += size;
    }
    return bytes;
}

// What the attempt costs from here on.
class UsageMeter {
public:
    explicit UsageMeter(bool is_in_this_process) {
        (void)take_child_usage();
        if (is_in_this_process) process_.emplace();
    }

    [[nodiscard]] ResourceUsage usage() const {
        const ResourceUsage children = take_child_usage();
        if (!process_) return children;
        ResourceUsage own = process_->usage();
        own.cpu_seconds += children.cpu_seconds;
        own.peak_bytes = std::max(own.peak_bytes, children.peak_bytes);
        return own;
    }

private:
    std::optional<ProcessMeter> process_;
};

Attempt checked(const StageDescription& description, const NodeTypes& expected, StageOutput outcome) {
    if (const auto fault = contradiction(description, expected, outcome))
        return failed(fmt::format("its outputs do not match its description: {}", *fault), Failure::Lasting);
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
    if (!was_asked) return failed("it stopped without being asked to", Failure::Passing);
    return failed(fmt::format("it exceeded its timeout of {:g} s and was stopped", *policy.timeout_seconds),
                  Failure::Passing);
}

// Executes the stage; every way in which it can end becomes a value, with the stage's own message.
Attempt execute_caught(const RunContext& run, const PlannedNode& planned, const StageInputs& inputs, MappingWatch& read) {
    const Node& node = run.dag.nodes[planned.node];
    const double started = run.clock.seconds();
    const UsageMeter meter(run.executor.is_in_this_process(node));
    const auto ended_now = [&](Attempt made) {
        made.seconds = run.clock.seconds() - started;
        made.usage.process = meter.usage();
        return made;
    };
    std::optional<AttemptContext> context;
    try {
        context.emplace(run, planned, read);
        const NodeTypes expected = check_inputs(run.dag, planned.node, inputs);
        StageOutput outcome = run.executor.execute(node, inputs, *context);
        outcome.warnings = context->warnings();
        const double seconds = run.clock.seconds() - started;  // without the check of what it returned
        const ResourceUsage usage = meter.usage();
        Attempt made = checked(node.stage->description, expected, std::move(outcome));
        made.seconds = seconds;
        made.usage.process = usage;
        made.resumed_from = context->checkpoints().resumed_from();
        return made;
    } catch (const Stopped&) {
        return ended_now(stopped(run, node.policy, context && context->stop_requested()));
    } catch (const Error& error) {
        const std::string checkpoint = context ? context->checkpoints().after_failure() : "";
        return ended_now(failed(checkpoint.empty() ? error.what() : fmt::format("{}\n  {}", error.what(), checkpoint),
                                error.code() == ExitCode::StageFailed ? Failure::Passing : Failure::Lasting));
    } catch (const std::exception& error) {
        return ended_now(failed(describe(error), Failure::Passing));
    } catch (...) {
        return ended_now(failed("it threw something that is not an exception", Failure::Passing));
    }
}

// Whatever the stage returned or reported: it may have read zeros. Another attempt would get the same.
std::string spoiled(const std::string& change) {
    return fmt::format("{} while the stage read it, so its output is discarded: {}", change, kFileChangedHint);
}

}  // namespace

Attempt run_attempt(const RunContext& run, const PlannedNode& planned, const StageInputs& inputs) {
    MappingWatch read(inputs);
    Attempt made = execute_caught(run, planned, inputs, read);
    if (const auto change = read.changed(); change && made.state != NodeState::Stopped) {
        const double seconds = made.seconds;
        const StageUsage usage = made.usage;
        made = failed(spoiled(*change), Failure::Lasting);
        made.seconds = seconds;
        made.usage = usage;
    }
    made.usage.read_bytes = bytes_of(inputs) + bytes_of(run.dag.nodes[planned.node].files);
    if (made.outcome) made.usage.written_bytes = bytes_of(made.outcome->outputs);
    made.library = run.executor.library(run.dag.nodes[planned.node]);
    return made;
}

}  // namespace satdl
