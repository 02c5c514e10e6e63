// satdl trace: which files does a program read? Runs the program of a stage, stores nothing, and prints what the stage should declare.
#include <fmt/format.h>

#include <cstdio>

#include "commands/shared/command.h"
#include "commands/shared/session.h"
#include "commands/shared/signals.h"
#include "commands/shared/warnings.h"
#include "pipeline/executors/command_executor.h"
#include "pipeline/store/store_lock.h"

namespace satdl {
namespace {

struct TraceOptions {
    DagOptions dag;
    StoreOptions store;
    std::vector<std::string> stages;
};

// What the program prints goes to stderr, beside what is found.
class TraceContext final : public StageContext {
public:
    TraceContext(const Node& node, const std::atomic<bool>& stop) : node_(node), stop_(stop) {}

    [[nodiscard]] const Params& params() const override { return node_.params; }
    [[nodiscard]] int threads() const override { return node_.command->threads; }
    [[nodiscard]] const std::vector<SourceFile>& files() const override { return node_.files; }
    [[nodiscard]] bool stop_requested() const override { return stop_; }
    void progress(const Progress& /*progress*/) override {}
    void log(LogLevel /*level*/, std::string_view message) override { print_on_stderr(printable(message)); }

private:
    const Node& node_;
    const std::atomic<bool>& stop_;
};

const Node& program_stage(const Dag& dag, const std::string& name) {
    const Node* const node = dag.find(name);
    if (node == nullptr)
        throw Error(ExitCode::Usage, fmt::format("{} has no stage '{}'", printable(dag.file.string()), printable(name)),
                    did_you_mean(name, dag.names()));
    if (node->command) return *node;
    refuse(node->place, fmt::format("'{}' is of kind '{}', not a program", node->name, node->stage->description.kind),
           "`satdl trace` is for stages of kind 'command'; others read what they declare");
}

StageInputs inputs_of(const Node& node, const Dag& dag, const Plan& plan, Store& store) {
    StageInputs inputs;
    for (const Input& input : node.inputs) {
        const PlannedNode* const from = plan.find(input.from);  // null: it has no result
        auto made = from != nullptr && from->action == Action::Reuse ? store.load(*from->key) : std::nullopt;
        if (!made)
            throw Error(ExitCode::Usage, fmt::format("{} reads {}, which has no result yet", node.name, dag.nodes[input.from].name),
                        fmt::format("run it first: satdl run {} {}", printable(dag.file.string()), dag.nodes[input.from].name));
        inputs.emplace(input.port, std::move(made->outputs.at(input.from_port)));
    }
    return inputs;
}

ExitCode trace(TraceOptions options) {
    take_settings(options.stages, options.dag);
    if (options.stages.size() != 1)
        throw Error(ExitCode::Usage, fmt::format("trace takes one stage, not {}", options.stages.size()),
                    "for example: satdl trace dag.yaml train");
    options.dag.undeclared = UndeclaredFiles::Accepted;
    Session session(options.dag, options.store, Access::ReadWrite);
    const StoreLock use = StoreLock::shared(session.open().folder());
    const Dag dag = session.dag();
    const Node& node = program_stage(dag, options.stages.front());
    session.allow_running(dag);
    StoreCacheView cache = session.cache(dag);
    const Plan plan = session.plan(dag, {.single = {node.name}, .force = true}, cache);
    const StopSignals signals;
    TraceContext context(node, signals.stop());
    CommandExecutor executor(session.work_folder());
    try {
        const CommandExecutor::Trace found = executor.trace(node, inputs_of(node, dag, plan, session.open().store()), context);
        const std::string text = declarations(found.read, node);
        fmt::print("{}", text.empty() ? "# it reads no files of the project\n" : text);
        if (!found.failure) return ExitCode::Done;
        std::fflush(stdout);
        print_on_stderr(fmt::format("satdl: this is what {} read until it failed: {}", node.name, first_line(*found.failure)));
        return ExitCode::StageFailed;
    } catch (const Stopped&) {
        return signals.exit_code().value_or(ExitCode::Interrupted);
    }
}

}  // namespace

void add_trace_command(Command& program) {
    program.add_command<TraceOptions>(
        "trace", "run a stage's program once and print the files that it reads, as YAML for the stage",
        "The program finds all files of the project, and nothing is stored.\n"
        "Examples:\n  satdl trace dag.yaml train\n  satdl trace dag.yaml train epochs=1",
        [](Command& command, TraceOptions& options) {
            add_dag_file(command, options.dag);
            command.add_option("stage", options.stages, "the stage, and parameters: name=value").required().type_name("STAGE|NAME=VALUE");
            add_dag_options(command, options.dag);
            add_trust_option(command, options.dag);
            add_store_options(command, options.store);
        },
        trace);
}

}  // namespace satdl
