// A complete small run, for the tests under faults: a DAG of tiny stages, one of them a training with checkpoints, with
// everything that the program uses: store, index, checkpoints, the run's record and its links.
#pragma once

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/plan/machine.h"
#include "pipeline/records/run_recorder.h"
#include "pipeline/store/checkpoint_files.h"
#include "pipeline/store/layout.h"
#include "tests/support/hdf5_writer.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tiny_stages.h"

namespace satdl::test {

inline const Files& small_files() {
    static const Files files{{"numbers", {100, 227, 353, 474}}};
    return files;
}

// numbers -> sum -> halves -> parity
//             └────> trained ─┴> verdict
inline Dag small_dag() {
    return DagBuilder()
        .add("numbers", "read", {{"path", ConfigValue::scalar("numbers")}})
        .add("sum", "add", {{"k", ConfigValue::scalar("3")}}, {{"x", "numbers.out"}})
        .add("halves", "split", {}, {{"x", "sum.out"}})
        .add("parity", "parity", {}, {{"x", "halves.low"}})
        .add("trained", "coarse", {}, {{"x", "sum.out"}})
        .add("verdict", "add", {{"k", ConfigValue::scalar("1")}}, {{"x", "trained.out"}, {"y", "parity.out"}})
        .build();
}

inline constexpr int kSmallEpochs = 5;

// The stage `trained` is a training whose last number depends on all its epochs: it saves a checkpoint after each, and can be made to
// stop after one, as by SIGTERM.
class SmallExecutor final : public TinyExecutor {
public:
    using TinyExecutor::TinyExecutor;
    int stop_after = 0;                                 // epochs; 0: never
    std::function<void(int epoch)> after_checkpoint{};  // called when one is saved

    [[nodiscard]] StageOutput execute(const Node& node, const StageInputs& inputs, StageContext& context) override {
        if (node.name != "trained") return TinyExecutor::execute(node, inputs, context);
        const Numbers x = as_numbers(inputs.at("x"));
        std::int64_t epoch = 0;
        std::int64_t weight = 1;
        if (const NamedArrays* kept = context.checkpoint()) {
            epoch = kept->at("at").values<std::int64_t>()[0];
            weight = kept->at("at").values<std::int64_t>()[1];
        }
        while (epoch < kSmallEpochs) {
            weight = (weight * 31 + x[static_cast<std::size_t>(epoch) % x.size()]) % tiny::kModulus;
            ++epoch;
            context.keep_checkpoint({{"at", Array::of<std::int64_t>({2}, Numbers{epoch, weight})}}, {epoch, kSmallEpochs, 1, 1, true, {}});
            if (after_checkpoint) after_checkpoint(static_cast<int>(epoch));
            if (epoch == stop_after) throw Stopped{};
        }
        StageOutput outcome;
        outcome.outputs.emplace("out", as_group({weight, epoch}));
        return outcome;
    }
};

// Everything that one process has open, and its run. `root`: its working folder, with store/ and results/.
class SmallProcess {
public:
    SmallProcess(const std::filesystem::path& root, FileSystem& files)
        : root_(root), files_(files), index_(made(root / "store", files) / store_layout::kIndex),
          store_(root / "store", files, index_, hdf5_writer), checkpoints_(root / "store", Retention::LastTwo, files, hdf5_writer) {}

    [[nodiscard]] DiskStore& store() { return store_; }
    [[nodiscard]] CheckpointFiles& checkpoints() { return checkpoints_; }
    [[nodiscard]] SmallExecutor& executor() { return executor_; }

    // `together`: how many stages are stored at once.
    [[nodiscard]] RunResult run(Observer* observer = nullptr, std::size_t together = 1) {
        const Dag dag = small_dag();
        const Machine machine{2, "AVX2"};
        TinyCacheView cache(store_, small_files(), &checkpoints_);
        const Plan plan = make_plan(dag, {}, machine, cache);
        const auto record = run_record({root_ / "store", root_ / "results"}, {new_run_id(), "1"}, files_, index_, store_, silent_);
        std::vector<Observer*> observers{record.get()};
        if (observer != nullptr) observers.push_back(observer);
        const auto all = broadcast(observers);
        TickingClock clock;
        const std::atomic<bool> stop{false};
        return run_serially({.dag = dag, .plan = plan, .machine = machine, .store = store_, .cache = cache, .executor = executor_,
                             .observer = *all, .clock = clock, .stop = stop, .checkpoints = &checkpoints_},
                            together);
    }

private:
    static std::filesystem::path made(const std::filesystem::path& folder, FileSystem& files) {
        if (!files.stamp(folder)) files.make_folders(folder);
        return folder;
    }

    const std::filesystem::path root_;
    FileSystem& files_;
    Index index_;
    DiskStore store_;
    CheckpointFiles checkpoints_;
    SmallExecutor executor_{small_files()};
    Observer silent_;  // gets the record's warnings
};

// A run as a process does it; nullopt if it ended with an error before the run, which the user sees.
inline std::optional<RunResult> small_run(const std::filesystem::path& root, FileSystem& files, int stop_after = 0,
                                          std::size_t together = 1) {
    try {
        SmallProcess process(root, files);
        process.executor().stop_after = stop_after;
        return process.run(nullptr, together);
    } catch (const Error&) {
        return std::nullopt;
    }
}

// A run that is stopped in its training, then one that resumes and finishes.
inline void small_runs(const std::filesystem::path& root, FileSystem& files, std::size_t together,
                       const std::function<void(const std::optional<RunResult>&)>& see) {
    see(small_run(root, files, 3, together));
    see(small_run(root, files, 0, together));
}

// What a clean run from nothing makes.
struct SmallTruth {
    std::map<std::string, PortDigests> outputs;  // by stage
    std::map<std::string, std::string> objects;  // bytes, by the path within objects/
    std::map<std::string, Digest> keys;          // by stage

    // What in a run contradicts it; "" if nothing does. A failed stage does not count.
    [[nodiscard]] std::string contradicted_by(const RunResult& result) const {
        const Dag dag = small_dag();
        for (const NodeResult& node : result.nodes) {
            const std::string& name = dag.nodes[node.node].name;
            const bool has_outcome = node.state == NodeState::Ran || node.state == NodeState::Reused;
            if (has_outcome && node.outputs != outputs.at(name)) return name + " has other bytes";
        }
        return {};
    }
};

inline std::map<std::string, std::string> texts_below(const std::filesystem::path& folder) {
    std::map<std::string, std::string> texts;
    if (!std::filesystem::exists(folder)) return texts;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) texts.emplace(entry.path().lexically_relative(folder).string(), file_text(entry.path()));
    }
    return texts;
}

inline const SmallTruth& small_truth() {
    static const SmallTruth truth = [] {
        const TempFolder folder(TempFolder::Where::Memory);
        const auto files = real_file_system();
        const Dag dag = small_dag();
        SmallTruth made;
        const auto result = small_run(folder.path(), *files);
        if (!result || result->exit_code() != ExitCode::Done) throw std::runtime_error("a clean run fails");
        for (const NodeResult& node : result->nodes) {
            made.outputs.emplace(dag.nodes[node.node].name, *node.outputs);
            made.keys.emplace(dag.nodes[node.node].name, *node.key);
        }
        made.objects = texts_below(folder.path() / "store/objects");
        return made;
    }();
    return truth;
}

// What is wrong with a working folder after a complete run; "" if nothing is.
inline std::string wrong_after(const std::filesystem::path& root, const std::optional<RunResult>& result) {
    const SmallTruth& truth = small_truth();
    if (!result) return "the run ended with an error";
    for (const NodeResult& node : result->nodes) {
        if (!node.error.empty() || !node.not_kept.empty()) return "a stage failed: " + node.error + node.not_kept;
    }
    if (result->exit_code() != ExitCode::Done || !result->observer_error.empty()) return "the run did not end well: " + result->observer_error;
    if (std::string other = truth.contradicted_by(*result); !other.empty()) return other;
    if (texts_below(root / "store/objects") != truth.objects) return "the store holds other bytes";
    for (const auto& [stage, key] : truth.keys) {
        const auto link = root / "results/tiny" / (stage + ".h5");
        if (!std::filesystem::exists(link) || std::filesystem::canonical(link).stem() != key.hex()) return "no link leads to " + stage;
    }
    return {};
}

// How much a test does: a part in CI, everything by tests/reliability/reliability.py.
inline std::uint64_t count_from(const char* variable, std::uint64_t otherwise) {
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// What was done, for docs/reliability.md: a line of JSON at the end of the file that $SATDL_FIGURES names.
inline void note_figure(const std::string& what, std::uint64_t count, const std::string& outcome) {
    const char* const path = std::getenv("SATDL_FIGURES");
    if (path == nullptr) return;
    std::ofstream(path, std::ios::app) << fmt::format(R"({{"what": "{}", "count": {}, "outcome": "{}"}})", what, count, outcome) << '\n';
}

}  // namespace satdl::test
