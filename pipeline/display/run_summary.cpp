#include "pipeline/display/run_summary.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "pipeline/core/json.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

// Why it ran, and what else the user must know about it.
std::string remark(const NodeResult& node) {
    std::string text = node.because;
    if (node.attempt > 1) text += fmt::format("; attempt {} of {}", node.attempt, node.attempts);
    if (!node.not_kept.empty()) text += fmt::format("; NOT STORED: {}", node.not_kept);
    if (node.nondeterministic) text += "; NOT DETERMINISTIC: the store has different bytes under this key";
    return text;
}

void add_to_list(std::string& list, std::string_view part) {
    if (!list.empty()) list += ", ";
    list += part;
}

}  // namespace

Table summary_table(const Dag& dag, const RunResult& result) {
    Table table{.title = {}, .columns = {"stage", "status", "seconds", "reason"}, .rows = {}, .notes = {}};
    const auto add = [&](const NodeResult& node) {
        table.rows.push_back({dag.nodes[node.node].name, std::string(state_word(node)),
                              was_executed(node.state) ? fmt::format("{:.2f}", node.seconds) : "-", remark(node)});
    };
    std::size_t reused = 0;
    for (const auto& node : result.nodes) {
        if (node.state != NodeState::Reused || ++reused <= kReusedRows) add(node);
    }
    if (reused > kReusedRows) table.notes.push_back(fmt::format("... and {} more reused", reused - kReusedRows));
    return table;
}

std::string summary_line(const Dag& dag, const RunResult& result, double seconds) {
    std::string counts;
    for (const NodeState state :
         {NodeState::Ran, NodeState::Reused, NodeState::Failed, NodeState::Skipped, NodeState::Stopped}) {
        const std::size_t count = result.count(state);
        if (count != 0) counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, name_of(state));
    }
    return fmt::format("{}: {} stage{}: {}, in {}", printable(dag.name), result.nodes.size(),
                       result.nodes.size() == 1 ? "" : "s", counts.empty() ? "nothing to do" : counts,
                       duration_text(seconds));
}

std::string remote_line(const RemoteUse& use) {
    const auto counted = [](std::uint64_t count, std::string_view one) {
        return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
    };
    std::string done = fmt::format("{} found", use.found);
    if (use.downloads > 0) add_to_list(done, fmt::format("{} downloaded ({})", use.downloads, bytes_text(use.downloaded_bytes)));
    if (use.uploads > 0) add_to_list(done, fmt::format("{} uploaded ({})", use.uploads, bytes_text(use.uploaded_bytes)));
    if (use.is_read_only) add_to_list(done, "read only, since there is no private key");
    std::string lost;
    if (use.lost_lookups > 0) add_to_list(lost, counted(use.lost_lookups, "look-up"));
    if (use.lost_downloads > 0) add_to_list(lost, counted(use.lost_downloads, "download"));
    if (use.lost_uploads > 0) add_to_list(lost, counted(use.lost_uploads, "upload"));
    if (!lost.empty()) done += fmt::format("; lost {}: {}", lost, use.problem.empty() ? "there was no time" : use.problem);
    return fmt::format("remote {}: {}", printable(use.place), done);
}

}  // namespace satdl
