#include "pipeline/run/observer.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "pipeline/core/error.h"

namespace satdl {
namespace {

class BroadcastObserver final : public Observer {
public:
    explicit BroadcastObserver(std::vector<Observer*> observers) : observers_(std::move(observers)) {}

    void run_started(const Dag& dag, const Plan& plan) override {
        each([&](Observer& observer) { observer.run_started(dag, plan); });
    }
    void stage_started(const Dag& dag, const PlannedNode& planned) override {
        each([&](Observer& observer) { observer.stage_started(dag, planned); });
    }
    void stage_progress(const Dag& dag, NodeId node, const Progress& progress) override {
        each([&](Observer& observer) { observer.stage_progress(dag, node, progress); });
    }
    void stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) override {
        each([&](Observer& observer) { observer.stage_log(dag, node, level, message); });
    }
    void stage_finished(const Dag& dag, const NodeResult& result) override {
        each([&](Observer& observer) { observer.stage_finished(dag, result); });
    }
    void run_finished(const Dag& dag, const RunResult& result) override {
        each([&](Observer& observer) { observer.run_finished(dag, result); });
    }
    void sweep_event(const Dag& dag, const std::string& line) override {
        each([&](Observer& observer) { observer.sweep_event(dag, line); });
    }

private:
    template <typename Call>
    void each(Call&& call) {
        std::exception_ptr first;
        for (Observer* observer : observers_) {
            try {
                call(*observer);
            } catch (...) {
                if (!first) first = std::current_exception();
            }
        }
        if (first) std::rethrow_exception(first);
    }

    const std::vector<Observer*> observers_;
};

}  // namespace

std::string_view name_of(NodeState state) {
    switch (state) {
        case NodeState::Ran: return "ran";
        case NodeState::Reused: return "reused";
        case NodeState::Failed: return "failed";
        case NodeState::Skipped: return "skipped";
        case NodeState::Stopped: return "stopped";
    }
    return "";
}

std::string_view state_word(const NodeResult& result) {
    return result.state == NodeState::Ran && !result.resumed_from.empty() ? "resumed" : name_of(result.state);
}

std::string stage_text(const Node& node) {
    const std::string kind = node.stage != nullptr ? node.stage->description.kind : "";
    const std::string place = node.place.text();
    return fmt::format("stage {} ({}{}{})", node.name, kind, kind.empty() || place.empty() ? "" : ", ", place);
}

std::size_t RunResult::count(NodeState state) const {
    return static_cast<std::size_t>(std::ranges::count(nodes, state, &NodeResult::state));
}

ExitCode RunResult::exit_code() const {
    // A node is skipped because of another's failure, a signal (whose exit code is the caller's), or a plan that was blocked.
    if (count(NodeState::Failed) > 0 || (!stopped && count(NodeState::Skipped) > 0)) return ExitCode::StageFailed;
    const bool lost = std::ranges::any_of(nodes, [](const NodeResult& node) { return !node.not_kept.empty(); });
    return lost || !observer_error.empty() ? ExitCode::Store : ExitCode::Done;
}

std::unique_ptr<Observer> broadcast(std::vector<Observer*> observers) { return std::make_unique<BroadcastObserver>(std::move(observers)); }

template <typename Call>
void SerializedObserver::tell(Call&& call) {
    const std::scoped_lock lock(mutex_);
    std::string thrown;
    try {
        call();
    } catch (const std::exception& error) {
        thrown = describe(error);
    } catch (...) {
        thrown = "an observer threw something that is no exception";
    }
    if (observer_error_.empty()) observer_error_ = std::move(thrown);
}

void SerializedObserver::run_started(const Dag& dag, const Plan& plan) {
    tell([&] { observer_.run_started(dag, plan); });
}
void SerializedObserver::stage_started(const Dag& dag, const PlannedNode& planned) {
    tell([&] { observer_.stage_started(dag, planned); });
}
void SerializedObserver::stage_progress(const Dag& dag, NodeId node, const Progress& progress) {
    tell([&] { observer_.stage_progress(dag, node, progress); });
}
void SerializedObserver::stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) {
    tell([&] { observer_.stage_log(dag, node, level, message); });
}
void SerializedObserver::stage_finished(const Dag& dag, const NodeResult& result) {
    tell([&] { observer_.stage_finished(dag, result); });
}
void SerializedObserver::run_finished(const Dag& dag, const RunResult& result) {
    tell([&] { observer_.run_finished(dag, result); });
}
void SerializedObserver::sweep_event(const Dag& dag, const std::string& line) {
    tell([&] { observer_.sweep_event(dag, line); });
}

std::string SerializedObserver::observer_error() {
    const std::scoped_lock lock(mutex_);
    return observer_error_;
}

}  // namespace satdl
