// satdl graph: draws the DAG, as dot (Graphviz), Mermaid or SVG.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "commands/shared/session.h"
#include "pipeline/core/json.h"
#include "pipeline/display/dag_diagram.h"
#include "pipeline/display/diagram_svg.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

struct GraphOptions {
    DagOptions dag;
    StoreOptions store;
    std::vector<std::string> parameters;
    std::string format = "dot";
    bool status = false, json = false;
};

// What a run would do with each node, and how long it takes according to the history.
void add_plan(Diagram& graph, const Plan& plan) {
    for (const auto& planned : plan.nodes) {
        DiagramNode& node = graph.nodes[planned.node];
        node.state = name_of(planned.action);
        if (planned.expected_seconds) node.note = duration_text(*planned.expected_seconds);
    }
}

Json diagram_json(const Dag& dag, const Diagram& graph) {
    Json stages = Json::array();
    for (std::size_t i = 0; i < dag.nodes.size(); ++i) {
        Json inputs = Json::array();
        for (const auto& input : dag.nodes[i].inputs)
            inputs.push_back({{"port", input.port}, {"from", dag.nodes[input.from].name}, {"from_port", input.from_port}});
        const std::string& state = graph.nodes[i].state;
        stages.push_back({{"stage", graph.nodes[i].name},
                          {"kind", graph.nodes[i].kind},
                          {"inputs", std::move(inputs)},
                          {"action", state.empty() ? Json() : Json(state)}});
    }
    return {{"dag", dag.name}, {"stages", std::move(stages)}};
}

ExitCode draw(GraphOptions options) {
    take_only_settings(options.parameters, options.dag);
    if (options.status) check_named_store(options.store);
    Session session(options.dag, options.store, Access::ReadOnly);
    const Dag dag = session.dag();
    Diagram graph = graph_of(dag);
    if (options.status) {
        StoreCacheView cache = session.cache(dag);
        add_plan(graph, session.plan(dag, {}, cache));
    }
    if (options.json) {
        fmt::print("{}\n", dump_json(diagram_json(dag, graph)));
        return ExitCode::Done;
    }
    fmt::print("{}", options.format == "svg"       ? to_svg(graph, dag.name)
                     : options.format == "mermaid" ? to_mermaid(graph)
                                                   : to_dot(graph, dag.name));
    return ExitCode::Done;
}

}  // namespace

void add_graph_command(Command& program) {
    program.add_command<GraphOptions>(
        "graph", "draw the DAG",
        "Examples:\n  satdl graph dags/full.yaml --format svg > full.svg\n"
        "  satdl graph dags/full.yaml noise_factor=0.2 --format mermaid --status",
        [](Command& command, GraphOptions& options) {
            add_dag_file(command, options.dag);
            command.add_option("parameters", options.parameters, "parameters of the DAG: name=value").type_name("NAME=VALUE");
            command.add_option("--format", options.format, "dot (Graphviz), mermaid, or svg")
                .one_of({"dot", "mermaid", "svg"})
                .show_default();
            command.add_flag("--status", options.status, "show what a run would do with each stage");
            command.add_flag("--json", options.json, "print stages and their inputs as JSON (docs/json.md)");
            add_dag_options(command, options.dag);
            add_store_options(command, options.store);
        },
        draw);
}

}  // namespace satdl
