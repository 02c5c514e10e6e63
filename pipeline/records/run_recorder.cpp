#include "pipeline/records/run_recorder.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/logger.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "pipeline/core/error.h"
#include "pipeline/core/json.h"
#include "pipeline/network/metric_names.h"
#include "pipeline/plan/run_state.h"
#include "pipeline/records/git_state.h"
#include "pipeline/records/link_files.h"
#include "pipeline/records/link_results.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/results_folders.h"
#include "pipeline/sweep/sweep.h"
#include "pipeline/sweep/sweep_summary.h"

namespace satdl {

namespace {

Digest state_digest(const Dag& dag, const RunResult& result) {
    RunState state;
    for (const auto& node : result.nodes)
        if (node.key && succeeded(node.state)) state.add(dag.nodes[node.node].name, *node.key);
    return state.finish();
}

class RunRecord final : public Observer {
public:
    RunRecord(RunFolders folders, RunInfo info, FileSystem& files, Index& index, Store& store, Observer& warnings)
        : folders_(std::move(folders)),
          id_(info.id),
          record_(record_path(folders_.store, id_)),
          files_(files),
          index_(index),
          store_(store),
          warnings_(warnings),
          environment_(info.environment),
          source_folder_(info.source_folder),
          save_diff_(info.save_diff),
          events_(std::move(info), [this](const std::string& line, bool durable) { write_event(line, durable); }) {}

    // What came from a remote is news here, though nothing ran.
    void run_started(const Dag& dag, const Plan& plan) override {
        events_.run_started(dag, plan);
        if (std::ranges::any_of(plan.nodes, [](const PlannedNode& node) { return node.because == kFoundInRemote; })) open(dag);
    }

    void stage_started(const Dag& dag, const PlannedNode& planned) override {
        open(dag);
        if (!std::exchange(asked_git_, true) && !source_folder_.empty()) git_.emplace(source_folder_, save_diff_);
        events_.stage_started(dag, planned);
        log(spdlog::level::info, fmt::format("{}: started{}{}: {}", dag.nodes[planned.node].name, planned.where.empty() ? "" : " by ",
                                             planned.where, planned.because));
    }

    void stage_queued(const Dag& dag, const PlannedNode& planned, const std::string& job, const std::string& reason) override {
        open(dag);
        events_.stage_queued(dag, planned, job, reason);
        log(spdlog::level::info, fmt::format("{}: queued as {}: {}", dag.nodes[planned.node].name, job, reason));
    }

    void stage_waiting(const Dag& dag, const PlannedNode& planned, const std::string& holder) override {
        open(dag);
        events_.stage_waiting(dag, planned, holder);
        log(spdlog::level::info, fmt::format("{}: waits for {}, which computes the same", dag.nodes[planned.node].name, holder));
    }

    void stage_progress(const Dag& dag, NodeId node, const Progress& progress) override {
        events_.stage_progress(dag, node, progress);
    }

    void stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) override {
        events_.stage_log(dag, node, level, message);
        const auto severity = level == LogLevel::Warning ? spdlog::level::warn
                              : level == LogLevel::Info  ? spdlog::level::info
                                                         : spdlog::level::debug;
        log(severity, fmt::format("{}: {}", dag.nodes[node].name, message));
    }

    void stage_finished(const Dag& dag, const NodeResult& result) override {
        write_git_state(false);
        if (!opened_ && result.state == NodeState::Reused) {
            // Only the minimum until something runs: the lines of ten thousand reused stages may never be needed.
            NodeResult slim;
            slim.node = result.node;
            slim.state = result.state;
            slim.because = result.because;
            slim.key = result.key;
            if (reused_early_.empty()) reused_early_.reserve(dag.nodes.size());
            reused_early_.push_back(std::move(slim));
            return;
        }
        if (result.state == NodeState::Failed) open(dag);
        events_.stage_finished(dag, result);
        const std::string& name = dag.nodes[result.node].name;
        if (result.state == NodeState::Failed) {
            log(spdlog::level::err, fmt::format("{} failed after {:.3f} s: {}", stage_text(dag.nodes[result.node]), result.seconds, result.error));
        } else if (opened_) {
            log(spdlog::level::info,
                fmt::format("{}: {} in {:.3f} s: {}", name, name_of(result.state), result.seconds, result.because));
        }
    }

    // Their events in one write, for which the disk is waited for once.
    void stages_finished(const Dag& dag, const std::vector<NodeResult>& results) override {
        together_.emplace();
        for (const NodeResult& result : results) stage_finished(dag, result);
        const Events events = *std::exchange(together_, std::nullopt);
        if (!events.text.empty()) guarded([&] { files_.append(record_, events.text, events.durable); });
    }

    void run_finished(const Dag& dag, const RunResult& result) override {
        bring_up_to_date(dag, result);
        write_git_state(true);
        if (opened_ && !sweeping_) guarded([&] { write_event(metrics_event(dag, result), false); });
        events_.run_finished(dag, result);
        if (opened_) {
            log(spdlog::level::info, fmt::format("run finished in {:.3f} s", result.seconds));
            if (log_) log_->flush();
            return;
        }
        // Nothing ran: the last line is enough.
        guarded([&] {
            const auto record = record_path(folders_.store, kReusedRuns);
            if (!files_.stamp(record.parent_path())) files_.make_folders(record.parent_path());
            files_.append(record, with_check(waiting_.back(), kReusedRuns) + '\n', false);
        });
    }

    void warning(const std::string& text) override { log(spdlog::level::warn, text); }

    void remote_used(const RemoteUse& use) override {
        if (!opened_) return;  // nothing ran, and the line of that is written
        events_.remote_used(use);
    }

    // A sweep gets a record although it may run no stage.
    void sweep_started(const Sweep& sweep, const Workload& workload) override {
        sweeping_ = true;  // its event `sweep` has the metrics of each point
        open(sweep.dag);
        events_.sweep_started(sweep, workload);
    }
    void sweep_finished(const Sweep& sweep, const SweepSummary& summary, const RunResult& result) override {
        open(sweep.dag);
        events_.sweep_finished(sweep, summary, result);
    }

private:
    // Creates the run's folder when the first stage starts, and writes the events from before.
    void open(const Dag& dag) {
        if (opened_) return;
        opened_ = true;
        guarded([&] {
            const auto folder = record_.parent_path();
            files_.make_folders(folder);
            std::string text;
            for (const auto& line : waiting_) text += with_check(line, id_) + '\n';
            waiting_.clear();
            if (environment_) text += with_check(environment_event(dag), id_) + '\n';
            files_.append(record_, text, true);  // its name, too
            log_ = std::make_unique<spdlog::logger>(
                "run", std::make_shared<spdlog::sinks::basic_file_sink_mt>((folder / "log.txt").string()));
            // spdlog's own handler would write to stderr.
            log_->set_error_handler([this](const std::string& why) { warn_incomplete("the run's log is", why); });
            log_->set_level(spdlog::level::debug);
            log_->flush_on(spdlog::level::warn);
        });
        for (const auto& early : std::exchange(reused_early_, {})) events_.stage_finished(dag, early);
    }

    std::string environment_event(const Dag& dag) const {
        Json json = {{"event", "environment"}, {"wall_time", wall_time()}};
        json.update(Json::parse(environment_(dag)));
        return dump_json(json);
    }

    // As soon as git has answered; at the end of the run it is waited for, but not for long.
    void write_git_state(bool at_the_end) {
        const double wait_seconds = save_diff_ ? 60 : 1;
        if (!git_ || (!at_the_end && !git_->is_done())) return;
        const std::optional<GitState> state = git_->finish(wait_seconds);
        git_.reset();
        if (!state) return;
        Json json = {{"event", "git"}, {"wall_time", wall_time()}, {"commit", state->commit}, {"root", state->root}};
        json["dirty"] = state->diff ? Json(state->diff_bytes > 0) : Json(nullptr);
        json["diff_sha256"] = state->diff && state->diff_bytes > 0 ? Json(state->diff->hex()) : Json(nullptr);
        json["diff_bytes"] = state->diff ? Json(state->diff_bytes) : Json(nullptr);
        if (save_diff_) json["saved"] = state->patch.has_value();
        guarded([&] {
            if (save_diff_ && state->patch) files_.append(record_.parent_path() / kDiffFile, *state->patch, false);
            write_event(dump_json(json), false);
        });
        if (save_diff_ && !state->patch)
            warnings_.warning(fmt::format("the diff was not saved: {}",
                                          state->diff ? "it is longer than 64 MB" : "git took too long, or failed"));
    }

    void write_event(const std::string& line, bool durable) {
        if (!opened_) {
            waiting_.push_back(line);
            return;
        }
        const std::string text = with_check(line, id_) + '\n';
        if (together_) {
            together_->text += text;
            together_->durable = together_->durable || durable;
            return;
        }
        guarded([&] { files_.append(record_, text, durable); });
    }

    void log(spdlog::level::level_enum level, const std::string& message) {
        if (log_) log_->log(level, printable(message));
    }

    // What the run came to, so that a list of runs needs no artifacts. `main`: the metrics of the stages that no other stage of the run
    // reads.
    std::string metrics_event(const Dag& dag, const RunResult& result) const {
        std::set<NodeId> read;
        for (const auto& node : result.nodes)
            for (const Input& input : dag.nodes[node.node].inputs) read.insert(input.from);
        Json metrics = Json::object(), main = Json::array();
        for (const auto& node : result.nodes) {
            if (!node.key || !succeeded(node.state) || !node.not_kept.empty() || !has_metrics(dag.nodes[node.node])) continue;
            const auto header = store_.header(*node.key);
            if (!header) continue;
            const std::vector<std::string> columns = metric_columns(dag.nodes[node.node].name, header->metrics);
            auto column = columns.begin();
            for (const auto& [port, values] : header->metrics) {
                for (const auto& [name, value] : values) {
                    metrics[*column] = value;
                    if (!read.contains(node.node) && !is_detail(name)) main.push_back(*column);
                    ++column;
                }
            }
        }
        return dump_json({{"event", "metrics"}, {"wall_time", wall_time()}, {"metrics", std::move(metrics)}, {"main", std::move(main)}});
    }

    // Updates the links to the artifacts and the history of the stages.
    void bring_up_to_date(const Dag& dag, const RunResult& result) {
        guarded([&] {
            const auto current = current_artifacts(dag, result);
            const auto warn = [this](const std::string& text) { warnings_.warning(text); };
            link_results(folders_.results, dag, current, folders_.store, files_, warn);
            link_files(folders_.results / file_name_of(dag.name), dag, current, folders_.store, files_, warn);
            remember_results_folder(folders_.store, folders_.results, files_);
        }, "the links in the results folder are");
        guarded([&] {
            const Digest state = state_digest(dag, result);
            const auto before = index_.history(dag.name, kStateStage);
            if (result.count(NodeState::Ran) == 0 && before && before->key == state) return;
            const Index::Batch batch(index_);
            bool changed = false;
            for (const auto& node : result.nodes)
                if (node.key && succeeded(node.state)) changed = remember(dag, node) || changed;
            if (changed) index_.put_history(dag.name, kStateStage, StageHistory{state, {}, 0, 0});
        });
    }

    std::vector<CurrentArtifact> current_artifacts(const Dag& dag, const RunResult& result) const {
        std::vector<CurrentArtifact> current;
        for (const auto& node : result.nodes)
            if (node.key && succeeded(node.state) && node.not_kept.empty())  // else the store does not have it
                current.emplace_back(dag.nodes[node.node].name, store_.path_of(*node.key).native());
        return current;
    }

    // Returns whether the index changed.
    bool remember(const Dag& dag, const NodeResult& node) {
        const std::string& name = dag.nodes[node.node].name;
        const auto before = index_.history(dag.name, name);
        if (node.state == NodeState::Reused && before && before->key == *node.key) return false;
        const bool several_jobs = node.job && node.job->attempts > 1;
        const bool whole = node.state == NodeState::Ran && node.resumed_from.empty() && !several_jobs;  // the time of an uninterrupted attempt
        const double seconds = whole ? node.seconds : before ? before->seconds : 0;
        index_.put_history(dag.name, name, StageHistory{*node.key, node.recipe, seconds, before ? before->peak_bytes : 0});
        return true;
    }

    template <typename Work>
    void guarded(const Work& work, std::string_view what = "the run's record is") {
        try {
            work();
        } catch (const std::exception& error) {
            warn_incomplete(what, describe(error));
        }
    }
    void warn_incomplete(std::string_view what, const std::string& why) {
        if (!std::exchange(warned_, true)) warnings_.warning(fmt::format("{} incomplete: {}", what, first_line(why)));
    }

    struct Events {
        std::string text;  // lines
        bool durable = false;
    };

    const RunFolders folders_;
    const std::string id_;
    const std::filesystem::path record_;
    FileSystem& files_;
    Index& index_;
    Store& store_;
    Observer& warnings_;
    const std::function<std::string(const Dag&)> environment_;
    const std::filesystem::path source_folder_;
    const bool save_diff_;
    JsonEvents events_;
    std::optional<GitQuery> git_;  // from the first stage's start until its answer is written
    std::vector<std::string> waiting_;  // events, until the folder is there
    std::vector<NodeResult> reused_early_;
    std::optional<Events> together_;    // while several are reported at once
    std::unique_ptr<spdlog::logger> log_;
    bool opened_ = false;
    bool sweeping_ = false;
    bool asked_git_ = false;
    bool warned_ = false;
};

}  // namespace

std::unique_ptr<Observer> run_record(RunFolders folders, RunInfo info, FileSystem& files, Index& index, Store& store,
                                     Observer& warnings) {
    return std::make_unique<RunRecord>(std::move(folders), std::move(info), files, index, store, warnings);
}

}  // namespace satdl
