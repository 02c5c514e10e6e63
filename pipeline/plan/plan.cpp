// One pass in the DAG's order: a node whose inputs' digests are all known has a key, and whether the store has that key decides.
// A node below one that runs is Unknown, not Run: what runs may yield the bytes that it yielded before.
//
// As long as every node is reused, what the last run made of them is not looked up: only reasons and causes need it. If all are reused, the
// digest of all their keys tells whether anything changed.
#include "pipeline/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "pipeline/plan/placement.h"
#include "pipeline/plan/recipe_diff.h"
#include "pipeline/plan/run_state.h"
#include "pipeline/plan/stage_key.h"

namespace satdl {
namespace {

// The changes of the node itself, then those from which the changes of its inputs come.
std::vector<Cause> causes_of(const Node& node, NodeId id, const std::vector<RecipeDifference>& differences,
                             const std::vector<std::vector<Cause>>& upstream) {
    std::vector<Cause> own, inherited;
    for (const RecipeDifference& one : differences) {
        const auto input = std::ranges::find_if(node.inputs, [&](const Input& each) { return one.part == "input " + each.port; });
        const auto position = static_cast<std::size_t>(input - node.inputs.begin());
        if (input == node.inputs.end() || upstream.empty() || upstream[position].empty()) {
            own.push_back({id, one.text});
            continue;
        }
        for (const Cause& cause : upstream[position])
            if (std::ranges::find(inherited, cause) == inherited.end()) inherited.push_back(cause);
    }
    own.insert(own.end(), inherited.begin(), inherited.end());
    return own;
}

// "epochs: 10 -> 20, noise_factor: 0.4 -> 0.2 (in noisy), and 2 other changes", of the node `id`: its first change, and the first of its
// inputs, so that neither hides the other; if there are only its own, or only theirs, the first two.
std::string text_of(const std::vector<Cause>& causes, NodeId id, const Dag& dag) {
    const auto text_of_one = [&](const Cause& cause) {
        return cause.node == id ? cause.text : fmt::format("{} (in {})", cause.text, dag.nodes[cause.node].name);
    };
    std::string text = text_of_one(causes.front());
    if (causes.size() == 1) return text;
    const auto of_inputs = std::ranges::find_if(causes.begin() + 1, causes.end(), [&](const Cause& cause) { return cause.node != id; });
    text += ", " + text_of_one(of_inputs == causes.end() ? causes[1] : *of_inputs);
    const std::size_t others = causes.size() - 2;
    if (others > 0) text += fmt::format(", and {} other change{}", others, others == 1 ? "" : "s");
    return text;
}

std::string reason_to_run(const Dag& dag, const PlannedNode& planned, const std::optional<PreviousRun>& last) {
    if (!last) return "no result yet";  // it may have failed, or been stopped
    return planned.causes.empty() ? "its artifact is missing from the store" : text_of(planned.causes, planned.node, dag);
}

// Why a training that is longer than the last time starts over all the same.
std::string reason_to_start_over(const Continuation& continuation, const std::optional<PreviousRun>& last) {
    const auto before = last ? target_of(last->recipe, continuation) : std::nullopt;
    if (!before || *before >= continuation.target) return "";
    return "; from the start: " + (continuation.blocker.empty() ? "there is no final checkpoint of the shorter training" : continuation.blocker);
}

std::string_view singular(std::string_view plural) { return plural.substr(0, plural.size() - (plural.ends_with('s') ? 1 : 0)); }

std::string_view name_of_final_checkpoint(std::int64_t its_target, std::int64_t target) {
    if (its_target < target) return "final checkpoint of a shorter training";
    return its_target == target ? "its own final checkpoint" : "final checkpoint of a longer training that stopped there";
}

// Where it starts, and why it runs at all. Precondition: recipe and key are known, and it must run.
void decide_start(const Dag& dag, PlannedNode& planned, const std::optional<PreviousRun>& last, CacheView& cache) {
    const Node& node = dag.nodes[planned.node];
    planned.because = reason_to_run(dag, planned, last);
    if (last) planned.expected_seconds = last->seconds;
    const auto continuation = continuation_of(node, *planned.recipe);
    const auto checkpoint = cache.checkpoint(*planned.key);
    const auto end = continuation && continuation->blocker.empty() ? cache.final_checkpoint(*continuation) : std::nullopt;
    switch (choose_start(checkpoint, end)) {
        case Start::Beginning:
            if (continuation) planned.because += reason_to_start_over(*continuation, last);
            break;
        case Start::Checkpoint:
            planned.action = Action::Resume;
            planned.because = fmt::format("interrupted at {}", checkpoint->text());
            planned.starts_from = checkpoint;
            break;
        case Start::FinalCheckpoint:
            planned.action = Action::Continue;
            planned.because = fmt::format("from {} {} of {} ({})", singular(continuation->param), end->epoch, continuation->target,
                                          name_of_final_checkpoint(end->epochs, continuation->target));
            if (planned.expected_seconds && target_of(last->recipe, *continuation) == end->epochs)
                *planned.expected_seconds *= static_cast<double>(continuation->target) / static_cast<double>(end->epochs);
            planned.starts_from = end;
            planned.starts_from->epochs = continuation->target;
            break;
    }
}

// Takes what the store has under its key, if it has that. Precondition: recipe and key are known.
bool reuse(PlannedNode& planned, CacheView& cache) {
    auto stored = cache.outcome(*planned.key);
    if (!stored) return false;
    planned.outputs = std::move(stored->ports);
    planned.warnings = std::move(stored->warnings);
    planned.is_remote = stored->is_remote;
    planned.action = Action::Reuse;
    planned.expected_seconds.reset();
    return true;
}

constexpr const char* kNothingChanged = "nothing changed";

std::string reason_to_reuse(const PlannedNode& planned, const std::optional<PreviousRun>& last) {
    if (last && last->recipe == *planned.recipe) return kNothingChanged;
    return planned.is_remote ? kFoundInRemote : "found in the store, made by another run";
}

class Planner {
public:
    Planner(const Dag& dag, const Request& request, const Machine& machine, CacheView& cache)
        : dag_(dag), machine_(machine), cache_(cache), selection_(select(dag, request)), facts_(dag.nodes.size()) {}

    Plan make() {
        SATDL_CHECK(dag_.types.size() == dag_.nodes.size(), "a DAG has its types before it is planned");
        std::vector<bool> requested_nodes;
        for (const Part part : selection_.parts) requested_nodes.push_back(part != Part::Excluded);
        file_digests_ = digests_of_files(dag_, requested_nodes, cache_);
        if (cache_.is_slow()) look_up_by_level();
        plan_.nodes.reserve(dag_.nodes.size());
        for (NodeId id = 0; id < dag_.nodes.size(); ++id) {
            if (selection_.parts[id] == Part::ReadOnly) look_up(id);
            if (selection_.parts[id] == Part::Included) plan(id);
        }
        if (only_reused_) explain_unless_unchanged();
        return std::move(plan_);
    }

private:
    // What a node's consumers must know of it.
    struct Fact {
        std::optional<PortDigests> outputs;
        std::optional<NodeId> runs;  // it, or the ancestor of it, that runs: the reason why `outputs` is unknown
        bool unavailable = false;    // unknown, and must not run
        std::vector<Cause> causes{};
    };

    // The same pass, but without decisions, so that all keys that are known together are looked up together: first those of the nodes that
    // read no others, then those of the nodes that read these, ...
    void look_up_by_level() {
        std::vector<std::vector<NodeId>> levels;
        std::vector<std::size_t> level(dag_.nodes.size());
        for (NodeId id = 0; id < dag_.nodes.size(); ++id) {
            if (selection_.parts[id] == Part::Excluded || selection_.forced[id]) continue;
            for (const Input& input : dag_.nodes[id].inputs) level[id] = std::max(level[id], level[input.from] + 1);
            if (level[id] >= levels.size()) levels.resize(level[id] + 1);
            levels[level[id]].push_back(id);
        }
        for (const std::vector<NodeId>& nodes : levels) {
            std::vector<std::pair<NodeId, Digest>> known;
            std::vector<Digest> keys;
            for (const NodeId id : nodes) {
                const Node& node = dag_.nodes[id];
                const auto inputs = inputs_of(node);
                if (!inputs) continue;
                const auto last = node.command && !node.command->versions.empty() ? cache_.previous_run(node) : std::nullopt;
                const Recipe recipe = recipe_of(dag_, node, resolve_threads(dag_, id, machine_), machine_, *inputs, file_digests_[id],
                                                last ? &last->recipe : nullptr);
                known.emplace_back(id, keys.emplace_back(key_of(recipe)));
            }
            cache_.look_up(keys);
            for (const auto& [id, key] : known)
                if (auto stored = cache_.outcome(key)) facts_[id].outputs = std::move(stored->ports);
        }
        facts_.assign(dag_.nodes.size(), {});
    }

    PlannedNode begin(NodeId id) {
        PlannedNode planned;
        planned.node = id;
        planned.threads = resolve_threads(dag_, id, machine_);
        planned.forced = selection_.forced[id];
        planned.file_digests = std::move(file_digests_[id]);
        return planned;
    }

    std::optional<std::vector<Digest>> inputs_of(const Node& node) const {
        std::vector<Digest> digests;
        for (const Input& input : node.inputs) {
            const Fact& fact = facts_[input.from];
            if (!fact.outputs) return std::nullopt;
            const auto digest = fact.outputs->find(input.from_port);
            SATDL_CHECK(digest != fact.outputs->end(), "an outcome has every declared port");
            digests.push_back(digest->second);
        }
        return digests;
    }

    std::vector<std::vector<Cause>> causes_above(const Node& node) const {
        std::vector<std::vector<Cause>> causes;
        for (const Input& input : node.inputs) causes.push_back(facts_[input.from].causes);
        return causes;
    }

    // What changed in the node itself, whatever becomes of its inputs.
    std::vector<Cause> own_causes(const PlannedNode& planned) {
        const Node& node = dag_.nodes[planned.node];
        const auto last = cache_.previous_run(node);
        if (!last) return {};
        std::vector<Digest> inputs;
        for (const Input& input : node.inputs) {
            const KeyPart* const before = find_part(last->recipe, "input " + input.port);
            const auto digest = before == nullptr ? std::nullopt : Digest::from_hex(before->value);
            inputs.push_back(digest.value_or(Digest{}));
        }
        const Recipe now = recipe_of(dag_, node, planned.threads, machine_, inputs, planned.file_digests, &last->recipe);
        return causes_of(node, planned.node, differences(last->recipe, now), {});
    }

    // "epochs: 10 -> 20; depends on noisy, which runs: noise_factor: 0.4 -> 0.2"
    std::string why_unknown(const PlannedNode& planned) {
        const NodeId above = *runs_above(dag_.nodes[planned.node]);
        const std::vector<Cause> own = own_causes(planned);
        const std::vector<Cause>& causes = facts_[above].causes;
        return fmt::format("{}depends on {}, which runs{}", own.empty() ? "" : text_of(own, planned.node, dag_) + "; ", name(above),
                           causes.empty() ? "" : ": " + text_of(causes, above, dag_));
    }

    // Adds the node to those that are reused, without its reason, if it is and all before it are.
    bool plan_reused(NodeId id, PlannedNode& planned) {
        const Node& node = dag_.nodes[id];
        const bool needs_last_run = node.command && !node.command->versions.empty();
        if (!only_reused_ || planned.forced || needs_last_run) return false;
        const auto inputs = inputs_of(node);
        SATDL_CHECK(inputs.has_value(), "what a reused node returned is known");
        planned.recipe = recipe_of(dag_, node, planned.threads, machine_, *inputs, planned.file_digests, nullptr);
        planned.key = key_of(*planned.recipe);
        if (!reuse(planned, cache_)) return false;
        facts_[id].outputs = planned.outputs;
        plan_.nodes.push_back(std::move(planned));
        return true;
    }

    // The reasons and causes of plan_reused()'s nodes, before any other node is planned.
    void explain_reused() {
        if (!std::exchange(only_reused_, false)) return;
        for (PlannedNode& planned : plan_.nodes) {
            const Node& node = dag_.nodes[planned.node];
            const auto last = cache_.previous_run(node);
            planned.because = reason_to_reuse(planned, last);
            if (last) planned.causes = causes_of(node, planned.node, differences(last->recipe, *planned.recipe), causes_above(node));
            facts_[planned.node].causes = planned.causes;
        }
    }

    void explain_unless_unchanged() {
        RunState state;
        for (const PlannedNode& planned : plan_.nodes) state.add(name(planned.node), *planned.key);
        if (!cache_.is_state_of_last_run(state.finish())) return explain_reused();
        for (PlannedNode& planned : plan_.nodes) planned.because = kNothingChanged;
    }

    // An ancestor of a single stage: in the plan if the store has it.
    void look_up(NodeId id) {
        explain_reused();
        PlannedNode planned = begin(id);
        Fact& fact = facts_[id];
        if (const auto inputs = inputs_of(dag_.nodes[id])) {
            planned.forced = false;
            decide(dag_, planned, *inputs, machine_, cache_, causes_above(dag_.nodes[id]));
            if (planned.action == Action::Reuse) {
                fact.outputs = planned.outputs;
                fact.causes = planned.causes;
                plan_.nodes.push_back(std::move(planned));
                return;
            }
        }
        fact.unavailable = true;
        fact.runs = runs_above(dag_.nodes[id]);
    }

    void plan(NodeId id) {
        const Node& node = dag_.nodes[id];
        PlannedNode planned = begin(id);
        if (plan_reused(id, planned)) return;
        explain_reused();
        if (const auto inputs = inputs_of(node)) {
            decide(dag_, planned, *inputs, machine_, cache_, causes_above(node));
        } else if (auto reason = blocker_of(node)) {
            planned.action = Action::Blocked;
            planned.because = std::move(*reason);
        } else {
            planned.action = planned.forced ? Action::Run : Action::Unknown;
            planned.because = planned.forced ? "forced" : why_unknown(planned);
        }
        Fact& fact = facts_[id];
        fact.causes = planned.causes;
        if (planned.action == Action::Reuse) fact.outputs = planned.outputs;
        if (may_run(planned.action)) fact.runs = planned.action == Action::Unknown ? runs_above(node) : id;
        if (planned.action == Action::Blocked) fact.unavailable = true;
        if (may_run(planned.action)) expect(node, planned);
        plan_.nodes.push_back(std::move(planned));
    }

    void expect(const Node& node, PlannedNode& planned) {
        if (!planned.expected_seconds) {
            if (const auto last = cache_.previous_run(node)) planned.expected_seconds = last->seconds;
        }
        if (!planned.expected_seconds) {
            planned.expected_seconds = cache_.expected_seconds(planned.key.value_or(Digest{}), node.stage->description.kind);
        }
        if (planned.starts_from && planned.expected_seconds) *planned.expected_seconds *= 1 - planned.starts_from->share();
    }

    std::optional<NodeId> runs_above(const Node& node) const {
        for (const Input& input : node.inputs) {
            if (facts_[input.from].runs) return facts_[input.from].runs;
        }
        return std::nullopt;
    }

    std::optional<std::string> blocker_of(const Node& node) const {
        for (const Input& input : node.inputs) {
            const Fact& fact = facts_[input.from];
            if (!fact.unavailable) continue;
            const std::string from = fmt::format("its input {} comes from {}, which", input.port, name(input.from));
            if (selection_.parts[input.from] == Part::Included) return from + " is blocked itself";
            if (fact.runs) {
                return fmt::format("{} may have to run again after {}: leave out -s, or name it too", from, name(*fact.runs));
            }
            return from + " has not been run with these parameters: leave out -s, or run it first";
        }
        return std::nullopt;
    }

    const std::string& name(NodeId id) const { return dag_.nodes[id].name; }

    const Dag& dag_;
    const Machine& machine_;
    CacheView& cache_;
    const Selection selection_;
    std::vector<std::vector<Digest>> file_digests_;  // by NodeId
    std::vector<Fact> facts_;                        // by NodeId
    bool only_reused_ = true;                        // so far
    Plan plan_;
};

}  // namespace

std::string_view name_of(Action action) {
    switch (action) {
        case Action::Reuse: return "reuse";
        case Action::Run: return "run";
        case Action::Resume: return "resume";
        case Action::Continue: return "continue";
        case Action::Unknown: return "unknown";
        case Action::Blocked: return "blocked";
    }
    return "";
}

Plan make_plan(const Dag& dag, const Request& request, const Machine& machine, CacheView& cache) {
    return Planner(dag, request, machine, cache).make();
}

void decide(const Dag& dag, PlannedNode& planned, const std::vector<Digest>& inputs, const Machine& machine,
            CacheView& cache, const std::vector<std::vector<Cause>>& upstream) {
    const Node& node = dag.nodes[planned.node];
    const bool was_unknown = planned.action == Action::Unknown;
    const auto last = cache.previous_run(node);
    planned.recipe = recipe_of(dag, node, planned.threads, machine, inputs, planned.file_digests, last ? &last->recipe : nullptr);
    planned.key = key_of(*planned.recipe);
    planned.action = Action::Run;
    if (last) planned.causes = causes_of(node, planned.node, differences(last->recipe, *planned.recipe), upstream);
    if (planned.forced) {
        planned.because = "forced";
        return;
    }
    if (!reuse(planned, cache)) {
        decide_start(dag, planned, last, cache);
        return;
    }
    planned.because = reason_to_reuse(planned, last);
    if (was_unknown && planned.because == kNothingChanged) planned.because = "its inputs are unchanged";
}

const PlannedNode* Plan::find(NodeId node) const {
    const auto found = std::ranges::lower_bound(nodes, node, {}, &PlannedNode::node);
    return found != nodes.end() && found->node == node ? &*found : nullptr;
}

bool Plan::blocked() const {
    return std::ranges::any_of(nodes, [](const PlannedNode& planned) { return planned.action == Action::Blocked; });
}

std::optional<double> Plan::expected_seconds() const {
    double sum = 0;
    for (const PlannedNode& planned : nodes) {
        if (!may_run(planned.action)) continue;
        if (!planned.expected_seconds) return std::nullopt;
        sum += *planned.expected_seconds;
    }
    return sum;
}

std::string to_text(const Plan& plan, const Dag& dag) {
    std::size_t width = 0;
    for (const PlannedNode& planned : plan.nodes) width = std::max(width, dag.nodes[planned.node].name.size());
    std::string text;
    for (const PlannedNode& planned : plan.nodes) {
        text += fmt::format("{:<8}  {:<{}}  {}", name_of(planned.action), dag.nodes[planned.node].name, width, planned.because);
        if (planned.expected_seconds)
            text += fmt::format(" (about {:.{}f} s)", *planned.expected_seconds, *planned.expected_seconds < 10 ? 1 : 0);
        text += '\n';
    }
    return text;
}

}  // namespace satdl
