#include "commands/smoke.h"

#include <fmt/format.h>

#include <algorithm>

#include "commands/command.h"
#include "pipeline/text.h"

namespace satdl {

namespace {

bool is_ok(NodeState state) {
    return state == NodeState::Ran || state == NodeState::Reused;  // reused: another stage has just made the same
}

// A message of several lines in one.
std::string in_one_line(std::string_view message) {
    std::string text;
    for (std::size_t from = 0; from < message.size();) {
        const std::size_t end = std::min(message.find('\n', from), message.size());
        const std::size_t first = std::min(message.find_first_not_of(' ', from), end);
        text += fmt::format("{}{}", text.empty() ? "" : "; ", message.substr(first, end - first));
        from = end + 1;
    }
    return printable(text);
}

std::string remark(const Dag& dag, const NodeResult& result) {
    switch (result.state) {
        case NodeState::Ran:
        case NodeState::Stopped:
            return duration_text(result.seconds);
        case NodeState::Failed:
            return in_one_line(fmt::format("{}: {}", dag.nodes[result.node].place.text(), without_mark(result.error)));
        case NodeState::Reused:
        case NodeState::Skipped:
            break;
    }
    return printable(result.because);
}

}  // namespace

void SmokeLines::run_started(const Dag& dag, const Plan& plan) {
    for (const PlannedNode& planned : plan.nodes)
        name_width_ = std::max(name_width_, display_width(printable(dag.nodes[planned.node].name)));
}

void SmokeLines::stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) {
    if (level != LogLevel::Warning) return;
    print_(fmt::format("warning  {}  {}", padded(printable(dag.nodes[node].name), name_width_), printable(message)));
}

void SmokeLines::stage_finished(const Dag& dag, const NodeResult& result) {
    const std::string_view word = is_ok(result.state) ? "ok" : name_of(result.state);
    print_(fmt::format("{:<7}  {}  {}", word, padded(printable(dag.nodes[result.node].name), name_width_), remark(dag, result)));
}

std::string smoke_line(const Dag& dag, const RunResult& result, double seconds) {
    const std::size_t all = result.nodes.size();
    const std::size_t ok = result.count(NodeState::Ran) + result.count(NodeState::Reused);
    std::string what;
    if (ok == all) {
        what = all == 1 ? "1 stage runs" : fmt::format("{} stages fit together", all);
    } else {
        what = fmt::format("{} stage{}: {} ok", all, all == 1 ? "" : "s", ok);
        for (const NodeState state : {NodeState::Failed, NodeState::Skipped, NodeState::Stopped}) {
            if (const std::size_t count = result.count(state); count != 0) what += fmt::format(", {} {}", count, name_of(state));
        }
    }
    return fmt::format("{}: {}, in {}; nothing was kept", printable(dag.name), what, duration_text(seconds));
}

}  // namespace satdl
