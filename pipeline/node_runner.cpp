#include "pipeline/node_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace satdl {
namespace {

constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

std::uint64_t bytes_of(const Group& group) {
    std::uint64_t bytes = 0;
    for (const auto& [name, array] : group) bytes += array.bytes().size();
    return bytes;
}

std::uint64_t bytes_of(const Outcome& outcome, const std::string& port) {
    const auto group = outcome.outputs.find(port);
    return group == outcome.outputs.end() ? 0 : bytes_of(group->second);
}

std::uint64_t bytes_of(const Outcome& outcome) {
    std::uint64_t bytes = 0;
    for (const auto& [port, group] : outcome.outputs) bytes += bytes_of(group);
    return bytes;
}

// What the plan expects a port to carry; 0 where only running can tell.
std::uint64_t expected_bytes(const NodeTypes& types, const std::string& port) {
    const auto type = types.find(port);
    if (type == types.end() || !type->second.shape || !type->second.dtype) return 0;
    const Shape& shape = *type->second.shape;
    if (std::ranges::any_of(shape, [](std::int64_t extent) { return extent < 0; })) return 0;
    return static_cast<std::uint64_t>(element_count(shape)) * size_of(*type->second.dtype);
}

bool may_run(const PlannedNode& planned) { return planned.action == Action::Run || planned.action == Action::Unknown; }

std::string in_one_line(const Error& error) {
    std::string text;
    for (const Diagnostic& found : error.diagnostics()) {
        if (!text.empty()) text += "; ";
        text += found.hint.empty() ? found.message : fmt::format("{} ({})", found.message, found.hint);
    }
    return text;
}

}  // namespace

struct NodeRunner::Slot {
    explicit Slot(const PlannedNode& from) : planned(from), reads(may_run(from)) {}

    // Decided by settle(), before which nobody else looks at it.
    PlannedNode planned;

    // Constant once the runner is built.
    const bool reads;  // it counts among the users of its producers' outcomes
    std::vector<std::size_t> producers;
    std::vector<std::size_t> consumers;
    double path_seconds = 0;

    std::mutex loading;  // held while the outcome is brought into memory: one thread does it, the others wait for it

    // Guarded by NodeRunner::mutex_.
    NodeResult result;
    bool ended = false;
    Held outcome;              // while somebody may still want it
    std::uint64_t bytes = 0;   // of `outcome`, as counted in held_bytes_
    std::size_t users = 0;     // consumers that are not done
    bool keeping = false;      // it is still to be written
    std::vector<std::size_t> followers;
};

NodeRunner::NodeRunner(const Carrying& carrying, const Limits& limits)
    : carrying_(carrying), limits_(limits), observer_(carrying.observer), begin_seconds_(carrying.clock.seconds()),
      position_of_(carrying.dag.nodes.size(), kNowhere) {
    for (const PlannedNode& planned : carrying.plan.nodes) {
        position_of_[planned.node] = slots_.size();
        slots_.push_back(std::make_unique<Slot>(planned));
    }
    connect();
    estimate_paths();
    observer_.run_started(carrying_.dag, carrying_.plan);
}

NodeRunner::~NodeRunner() = default;

void NodeRunner::connect() {
    for (std::size_t position = 0; position < slots_.size(); ++position) {
        Slot& slot = *slots_[position];
        for (const Input& input : carrying_.dag.nodes[slot.planned.node].inputs) {
            const std::size_t from = position_of_[input.from];
            if (from == kNowhere || std::ranges::find(slot.producers, from) != slot.producers.end()) continue;
            slot.producers.push_back(from);
            slots_[from]->consumers.push_back(position);
            if (slot.reads) ++slots_[from]->users;
        }
    }
}

// A stage whose time nobody knows counts as a second, so that at least the number of stages below it counts.
void NodeRunner::estimate_paths() {
    for (std::size_t position = slots_.size(); position-- > 0;) {
        Slot& slot = *slots_[position];
        for (const std::size_t consumer : slot.consumers) {
            slot.path_seconds = std::max(slot.path_seconds, slots_[consumer]->path_seconds);
        }
        if (slot.reads) slot.path_seconds += slot.planned.expected_seconds.value_or(1.0);
    }
}

const std::vector<std::size_t>& NodeRunner::producers(std::size_t position) const { return slots_[position]->producers; }
const std::vector<std::size_t>& NodeRunner::consumers(std::size_t position) const { return slots_[position]->consumers; }
double NodeRunner::remaining_seconds(std::size_t position) const { return slots_[position]->path_seconds; }

// ---- deciding ---------------------------------------------------------------------------------------------------------

NodeRunner::Step NodeRunner::settle(std::size_t position) {
    Slot& slot = *slots_[position];
    try {
        if (slot.planned.action == Action::Blocked) {
            end_without_running(position, NodeState::Skipped, slot.planned.because);
            return Step::Settled;
        }
        if (slot.planned.action != Action::Reuse) {
            if (auto obstacle = lost_producer(position)) {
                end_without_running(position, NodeState::Skipped, std::move(*obstacle));
                return Step::Settled;
            }
            if (!slot.planned.key) decide_now(position);
        }
        if (slot.planned.action == Action::Reuse) {
            end_without_running(position, NodeState::Reused, slot.planned.because);
            return Step::Settled;
        }
        return claim_key(position);
    } catch (const std::exception& error) {
        end_without_running(position, NodeState::Failed,
                            fmt::format("{} could not be decided: {}", stage_text(carrying_.dag.nodes[slot.planned.node]), error.what()));
        return Step::Settled;
    }
}

std::optional<std::string> NodeRunner::lost_producer(std::size_t position) {
    const std::scoped_lock lock(mutex_);
    for (const std::size_t producer : slots_[position]->producers) {
        const NodeResult& result = slots_[producer]->result;
        const std::string& name = carrying_.dag.nodes[result.node].name;
        if (result.state == NodeState::Failed) return fmt::format("needs {}, which failed", name);
        if (result.state == NodeState::Stopped) return fmt::format("needs {}, which was stopped", name);
        if (result.state == NodeState::Skipped) return result.because;
    }
    return std::nullopt;
}

void NodeRunner::decide_now(std::size_t position) {
    Slot& slot = *slots_[position];
    std::vector<Digest> inputs;
    {
        const std::scoped_lock lock(mutex_);
        for (const Input& input : carrying_.dag.nodes[slot.planned.node].inputs) {
            inputs.push_back(slots_[position_of_[input.from]]->result.outputs->at(input.from_port));
        }
    }
    const std::scoped_lock lock(knowledge_mutex_);
    decide(carrying_.dag, slot.planned, inputs, carrying_.machine, carrying_.knowledge);
}

// Two nodes of one key (two stages that became the same by cutoff) run once.
NodeRunner::Step NodeRunner::claim_key(std::size_t position) {
    Slot& slot = *slots_[position];
    std::string because;
    {
        const std::scoped_lock lock(mutex_);
        if (slot.planned.forced) return Step::Run;
        const auto [claim, is_first] = by_key_.try_emplace(*slot.planned.key, position);
        if (is_first) return Step::Run;
        Slot& leader = *slots_[claim->second];
        if (!leader.ended) {
            leader.followers.push_back(position);
            return Step::Wait;
        }
        if (leader.result.state != NodeState::Ran) {
            claim->second = position;
            return Step::Run;
        }
        slot.planned.outputs = leader.result.outputs;
        if (slot.users > 0) slot.outcome = leader.outcome;
        because = fmt::format("{} has just made the same", carrying_.dag.nodes[leader.planned.node].name);
    }
    end_without_running(position, NodeState::Reused, std::move(because));
    return Step::Settled;
}

std::vector<std::size_t> NodeRunner::take_followers(std::size_t position) {
    const std::scoped_lock lock(mutex_);
    return std::exchange(slots_[position]->followers, {});
}

std::optional<std::string> NodeRunner::winding_down() {
    if (carrying_.stop.load(std::memory_order_relaxed)) return "the run was stopped before it could start";
    const std::scoped_lock lock(mutex_);
    if (!failed_ || limits_.keep_going) return std::nullopt;
    return fmt::format("not started, since {} failed", carrying_.dag.nodes[*failed_].name);
}

// ---- running ----------------------------------------------------------------------------------------------------------

Need NodeRunner::need(std::size_t position) {
    const Slot& slot = *slots_[position];
    const Node& node = carrying_.dag.nodes[slot.planned.node];
    std::uint64_t input_bytes = 0;
    {
        const std::scoped_lock lock(mutex_);
        for (const Input& input : node.inputs) {
            const Slot& from = *slots_[position_of_[input.from]];
            input_bytes += from.outcome ? bytes_of(*from.outcome, input.from_port)
                                        : expected_bytes(carrying_.plan.types[input.from], input.from_port);
        }
    }
    const StageDescription& description = node.stage->description;
    const double bytes = static_cast<double>(description.memory_fixed_bytes) +
                         description.memory_per_input_byte * static_cast<double>(input_bytes);
    return {slot.planned.threads, static_cast<std::uint64_t>(std::max(0.0, bytes))};
}

NodeRunner::Kept NodeRunner::execute(std::size_t position) {
    Slot& slot = *slots_[position];
    Attempt made;
    double started_seconds = 0;
    try {
        auto obstacle = winding_down();
        StageInputs inputs;
        if (!obstacle) obstacle = gather(position, inputs);
        if (obstacle) {
            end_without_running(position, NodeState::Skipped, std::move(*obstacle));
            return Kept::Nothing;
        }
        observer_.stage_started(carrying_.dag, slot.planned);
        started_seconds = carrying_.clock.seconds() - begin_seconds_;
        made = attempt(carrying_, observer_, slot.planned, inputs);
    } catch (const std::exception& error) {
        made.error = fmt::format("{} could not be given its inputs: {}", stage_text(carrying_.dag.nodes[slot.planned.node]), error.what());
    }
    const bool ran = made.state == NodeState::Ran;
    end_attempt(position, started_seconds, std::move(made));
    release_producers(position);
    if (ran) return Kept::Later;
    tell_finished(position);
    return Kept::Nothing;
}

// Nothing where all inputs are there, else why the node cannot run.
std::optional<std::string> NodeRunner::gather(std::size_t position, StageInputs& inputs) {
    for (const Input& input : carrying_.dag.nodes[slots_[position]->planned.node].inputs) {
        const Held held = outcome_of(position_of_[input.from]);
        if (held == nullptr) {
            if (auto lost = lost_producer(position)) return lost;
            return winding_down().value_or(fmt::format("its input {} could not be had", input.port));
        }
        inputs.emplace(input.port, held->outputs.at(input.from_port));
    }
    return std::nullopt;
}

// From memory, else from the store, else made again; nothing where that failed. Throws what the store throws.
NodeRunner::Held NodeRunner::outcome_of(std::size_t position) {
    Slot& slot = *slots_[position];
    const auto in_memory = [&] {
        const std::scoped_lock lock(mutex_);
        return slot.outcome;
    };
    if (Held held = in_memory()) return held;
    const std::scoped_lock loading(slot.loading);
    if (Held held = in_memory()) return held;
    if (!has_outcome(position)) return nullptr;  // another consumer has tried, and it could not be made again
    Held loaded;
    std::string damage = "its artifact is gone from the store";
    try {
        if (auto outcome = carrying_.store.load(*slot.planned.key)) loaded = std::make_shared<const Outcome>(std::move(*outcome));
    } catch (const DamagedObject& error) {
        damage = fmt::format("its artifact was damaged: {}", in_one_line(error));
    }
    if (loaded == nullptr) loaded = make_again(position, damage);
    const std::scoped_lock lock(mutex_);
    if (slot.users > 0) slot.outcome = loaded;
    return loaded;
}

bool NodeRunner::has_outcome(std::size_t position) {
    const std::scoped_lock lock(mutex_);
    const NodeState state = slots_[position]->result.state;
    return state == NodeState::Ran || state == NodeState::Reused;
}

// What was reused turns out not to be there: it is made again in this run, and must come out as it was recorded.
NodeRunner::Held NodeRunner::make_again(std::size_t position, const std::string& damage) {
    Slot& slot = *slots_[position];
    const Node& node = carrying_.dag.nodes[slot.planned.node];
    StageInputs inputs;
    if (winding_down() || gather(position, inputs)) return nullptr;
    observer_.stage_log(carrying_.dag, slot.planned.node, LogLevel::Warning, damage + "; it is made again");
    observer_.stage_started(carrying_.dag, slot.planned);
    const double started_seconds = carrying_.clock.seconds() - begin_seconds_;
    Attempt made = attempt(carrying_, observer_, slot.planned, inputs);
    {
        const std::scoped_lock lock(mutex_);
        if (made.state == NodeState::Ran && made.digests != slot.result.outputs) {
            made.state = NodeState::Failed;
            made.error = fmt::format("{} is not deterministic: {}, and made again it has other bytes than were recorded", stage_text(node),
                                     damage);
        }
        slot.planned.because = damage;
    }
    const Held outcome = made.state == NodeState::Ran ? made.outcome : nullptr;
    end_attempt(position, started_seconds, std::move(made));
    if (outcome != nullptr) keep(position);
    else tell_finished(position);
    return outcome;
}

// ---- keeping ----------------------------------------------------------------------------------------------------------

void NodeRunner::keep(std::size_t position) {
    Slot& slot = *slots_[position];
    Held outcome;
    {
        const std::scoped_lock lock(mutex_);
        outcome = slot.outcome;
    }
    publish(position, *outcome);
    {
        const std::scoped_lock lock(mutex_);
        slot.keeping = false;
        outcome = let_go_if_done(slot);
    }
    tell_finished(position);
}

void NodeRunner::publish(std::size_t position, const Outcome& outcome) {
    Slot& slot = *slots_[position];
    const Node& node = carrying_.dag.nodes[slot.planned.node];
    std::string not_kept;
    bool different = false;
    try {
        different = carrying_.store.publish(*slot.planned.recipe, node.stage->description, outcome) == Published::Different;
    } catch (const Error& error) {
        not_kept = in_one_line(error);
    } catch (const std::exception& error) {
        not_kept = error.what();
    }
    if (different) {
        observer_.stage_log(carrying_.dag, slot.planned.node, LogLevel::Warning,
                            "it is not deterministic: the store has other bytes of it for the same inputs and parameters, and keeps those");
    }
    const std::scoped_lock lock(mutex_);
    slot.result.not_kept = std::move(not_kept);
    slot.result.nondeterministic = different;
}

// ---- results ----------------------------------------------------------------------------------------------------------

void NodeRunner::end_without_running(std::size_t position, NodeState state, std::string text) {
    Slot& slot = *slots_[position];
    {
        const std::scoped_lock lock(mutex_);
        slot.ended = true;
        slot.result = NodeResult{.node = slot.planned.node, .state = state, .because = {}, .key = slot.planned.key,
                                 .outputs = state == NodeState::Reused ? slot.planned.outputs : std::nullopt,
                                 .recipe = slot.planned.recipe.value_or(Recipe{}), .threads = slot.planned.threads,
                                 .error = {}, .not_kept = {}};
        (state == NodeState::Failed ? slot.result.error : slot.result.because) = std::move(text);
        if (state == NodeState::Failed && !failed_) failed_ = slot.planned.node;
    }
    release_producers(position);
    tell_finished(position);
}

void NodeRunner::end_attempt(std::size_t position, double started_seconds, Attempt made) {
    Slot& slot = *slots_[position];
    const std::scoped_lock lock(mutex_);
    slot.ended = true;
    NodeResult& result = slot.result;
    result = NodeResult{.node = slot.planned.node, .state = made.state, .because = slot.planned.because, .key = slot.planned.key,
                        .outputs = std::nullopt, .recipe = slot.planned.recipe.value_or(Recipe{}), .threads = slot.planned.threads,
                        .started_seconds = started_seconds, .seconds = made.seconds, .error = std::move(made.error), .not_kept = {}};
    if (made.state == NodeState::Failed && !failed_) failed_ = slot.planned.node;
    if (made.state != NodeState::Ran) return;
    result.outputs = std::move(made.digests);
    slot.outcome = std::move(made.outcome);
    slot.bytes = bytes_of(*slot.outcome);
    held_bytes_ += slot.bytes;
    slot.keeping = true;
}

void NodeRunner::release_producers(std::size_t position) {
    const Slot& slot = *slots_[position];
    if (!slot.reads) return;
    std::vector<Held> freed;  // outside the lock: tensors take time to free
    const std::scoped_lock lock(mutex_);
    for (const std::size_t producer : slot.producers) {
        --slots_[producer]->users;
        freed.push_back(let_go_if_done(*slots_[producer]));
    }
}

// With mutex_ held. What it returns is the slot's hold on the outcome: to be let go without the lock.
NodeRunner::Held NodeRunner::let_go_if_done(Slot& slot) {
    if (slot.users > 0 || slot.keeping) return nullptr;
    held_bytes_ -= std::exchange(slot.bytes, 0);
    return std::exchange(slot.outcome, nullptr);
}

std::uint64_t NodeRunner::held_bytes() {
    const std::scoped_lock lock(mutex_);
    return held_bytes_;
}

void NodeRunner::tell_finished(std::size_t position) {
    NodeResult result;
    {
        const std::scoped_lock lock(mutex_);
        result = slots_[position]->result;
    }
    observer_.stage_finished(carrying_.dag, result);
}

RunResult NodeRunner::finish() {
    RunResult result;
    for (const auto& slot : slots_) {
        SATDL_CHECK(slot->ended, "every node has ended");
        result.nodes.push_back(slot->result);
    }
    result.seconds = carrying_.clock.seconds() - begin_seconds_;
    result.stopped = carrying_.stop.load(std::memory_order_relaxed) || result.count(NodeState::Stopped) > 0;
    result.not_told = observer_.not_told();
    observer_.run_finished(carrying_.dag, result);
    result.not_told = observer_.not_told();
    return result;
}

}  // namespace satdl
