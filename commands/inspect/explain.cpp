// satdl explain: why a stage would run, by the parts of its key that changed; or, if nothing changed, all parts of its key.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/shared/remote_options.h"
#include "commands/shared/session.h"
#include "pipeline/core/json.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"
#include "pipeline/store/recipe.h"

namespace satdl {

namespace {

struct ExplainOptions {
    DagOptions dag;
    StoreOptions store;
    RemoteChoice remote;
    std::vector<std::string> stages;
    bool json = false;
};

// One part of the key, with its old and its new value.
struct Difference {
    std::string part;
    std::optional<std::string> before, now;
    [[nodiscard]] bool differs() const { return before != now; }
};

// All parts, in the order of the recipe; removed ones last.
std::vector<Difference> compared(const Recipe& before, const Recipe& now) {
    std::vector<Difference> parts;
    const auto value_in = [](const Recipe& recipe, const std::string& name) -> std::optional<std::string> {
        const KeyPart* const found = find_part(recipe, name);
        return found == nullptr ? std::nullopt : std::optional(found->value);
    };
    for (const auto& part : now) parts.push_back({part.name, value_in(before, part.name), part.value});
    for (const auto& part : before) {
        if (!value_in(now, part.name)) parts.push_back({part.name, part.value, std::nullopt});
    }
    return parts;
}

// Digests are shortened for people; --json has them in full.
std::string value_text(const std::optional<std::string>& value) {
    if (!value) return "(none)";
    return Digest::from_hex(*value) ? value->substr(0, 12) + "…" : *value;
}

// The inputs of this stage that are not known yet.
std::vector<std::string> waits_for(const Dag& dag, const Plan& plan, NodeId node) {
    std::vector<std::string> names;
    for (const auto& input : dag.nodes[node].inputs) {
        const PlannedNode* upstream = plan.find(input.from);
        const std::string& name = dag.nodes[input.from].name;
        const bool open = upstream != nullptr && upstream->action != Action::Reuse;
        if (open && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return names;
}

Json explanation_json(const Node& node, const PlannedNode& planned, const std::vector<Difference>& parts,
                      const std::vector<std::string>& waiting) {
    const auto or_null = [](const std::optional<std::string>& value) { return value ? Json(*value) : Json(nullptr); };
    Json rows = Json::array();
    for (const auto& part : parts) {
        rows.push_back({{"part", part.part},
                        {"before", or_null(part.before)},
                        {"now", or_null(part.now)},
                        {"differs", part.differs()}});
    }
    return {{"stage", node.name},         {"action", name_of(planned.action)},
            {"because", planned.because}, {"key", planned.key ? Json(planned.key->hex()) : Json(nullptr)},
            {"waits_for", waiting},       {"parts", std::move(rows)}};
}

std::string explanation_text(const PlannedNode& planned, const std::vector<Difference>& parts, bool ran_before) {
    const bool any = std::any_of(parts.begin(), parts.end(), [](const Difference& part) { return part.differs(); });
    Table table;
    if (any && ran_before) {
        table.columns = {"part of the key", "was", "is"};
        for (const auto& part : parts) {
            if (part.differs()) table.rows.push_back({part.part, value_text(part.before), value_text(part.now)});
        }
        return table_text(table, stdout_columns());
    }
    table.columns = {"part of the key", "is"};
    const auto columns = stdout_columns();
    for (const auto& part : parts) {
        const std::string value = value_text(part.now);
        table.rows.push_back({part.part, columns ? fitted(value, *columns) : value});  // a network would fill the screen
    }
    table.notes.push_back(ran_before ? "nothing changed since the last run" : "this stage has no result in this store yet");
    return fmt::format("key {}\n{}", planned.key->hex(), table_text(table, columns));
}

ExitCode explain(ExplainOptions options) {
    take_settings(options.stages, options.dag);
    if (options.stages.size() != 1)
        throw Error(ExitCode::Usage, fmt::format("explain takes one stage, not {}", options.stages.size()),
                    "for example: satdl explain dags/full.yaml m1 noise_factor=0.2");
    const std::string& stage = options.stages.front();
    check_named_store(options.store);
    Session session(options.dag, options.store, Access::ReadOnly);
    const Dag dag = session.dag();
    const Node* node = dag.find(stage);
    if (node == nullptr) {
        throw Error(ExitCode::Usage, fmt::format("{} has no stage '{}'", options.dag.file, printable(stage)),
                    did_you_mean(stage, dag.names()));
    }
    const auto remote = open_remote(options.remote, session.open(), Access::ReadOnly);
    StoreCacheView cache = session.cache(dag, &session.open().final_checkpoints(), store_of(session.open(), remote));
    Request request;
    request.targets = {node->name};
    const Plan plan = session.plan(dag, request, cache);
    const auto id = static_cast<NodeId>(node - dag.nodes.data());
    const PlannedNode& planned = *plan.find(id);

    const auto last = cache.previous_run(*node);
    const auto parts =
        planned.recipe ? compared(last ? last->recipe : Recipe{}, *planned.recipe) : std::vector<Difference>{};
    const auto waiting = waits_for(dag, plan, id);
    if (options.json) {
        fmt::print("{}\n", dump_json(explanation_json(*node, planned, parts, waiting)));
        return ExitCode::Done;
    }
    const auto print = [](const std::string& line) { fmt::print("{}\n", wrapped_lines(line, stdout_columns(), 4)); };
    print(fmt::format("{}: {}: {}", printable(node->name), name_of(planned.action), printable(planned.because)));
    if (planned.recipe) {
        fmt::print("{}", explanation_text(planned, parts, last.has_value()));
        return ExitCode::Done;
    }
    for (const auto& name : waiting) {
        const PlannedNode& upstream = *plan.find(dag.find(name) - dag.nodes.data());
        print(fmt::format("  waits for {}: {}: {}", printable(name), name_of(upstream.action), printable(upstream.because)));
    }
    return ExitCode::Done;
}

}  // namespace

void add_explain_command(Command& program) {
    program.add_command<ExplainOptions>(
        "explain", "show why a stage would run: which parts of its key changed, and how",
        "Example:\n  satdl explain dags/full.yaml m1 noise_factor=0.2",
        [](Command& command, ExplainOptions& options) {
            add_dag_file(command, options.dag);
            command.add_option("stage", options.stages, "the stage, and parameters: name=value").required().type_name("STAGE|NAME=VALUE");
            add_dag_options(command, options.dag);
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_store_options(command, options.store);
            add_remote_options(command, options.remote);
        },
        explain);
}

}  // namespace satdl
