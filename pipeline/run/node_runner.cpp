#include "pipeline/run/node_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pipeline/core/error.h"
#include "pipeline/os/sigbus_guard.h"
#include "pipeline/plan/placement.h"
#include "pipeline/run/attempt_checkpoints.h"
#include "pipeline/run/retry.h"

namespace satdl {
namespace {

std::uint64_t bytes_of(const NamedArrays& group) {
    std::uint64_t bytes = 0;
    for (const auto& [name, array] : group) bytes += array.bytes().size();
    return bytes;
}

std::uint64_t bytes_of(const StageOutput& outcome, const std::string& port) {
    const auto group = outcome.outputs.find(port);
    return group == outcome.outputs.end() ? 0 : bytes_of(group->second);
}

std::uint64_t expected_bytes(const NodeTypes& types, const std::string& port) {
    const PortType* type = types.find(port);
    return type == nullptr ? 0 : expected_bytes(*type);
}

// Of why an output is not in the store.
std::string text_of(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return in_one_line(error.what());
    } catch (const std::exception& error) {
        return describe(error);
    }
}

}  // namespace

struct NodeRunner::Slot {
    explicit Slot(const PlannedNode& from) : planned(from) {}

    PlannedNode planned;  // decided by settle(), before which no other thread reads it

    std::unique_ptr<Claim> claim;  // from execute() until it has failed or is stored
    std::string holder;            // whom it waits for, or waited for

    std::mutex loading;  // held while the output is loaded: one thread does it, the others wait for it

    // Guarded by NodeRunner::mutex_.
    NodeResult result;
    bool ended = false;
    std::vector<std::size_t> followers;
    std::size_t waits_for = 0;  // the node that it follows, if any
};

NodeRunner::NodeRunner(const RunContext& run)
    : observer_(run.observer), run_(with_observer(run, observer_)), begin_seconds_(run.clock.seconds()),
      graph_(run.dag, run.plan), live_(graph_.users()) {
    for (const PlannedNode& planned : run.plan.nodes) slots_.push_back(std::make_unique<Slot>(planned));
    run_.observer.run_started(run_.dag, run_.plan);
}

NodeRunner::~NodeRunner() = default;

// ---- deciding ---------------------------------------------------------------------------------------------------------

NodeRunner::Step NodeRunner::settle(std::size_t position) {
    Slot& slot = *slots_[position];
    try {
        if (slot.planned.action == Action::Blocked) {
            finish_without_running(position, NodeState::Skipped, slot.planned.because);
            return Step::Settled;
        }
        if (slot.planned.action != Action::Reuse) {
            if (auto reason_to_skip = failed_producer(position)) {
                finish_without_running(position, NodeState::Skipped, std::move(*reason_to_skip));
                return Step::Settled;
            }
            if (!slot.planned.key) decide_now(position);
        }
        if (slot.planned.action == Action::Reuse) {
            repeat_warnings(position, slot.planned.warnings);
            finish_without_running(position, NodeState::Reused, slot.planned.because);
            return Step::Settled;
        }
        return claim_key(position);
    } catch (const std::exception& error) {
        finish_without_running(position, NodeState::Failed,
                            fmt::format("could not decide whether it must run: {}", describe(error)));
        return Step::Settled;
    }
}

std::optional<std::string> NodeRunner::failed_producer(std::size_t position) {
    const std::scoped_lock lock(mutex_);
    for (const std::size_t producer : graph_[position].producers) {
        const NodeResult& result = slots_[producer]->result;
        const std::string& name = run_.dag.nodes[result.node].name;
        if (result.state == NodeState::Failed) return fmt::format("needs {}, which failed", name);
        if (result.state == NodeState::Stopped) return fmt::format("needs {}, which was stopped", name);
        if (result.state == NodeState::Skipped) return result.because;
    }
    return std::nullopt;
}

void NodeRunner::decide_now(std::size_t position) {
    Slot& slot = *slots_[position];
    std::vector<Digest> inputs;
    std::vector<std::vector<Cause>> causes;
    {
        const std::scoped_lock lock(mutex_);
        for (const Input& input : run_.dag.nodes[slot.planned.node].inputs) {
            const Slot& from = *slots_[graph_.position_of(input.from)];
            inputs.push_back(from.result.outputs->at(input.from_port));
            causes.push_back(from.planned.causes);
        }
    }
    const std::scoped_lock lock(cache_mutex_);
    decide(run_.dag, slot.planned, inputs, run_.machine, run_.cache, causes);
}

// Two nodes with one key (two stages that became the same by early cutoff) run once.
NodeRunner::Step NodeRunner::claim_key(std::size_t position) {
    Slot& slot = *slots_[position];
    if (slot.planned.forced) return Step::Run;
    std::string because;
    std::size_t made_by = 0;
    std::vector<std::string> warnings;
    {
        const std::scoped_lock lock(mutex_);
        const auto [claim, is_first] = by_key_.try_emplace(*slot.planned.key, position);
        if (is_first) return Step::Run;
        Slot& leader = *slots_[claim->second];
        if (!leader.ended) {
            leader.followers.push_back(position);
            slot.waits_for = claim->second;
            return Step::Wait;
        }
        if (leader.result.state != NodeState::Ran) {
            claim->second = position;
            return Step::Run;
        }
        slot.planned.outputs = leader.result.outputs;
        warnings = leader.result.warnings;
        made_by = claim->second;
        because = fmt::format("{} has the same key and just ran", run_.dag.nodes[leader.planned.node].name);
    }
    if (LiveOutput outcome = live_.find(made_by)) live_.put_loaded(position, std::move(outcome));
    repeat_warnings(position, warnings);
    finish_without_running(position, NodeState::Reused, std::move(because));
    return Step::Settled;
}

std::size_t NodeRunner::waits_for(std::size_t position) {
    const std::scoped_lock lock(mutex_);
    return slots_[position]->waits_for;
}

std::vector<std::size_t> NodeRunner::take_followers(std::size_t position) {
    const std::scoped_lock lock(mutex_);
    return std::exchange(slots_[position]->followers, {});
}

std::optional<std::string> NodeRunner::reason_not_to_start() {
    if (run_.stop.load(std::memory_order_relaxed)) return "the run was stopped before it could start";
    const std::scoped_lock lock(mutex_);
    if (!failed_ || run_.limits.keep_going) return std::nullopt;
    return fmt::format("not started because {} failed", run_.dag.nodes[*failed_].name);
}

// Whether this process may compute it. If another one does, the observer hears it once, and again if the holder changes.
bool NodeRunner::claim_from_others(std::size_t position) {
    Slot& slot = *slots_[position];
    if (run_.claims == nullptr || slot.claim != nullptr) return true;
    auto answer = run_.claims->claim(*slot.planned.key);
    if (auto* claim = std::get_if<std::unique_ptr<Claim>>(&answer)) {
        slot.claim = std::move(*claim);
        return true;
    }
    if (const std::string holder = std::get<ClaimHolder>(answer).text(); holder != slot.holder) {
        slot.holder = holder;
        run_.observer.stage_waiting(run_.dag, slot.planned, holder);
    }
    return false;
}

// Another process may have stored it since the plan was made. Precondition: it is claimed, so that none is about to.
bool NodeRunner::reuse_computed_meanwhile(std::size_t position) {
    Slot& slot = *slots_[position];
    if (run_.claims == nullptr || slot.planned.forced) return false;
    std::optional<StoredOutput> stored = run_.store.find(*slot.planned.key);
    if (!stored) return false;
    slot.claim.reset();
    slot.planned.outputs = std::move(stored->ports);
    slot.planned.is_remote = stored->is_remote;
    repeat_warnings(position, stored->warnings);
    finish_without_running(position, NodeState::Reused,
                           slot.holder.empty() ? "another process computed it meanwhile" : fmt::format("{} computed it", slot.holder));
    return true;
}

std::optional<NodeRunner::Step> NodeRunner::try_again(std::size_t position) {
    if (reason_not_to_start()) return Step::Run;
    Slot& slot = *slots_[position];
    try {
        if (!claim_from_others(position)) return std::nullopt;
        if (reuse_computed_meanwhile(position)) return Step::Settled;
        if (!slot.planned.forced) choose_start_again(run_, slot.planned);
        return Step::Run;
    } catch (const std::exception& error) {
        slot.claim.reset();
        finish_without_running(position, NodeState::Failed,
                               fmt::format("could not decide whether it must run: {}", describe(error)));
        return Step::Settled;
    }
}

// ---- running ----------------------------------------------------------------------------------------------------------

ResourceRequest NodeRunner::resources_for(std::size_t position) {
    const Slot& slot = *slots_[position];
    const Node& node = run_.dag.nodes[slot.planned.node];
    std::uint64_t input_bytes = 0;
    for (const Input& input : node.inputs) {
        const LiveOutput held = live_.find(graph_.position_of(input.from));
        input_bytes += held ? bytes_of(*held, input.from_port) : expected_bytes(run_.dag.types[input.from], input.from_port);
    }
    const std::uint64_t large = node.policy.isolated() ? 0 : run_.limits.large_array_bytes;  // what another process gives is in memory
    const std::uint64_t bytes = declared_memory(node.stage->description, input_bytes, run_.dag.types[slot.planned.node], large);
    const Gpu* gpu = gpu_of(node, run_.machine);
    return {slot.planned.threads, bytes, gpu != nullptr ? gpu->count : 0};
}

NodeRunner::AfterExecution NodeRunner::execute(std::size_t position, int gpu) {
    Slot& slot = *slots_[position];
    slot.planned.gpu = gpu;
    Attempt made;
    double started_seconds = 0;
    try {
        auto reason_to_skip = reason_not_to_start();
        if (!reason_to_skip && !claim_from_others(position)) return AfterExecution::Waiting;
        if (!reason_to_skip && reuse_computed_meanwhile(position)) return AfterExecution::Done;
        StageInputs inputs;
        if (!reason_to_skip) reason_to_skip = collect_inputs(position, inputs);
        if (reason_to_skip) {
            slot.claim.reset();
            finish_without_running(position, NodeState::Skipped, std::move(*reason_to_skip));
            return AfterExecution::Done;
        }
        run_.observer.stage_started(run_.dag, slot.planned);
        started_seconds = run_.clock.seconds() - begin_seconds_;
        made = run_watching_files(slot.planned, inputs);
    } catch (const std::exception& error) {
        made.error = fmt::format("could not load its inputs: {}", describe(error));
    }
    const bool ran = made.state == NodeState::Ran;
    finish_attempt(position, started_seconds, std::move(made));
    release_producers(position);
    if (ran) return AfterExecution::Store;
    slot.claim.reset();
    report_finished(position);
    return AfterExecution::Done;
}

// If a file changes while a stage reads it, the output would be stored under the key of the old content.
Attempt NodeRunner::run_watching_files(const PlannedNode& planned, const StageInputs& inputs) {
    const Node& node = run_.dag.nodes[planned.node];
    if (node.files.empty()) return run_with_retries(run_, planned, inputs);
    std::unique_lock lock(cache_mutex_);
    const WatchedFiles watched(node, planned.file_digests, run_.cache);
    lock.unlock();
    Attempt made = run_with_retries(run_, planned, inputs);
    if (made.state != NodeState::Ran) return made;
    lock.lock();
    if (const auto changed = watched.changed()) {
        Attempt failed;
        failed.error = fmt::format("{}, so its output is discarded: {}", *changed,
                                   node.command ? "its program must not write there; if it was another one, run again"
                                                : "run again when nothing writes to that file");
        failed.library = made.library;
        failed.number = made.number;
        failed.seconds = made.seconds;
        failed.usage = made.usage;
        return failed;
    }
    return made;
}

// nullopt if all inputs are there, else why the node cannot run.
std::optional<std::string> NodeRunner::collect_inputs(std::size_t position, StageInputs& inputs) {
    for (const Input& input : run_.dag.nodes[slots_[position]->planned.node].inputs) {
        const LiveOutput held = output_of(graph_.position_of(input.from));
        if (held == nullptr) {
            if (auto lost = failed_producer(position)) return lost;
            return reason_not_to_start().value_or(fmt::format("its input {} is not available", input.port));
        }
        inputs.emplace(input.port, held->outputs.at(input.from_port));
    }
    return std::nullopt;
}

// From memory, else from the store, else rebuilt; nullptr if that failed. Throws what the store throws.
LiveOutput NodeRunner::output_of(std::size_t position) {
    Slot& slot = *slots_[position];
    if (LiveOutput held = find_intact(position)) return held;
    const std::scoped_lock loading(slot.loading);
    if (LiveOutput held = find_intact(position)) return held;
    if (!has_output(position)) return nullptr;  // another consumer has tried, and it could not be rebuilt
    LiveOutput loaded;
    std::string damage =
        slot.planned.is_remote ? "its artifact cannot be had from the remote" : "its artifact disappeared from the store";
    try {
        if (auto outcome = run_.store.load(*slot.planned.key)) loaded = std::make_shared<const StageOutput>(std::move(*outcome));
    } catch (const DamagedArtifact& error) {
        damage = fmt::format("its artifact was damaged: {}", in_one_line(error.what()));
    }
    if (loaded == nullptr) return rebuild(position, damage);
    live_.put_loaded(position, loaded);
    return loaded;
}

// Also nullptr if it is in a file that changed after it was mapped.
LiveOutput NodeRunner::find_intact(std::size_t position) {
    LiveOutput held = live_.find(position);
    if (held != nullptr && MappingWatch(held->outputs).changed()) return nullptr;
    return held;
}

bool NodeRunner::has_output(std::size_t position) {
    const std::scoped_lock lock(mutex_);
    return succeeded(slots_[position]->result.state);
}

// A reused artifact turns out to be missing: it is rebuilt in this run, and must be the same as recorded.
LiveOutput NodeRunner::rebuild(std::size_t position, const std::string& damage) {
    Slot& slot = *slots_[position];
    StageInputs inputs;
    if (reason_not_to_start() || collect_inputs(position, inputs)) return nullptr;
    run_.observer.stage_log(run_.dag, slot.planned.node, LogLevel::Warning, damage + "; rebuilding it");
    run_.observer.stage_started(run_.dag, slot.planned);
    const double started_seconds = run_.clock.seconds() - begin_seconds_;
    PlannedNode again = slot.planned;
    choose_start_again(run_, again);
    Attempt made = run_watching_files(again, inputs);
    {
        const std::scoped_lock lock(mutex_);
        if (made.state == NodeState::Ran && made.digests != slot.result.outputs) {
            made.state = NodeState::Failed;
            made.error = fmt::format("it is not deterministic: {}, and the rebuilt one differs from what was recorded", damage);
        }
        slot.planned.because = damage;
    }
    const LiveOutput outcome = made.state == NodeState::Ran ? made.outcome : nullptr;
    finish_attempt(position, started_seconds, std::move(made));
    if (outcome != nullptr) store({&position, 1});
    else report_finished(position);
    return outcome;
}

// ---- storing ----------------------------------------------------------------------------------------------------------

void NodeRunner::store(std::span<const std::size_t> positions) {
    publish(positions);
    std::vector<NodeResult> results;
    for (const std::size_t position : positions) {
        live_.written(position);
        slots_[position]->claim.reset();
        results.push_back(result_of(position));
    }
    run_.observer.stages_finished(run_.dag, results);
}

void NodeRunner::publish(std::span<const std::size_t> positions) {
    MappingWatch use;
    std::vector<LiveOutput> outputs;
    std::vector<NewArtifact> artifacts;
    for (const std::size_t position : positions) {
        const PlannedNode& planned = slots_[position]->planned;
        outputs.push_back(live_.find(position));
        use.add(outputs.back()->outputs);
        artifacts.push_back({*planned.recipe, run_.dag.nodes[planned.node].stage->description, *outputs.back()});
    }
    std::vector<PublishResult> published;
    try {
        published = run_.store.publish_all(artifacts);
    } catch (...) {  // memory is short
        published.assign(positions.size(), std::current_exception());
    }
    for (std::size_t i = 0; i < positions.size(); ++i) {
        Slot& slot = *slots_[positions[i]];
        const auto* const failure = std::get_if<std::exception_ptr>(&published[i]);
        std::string not_kept = failure != nullptr ? text_of(*failure) : remove_checkpoints(slot.planned);
        const bool different = failure == nullptr && std::get<Published>(published[i]) == Published::Different;
        if (different) {
            run_.observer.stage_log(run_.dag, slot.planned.node, LogLevel::Warning,
                                    "it is not deterministic: the store already has a different result for the same inputs and "
                                    "parameters, which stays");
        }
        const std::scoped_lock lock(mutex_);
        slot.result.not_kept = std::move(not_kept);
        slot.result.nondeterministic = different;
    }
}

// Of a node that is stored. Returns what went wrong.
std::string NodeRunner::remove_checkpoints(const PlannedNode& planned) {
    try {
        if (run_.checkpoints != nullptr) run_.checkpoints->remove(*planned.key);
        return {};
    } catch (...) {
        return text_of(std::current_exception());
    }
}

// ---- results ----------------------------------------------------------------------------------------------------------

void NodeRunner::finish_without_running(std::size_t position, NodeState state, std::string text) {
    Slot& slot = *slots_[position];
    {
        const std::scoped_lock lock(mutex_);
        slot.ended = true;
        slot.result = NodeResult{.node = slot.planned.node, .state = state, .because = {}, .key = slot.planned.key,
                                 .outputs = state == NodeState::Reused ? slot.planned.outputs : std::nullopt,
                                 .recipe = slot.planned.recipe.value_or(Recipe{}), .threads = slot.planned.threads,
                                 .resumed_from = {}, .error = {}, .not_kept = {}};
        (state == NodeState::Failed ? slot.result.error : slot.result.because) = std::move(text);
        if (state == NodeState::Failed && !failed_) failed_ = slot.planned.node;
    }
    release_producers(position);
    report_finished(position);
}

// Of a reused output: a run from nothing would have shown them.
void NodeRunner::repeat_warnings(std::size_t position, const std::vector<std::string>& warnings) {
    for (const std::string& warning : warnings)
        run_.observer.stage_log(run_.dag, slots_[position]->planned.node, LogLevel::Warning, warning);
}

void NodeRunner::finish_attempt(std::size_t position, double started_seconds, Attempt made) {
    Slot& slot = *slots_[position];
    std::vector<std::string> warnings;
    if (made.state == NodeState::Ran) {
        warnings = made.outcome->warnings;
        live_.put_computed(position, std::move(made.outcome));
    }
    const std::scoped_lock lock(mutex_);
    slot.ended = true;
    NodeResult& result = slot.result;
    result = NodeResult{.node = slot.planned.node, .state = made.state, .because = slot.planned.because, .key = slot.planned.key,
                        .outputs = std::nullopt, .recipe = slot.planned.recipe.value_or(Recipe{}), .threads = slot.planned.threads,
                        .resumed_from = std::move(made.resumed_from), .started_seconds = started_seconds, .seconds = made.seconds,
                        .error = std::move(made.error), .attempt = made.number, .attempts = run_.dag.nodes[slot.planned.node].policy.retries + 1,
                        .library = made.library, .usage = made.usage, .not_kept = {}};
    if (made.state == NodeState::Failed && !failed_) failed_ = slot.planned.node;
    result.warnings = std::move(warnings);
    if (made.state == NodeState::Ran) result.outputs = std::move(made.digests);
}

void NodeRunner::release_producers(std::size_t position) {
    if (!graph_[position].may_run) return;
    for (const std::size_t producer : graph_[position].producers) live_.user_done(producer);
}

void NodeRunner::report_finished(std::size_t position) { run_.observer.stage_finished(run_.dag, result_of(position)); }

NodeResult NodeRunner::result_of(std::size_t position) {
    const std::scoped_lock lock(mutex_);
    return slots_[position]->result;
}

bool NodeRunner::is_elsewhere(std::size_t position) {
    const NodeResult result = result_of(position);
    return result.state == NodeState::Reused && !run_.store.is_here(*result.key);
}

// What cannot be fetched is made.
void NodeRunner::fetch_wanted() {
    std::vector<std::size_t> positions;
    std::vector<Digest> keys;
    for (std::size_t position = 0; position < slots_.size() && !run_.wanted.empty(); ++position) {
        if (!std::ranges::binary_search(run_.wanted, slots_[position]->planned.node) || !is_elsewhere(position)) continue;
        positions.push_back(position);
        keys.push_back(*slots_[position]->planned.key);
    }
    std::string fault = "the run was stopped before it was fetched";
    try {
        if (!positions.empty() && !run_.stop) run_.store.fetch(keys);
        for (const std::size_t position : positions)
            if (!run_.stop && is_elsewhere(position)) (void)output_of(position);
    } catch (const std::exception& error) {
        fault = in_one_line(describe(error));
    }
    for (const std::size_t position : positions) {
        if (!is_elsewhere(position)) continue;
        const std::scoped_lock lock(mutex_);
        slots_[position]->result.not_kept = fault;
    }
}

RunResult NodeRunner::finish() {
    fetch_wanted();
    RunResult result;
    result.nodes.reserve(slots_.size());
    for (const auto& slot : slots_) {
        SATDL_CHECK(slot->ended, "every node has ended");
        result.nodes.push_back(std::move(slot->result));
    }
    result.seconds = run_.clock.seconds() - begin_seconds_;
    result.stopped = run_.stop.load(std::memory_order_relaxed) || result.count(NodeState::Stopped) > 0;
    result.observer_error = observer_.observer_error();
    run_.observer.run_finished(run_.dag, result);
    result.observer_error = observer_.observer_error();
    return result;
}

}  // namespace satdl
