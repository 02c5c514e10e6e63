// Stages small enough to think about: they compute with short lists of int64, in this process and without a library; DAGs of
// them are made in C++. For the tests of the plan and of the schedule.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/catalog/catalog.h"
#include "pipeline/dag/dag.h"
#include "pipeline/dag/type_inference.h"
#include "pipeline/plan/plan.h"
#include "pipeline/run/scheduler.h"
#include "tests/support/typed_params.h"

namespace satdl::test {

using Numbers = std::vector<std::int64_t>;

inline NamedArrays as_group(const Numbers& numbers) {
    return {{"", Array::of<std::int64_t>({static_cast<std::int64_t>(numbers.size())}, numbers)}};
}
inline Numbers as_numbers(const NamedArrays& group) {
    const auto values = group.at("").values<std::int64_t>();
    return {values.begin(), values.end()};
}

// The contents of source files, by path: what a disk would hold.
using Files = std::map<std::string, Numbers>;

// What a tiny stage does, without an engine around it: parameter `k`, the ports that are connected, its file.
using TinyFunction = std::map<std::string, Numbers> (*)(std::int64_t k, const std::map<std::string, Numbers>& in, const Numbers& file);

struct TinyStage {
    StageDescription description;
    TinyFunction run;
};

namespace tiny {

inline constexpr std::int64_t kModulus = 1009;

inline Numbers mapped(const Numbers& numbers, const std::function<std::int64_t(std::int64_t)>& function) {
    Numbers result;
    for (const std::int64_t number : numbers) result.push_back(function(number));
    return result;
}

inline std::map<std::string, Numbers> read(std::int64_t, const std::map<std::string, Numbers>&, const Numbers& file) {
    return {{"out", file}};
}
inline std::map<std::string, Numbers> make(std::int64_t k, const std::map<std::string, Numbers>&, const Numbers&) {
    return {{"out", {k, k + 1, k + 2}}};
}
// y is optional.
inline std::map<std::string, Numbers> add(std::int64_t k, const std::map<std::string, Numbers>& in, const Numbers&) {
    Numbers sum = in.at("x");
    for (std::size_t i = 0; i < sum.size(); ++i) {
        const auto y = in.find("y");
        const std::int64_t more = y == in.end() || y->second.empty() ? 0 : y->second[i % y->second.size()];
        sum[i] = (sum[i] + more + k) % kModulus;
    }
    return {{"out", sum}};
}
// These two drop information: what is above them may change and they stay the same.
inline std::map<std::string, Numbers> coarse(std::int64_t k, const std::map<std::string, Numbers>& in, const Numbers&) {
    return {{"out", mapped(in.at("x"), [k](std::int64_t number) { return number / (64 * (k + 1)); })}};
}
inline std::map<std::string, Numbers> parity(std::int64_t, const std::map<std::string, Numbers>& in, const Numbers&) {
    std::int64_t sum = 0;
    for (const std::int64_t number : in.at("x")) sum += number;
    return {{"out", {sum % 2}}};
}
// Two outputs: one may change without the other.
inline std::map<std::string, Numbers> split(std::int64_t k, const std::map<std::string, Numbers>& in, const Numbers&) {
    return {{"low", mapped(in.at("x"), [](std::int64_t number) { return number % 8; })},
            {"high", mapped(in.at("x"), [k](std::int64_t number) { return number / 8 + k; })}};
}

inline StageDescription describe(std::string kind, std::vector<PortDescription> inputs, std::vector<std::string> outputs) {
    StageDescription made;
    made.kind = std::move(kind);
    made.inputs = std::move(inputs);
    for (std::string& output : outputs) made.outputs.push_back({.name = std::move(output), .dtypes = {DType::Int64}});
    made.params = {{.name = "k", .type = ParamType::Integer, .fallback = "0"},
                   {.name = "note", .type = ParamType::Text, .fallback = "null", .changes_result = false},
                   {.name = "threads", .type = ParamType::Threads, .fallback = "1"}};
    return made;
}

inline std::map<std::string, TinyStage> all_stages() {
    const PortDescription x{.name = "x", .dtypes = {DType::Int64}};
    const PortDescription y{.name = "y", .dtypes = {DType::Int64}, .optional = true};
    std::map<std::string, TinyStage> stages;
    const auto enter = [&stages](StageDescription description, TinyFunction run) {
        stages.emplace(description.kind, TinyStage{description, run});
    };
    StageDescription reads = describe("read", {}, {"out"});
    reads.params.push_back({.name = "path", .type = ParamType::File});
    enter(std::move(reads), read);
    enter(describe("make", {}, {"out"}), make);
    enter(describe("add", {x, y}, {"out"}), add);
    enter(describe("coarse", {x}, {"out"}), coarse);
    enter(describe("parity", {x}, {"out"}), parity);
    StageDescription walks = describe("walk", {}, {"out"});
    walks.params.push_back({.name = "steps", .type = ParamType::Integer, .fallback = "1", .continues = true, .continues_unless = {{"way", {"own"}}}});
    walks.params.push_back({.name = "way", .type = ParamType::Choice, .fallback = "common", .choices = {"common", "own"}});
    enter(std::move(walks), make);
    enter(describe("split", {x}, {"low", "high"}), split);
    return stages;
}

}  // namespace tiny

inline const std::map<std::string, TinyStage>& tiny_stages() {
    static const auto stages = tiny::all_stages();
    return stages;
}

inline const Catalog& tiny_catalog() {
    static const Catalog catalog = [] {
        LibraryManifest manifest;
        manifest.library = "libtiny_stages.so";
        manifest.name = "tiny";
        for (const auto& [kind, stage] : tiny_stages()) manifest.stages.push_back(stage.description);
        Catalog made;
        made.add(std::move(manifest));
        return made;
    }();
    return catalog;
}

// add("sum", "add", {{"k", 3}}, {{"x", "a.out"}}): nodes in topological order.
class DagBuilder {
public:
    using Edges = std::vector<std::pair<std::string, std::string>>;

    DagBuilder& add(const std::string& name, const std::string& kind, const std::map<std::string, ConfigValue>& params = {}, const Edges& edges = {}) {
        Node node;
        node.name = name;
        node.group = name.substr(0, name.find('@'));
        node.stage = tiny_catalog().find(kind);
        if (node.stage == nullptr) throw std::logic_error("no tiny stage " + kind);
        std::map<std::string, ParamValue> values;
        for (const ParamDescription& param : node.stage->description.params) {
            const auto given = params.find(param.name);
            const bool left_out = given == params.end();
            const ConfigValue fallback = param.fallback && *param.fallback != "null" ? ConfigValue::scalar(*param.fallback) : ConfigValue();
            values.emplace(param.name, typed(param, left_out ? fallback : given->second));
        }
        if (params.contains("path")) {
            SourceFile file;
            file.role = "path";
            file.path = params.at("path").text();
            node.files.push_back(file);
        }
        node.params = Params(std::move(values));
        for (const PortDescription& port : node.stage->description.inputs) {
            for (const auto& [to, from] : edges) {
                if (to == port.name) node.inputs.push_back(edge(to, from));
            }
        }
        ids_.emplace(name, dag_.nodes.size());
        dag_.groups[node.group].push_back(dag_.nodes.size());
        dag_.nodes.push_back(std::move(node));
        return *this;
    }

    [[nodiscard]] Dag build() const {
        Dag made = dag_;
        made.name = "tiny";
        Diagnostics diagnostics;
        made.types = infer_types(made, diagnostics);
        diagnostics.throw_if_any();
        return made;
    }

private:
    [[nodiscard]] Input edge(const std::string& port, const std::string& from) const {
        const auto dot = from.rfind('.');
        return {port, ids_.at(from.substr(0, dot)), from.substr(dot + 1), {}};
    }

    Dag dag_;
    std::map<std::string, NodeId> ids_;
};

// Runs tiny stages and remembers which.
class TinyExecutor : public Executor {
public:
    explicit TinyExecutor(const Files& files) : files_(files) {}

    [[nodiscard]] StageOutput execute(const Node& node, const StageInputs& inputs, StageContext& context) override {
        {
            const std::scoped_lock lock(mutex_);
            ran_.push_back(node.name);
        }
        std::map<std::string, Numbers> in;
        for (const auto& [port, group] : inputs) in.emplace(port, as_numbers(group));
        const Numbers file = node.files.empty() ? Numbers{} : files_.at(context.files().at(0).path.string());
        StageOutput outcome;
        const auto& stage = tiny_stages().at(node.stage->description.kind);
        for (const auto& [port, numbers] : stage.run(context.params().integer("k"), in, file)) {
            outcome.outputs.emplace(port, as_group(numbers));
        }
        return outcome;
    }

    // The names of what ran, sorted; and clears them.
    std::vector<std::string> take_ran() {
        const std::scoped_lock lock(mutex_);
        std::vector<std::string> names = std::exchange(ran_, {});
        std::ranges::sort(names);
        return names;
    }

private:
    const Files& files_;
    std::mutex mutex_;
    std::vector<std::string> ran_;  // guarded by mutex_
};

// Every reading takes half a second.
class TickingClock final : public Clock {
public:
    [[nodiscard]] double seconds() override { return 0.5 * static_cast<double>(++looks_); }

private:
    std::atomic<int> looks_{0};
};

// A cache view from a store and a table of previous runs.
class TinyCacheView : public CacheView {
public:
    TinyCacheView(Store& store, const Files& files, CheckpointStore* checkpoints = nullptr, CheckpointStore* final_checkpoints = nullptr)
        : store_(store), files_(files), checkpoints_(checkpoints), final_checkpoints_(final_checkpoints) {}

    [[nodiscard]] std::optional<StoredOutput> outcome(const Digest& key) override { return store_.find(key); }
    [[nodiscard]] std::optional<PreviousRun> previous_run(const Node& node) override {
        const auto found = last_.find(node.name);
        return found == last_.end() ? std::nullopt : std::optional(found->second);
    }
    [[nodiscard]] Digest file_digest(const SourceFile& file) override {
        const auto found = files_.find(file.path.string());
        if (found == files_.end()) throw FileError(ENOENT, "open", file.path);
        return sha256(std::as_bytes(std::span(found->second)));
    }
    [[nodiscard]] std::optional<FileStamp> file_stamp(const SourceFile& file) override {
        return FileStamp{1, 1, 1, 1, edits[file.path.string()]};
    }
    [[nodiscard]] std::optional<double> expected_seconds(const Digest&, const std::string& kind) override {
        const auto found = seconds_.find(kind);
        return found == seconds_.end() ? std::nullopt : std::optional(found->second);
    }
    [[nodiscard]] std::optional<CheckpointPosition> checkpoint(const Digest& key) override {
        return checkpoints_ == nullptr ? std::nullopt : checkpoints_->newest(key);
    }
    [[nodiscard]] std::optional<CheckpointPosition> final_checkpoint(const Continuation& continuation) override {
        return final_checkpoints_ == nullptr ? std::nullopt : final_checkpoints_->newest(key_of(continuation.base_recipe), continuation.target);
    }

    void remember(const Dag& dag, const RunResult& result) {
        for (const NodeResult& node : result.nodes) {
            if (node.state == NodeState::Ran || node.state == NodeState::Reused) {
                last_[dag.nodes[node.node].name] = {node.recipe, node.seconds};
            }
        }
    }
    void expect(const std::string& kind, double seconds) { seconds_[kind] = seconds; }

    std::map<std::string, int> edits;  // of source files, by path: stands for ctime

private:
    Store& store_;
    const Files& files_;
    CheckpointStore* checkpoints_;
    CheckpointStore* final_checkpoints_;
    std::map<std::string, PreviousRun> last_;
    std::map<std::string, double> seconds_;
};

}  // namespace satdl::test
