// satdl status: what a run would do, stage by stage.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "commands/shared/plan_json.h"
#include "commands/shared/remote_options.h"
#include "commands/shared/session.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

struct StatusOptions {
    DagOptions dag;
    StoreOptions store;
    RemoteChoice remote;
    std::vector<std::string> targets;
    bool json = false;
};

Table plan_table(const Dag& dag, const Plan& plan) {
    Table table{.title = {}, .columns = {"stage", "action", "expected", "reason"}, .rows = {}, .notes = {}};
    for (const auto& planned : plan.nodes) {
        table.rows.push_back({dag.nodes[planned.node].name, std::string(name_of(planned.action)),
                              planned.expected_seconds ? duration_text(*planned.expected_seconds) : "-", planned.because});
    }
    return table;
}

ExitCode status(StatusOptions options) {
    take_settings(options.targets, options.dag);
    check_named_store(options.store);
    Session session(options.dag, options.store, Access::ReadOnly);
    const Dag dag = session.dag();
    const auto remote = open_remote(options.remote, session.open(), Access::ReadOnly);
    StoreCacheView cache = session.cache(dag, &session.open().final_checkpoints(), store_of(session.open(), remote));
    Request request;
    request.targets = options.targets;
    const Plan plan = session.plan(dag, request, cache);
    if (options.json) {
        fmt::print("{}\n", dump_json(plan_json(dag, plan)));
    } else {
        fmt::print("{}", table_text(plan_table(dag, plan), stdout_columns()));
    }
    return ExitCode::Done;
}

}  // namespace

void add_status_command(Command& program) {
    program.add_command<StatusOptions>(
        "status", "show what a run would do, and why",
        "Examples:\n  satdl status dags/full.yaml\n  satdl status dags/full.yaml m3 noise_factor=0.2 --json",
        [](Command& command, StatusOptions& options) {
            add_dag_file(command, options.dag);
            command.add_option("targets", options.targets, "stages or groups (default: all), and parameters: name=value")
                .type_name("TARGET|NAME=VALUE");
            add_dag_options(command, options.dag);
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_store_options(command, options.store);
            add_remote_options(command, options.remote);
        },
        status);
}

}  // namespace satdl
