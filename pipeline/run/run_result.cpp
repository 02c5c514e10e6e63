#include "pipeline/run/run_result.h"

#include <fmt/format.h>

#include <algorithm>

namespace satdl {

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

bool succeeded(NodeState state) { return state == NodeState::Ran || state == NodeState::Reused; }

bool was_executed(NodeState state) {
    return state == NodeState::Ran || state == NodeState::Failed || state == NodeState::Stopped;
}

std::string_view state_word(const NodeResult& result) {
    return result.state == NodeState::Ran && !result.resumed_from.empty() ? "resumed" : name_of(result.state);
}

std::size_t RunResult::count(NodeState state) const {
    return static_cast<std::size_t>(std::ranges::count(nodes, state, &NodeResult::state));
}

ExitCode RunResult::exit_code() const {
    if (std::ranges::any_of(nodes, [](const NodeResult& node) { return node.job && node.job->is_config; })) return ExitCode::Usage;
    // A node is skipped because of another's failure, a signal (whose exit code is the caller's), or a plan that was blocked.
    if (count(NodeState::Failed) > 0 || (!stopped && count(NodeState::Skipped) > 0)) return ExitCode::StageFailed;
    const bool lost = std::ranges::any_of(nodes, [](const NodeResult& node) { return !node.not_kept.empty(); });
    return lost || !observer_error.empty() ? ExitCode::Store : ExitCode::Done;
}

std::string stage_text(const Node& node) {
    const std::string kind = node.stage != nullptr ? node.stage->description.kind : "";
    const std::string place = node.place.text();
    return fmt::format("stage {} ({}{}{})", node.name, kind, kind.empty() || place.empty() ? "" : ", ", place);
}

}  // namespace satdl
