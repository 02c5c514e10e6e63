// satdl stages: the reference of stages and layers, from the manifests and from the table of layers.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "commands/shared/session.h"
#include "pipeline/core/json.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"
#include "pipeline/network/layer_kinds.h"
#include "pipeline/os/shared_library.h"

namespace satdl {

namespace {

constexpr int kIndent = 4;  // of the lines below a heading

struct StagesOptions {
    std::string kind;
    std::vector<std::string> libraries;
    bool layers = false, json = false;
};

std::string joined(const std::vector<std::string>& words, std::string_view between) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : std::string(between)) + word;
    return text;
}

// "integer >= 1", "number 0..1", "mse | cross_entropy"
std::string type_text(const ParamDescription& param) {
    if (param.type == ParamType::Choice) return joined(param.choices, " | ");
    if (param.type == ParamType::Precision) return "fp32 | tf32 | bf16 | auto";
    if (param.type == ParamType::Device) return "cpu | cuda | auto";
    std::string text(name_of(param.type));
    const auto number = [](double value) { return canonical_number(value); };
    if (param.min && param.max)
        text += fmt::format(" {}..{}", number(*param.min), number(*param.max));
    else if (param.min)
        text += fmt::format(" >= {}", number(*param.min));
    else if (param.max)
        text += fmt::format(" <= {}", number(*param.max));
    if (!param.choices.empty()) text += " | " + joined(param.choices, " | ");
    return param.unit.empty() ? text : fmt::format("{} ({})", text, param.unit);
}

// "float32 [N, ...]", "model"
std::string port_text(const PortDescription& port) {
    std::string text;
    if (port.kind != PortKind::Array) {
        text = name_of(port.kind);
    } else {
        std::vector<std::string> types;
        for (const DType dtype : port.dtypes) types.emplace_back(name_of(dtype));
        text = !types.empty()          ? joined(types, "|")
               : port.dtype_of.empty() ? "array"
                                       : fmt::format("type of {}", port.dtype_of);
        if (!port.uint8_scale.empty()) text += fmt::format("|uint8 with {}", port.uint8_scale);
        if (port.shape != "any") text += " " + port.shape;
    }
    return port.optional ? text + ", optional" : text;
}

std::string reference(const CatalogEntry& entry) {
    const StageDescription& stage = entry.description;
    const std::string first =
        fmt::format("{} (version {}{}): {}\n", stage.kind, stage.version, stage.numeric ? ", numeric" : "", stage.help);
    std::string text = wrapped_lines(first, stdout_columns(), kIndent);
    const auto add_ports = [&text](const char* title, const std::vector<PortDescription>& ports) {
        Table table{.title = title, .columns = {"port", "type", "help"}, .rows = {}, .notes = {}};
        for (const auto& port : ports) table.rows.push_back({port.name, port_text(port), port.help});
        if (!ports.empty()) text += "\n" + table_text(table, stdout_columns());
    };
    add_ports("Inputs", stage.inputs);
    add_ports("Outputs", stage.outputs);
    Table table{.title = "Parameters", .columns = {"parameter", "type", "default", "help"}, .rows = {}, .notes = {}};
    for (const auto& param : stage.params) {
        const std::string fallback = !param.fallback ? "(required)" : *param.fallback == "null" ? "(none)" : *param.fallback;
        table.rows.push_back({param.name, type_text(param), fallback, param.help});
    }
    if (!stage.params.empty()) text += "\n" + table_text(table, stdout_columns());
    return text;
}

Json port_json(const PortDescription& port) {
    Json types = Json::array();
    for (const DType dtype : port.dtypes) types.push_back(name_of(dtype));
    if (!port.uint8_scale.empty()) types.push_back(name_of(DType::UInt8));
    return {{"name", port.name},   {"kind", name_of(port.kind)}, {"dtypes", std::move(types)},
            {"shape", port.shape}, {"optional", port.optional},  {"help", port.help}};
}

Json stage_json(const CatalogEntry& entry) {
    const StageDescription& stage = entry.description;
    Json inputs = Json::array(), outputs = Json::array(), params = Json::array();
    for (const auto& port : stage.inputs) inputs.push_back(port_json(port));
    for (const auto& port : stage.outputs) outputs.push_back(port_json(port));
    const auto or_null = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
    for (const auto& param : stage.params) {
        params.push_back({{"name", param.name},
                          {"type", name_of(param.type)},
                          {"default", or_null(param.fallback)},
                          {"min", or_null(param.min)},
                          {"max", or_null(param.max)},
                          {"choices", param.choices},
                          {"unit", param.unit},
                          {"help", param.help},
                          {"smoke_min", or_null(param.smoke_min)},
                          {"smoke_max", or_null(param.smoke_max)},
                          {"continues", param.continues}});
    }
    return {{"kind", stage.kind},
            {"version", stage.version},
            {"library", entry.library.filename().string()},
            {"help", stage.help},
            {"numeric", stage.numeric},
            {"inputs", std::move(inputs)},
            {"outputs", std::move(outputs)},
            {"params", std::move(params)}};
}

void print_layers() {
    for (const auto& layer : layer_descriptions()) {
        const std::string first = fmt::format("{}: {}\n    {}\n", layer.kind, layer.help, layer.shapes);
        fmt::print("{}", wrapped_lines(first, stdout_columns(), kIndent));
        for (const auto& option : layer.options) {
            const ConfigValue fallback = option.get(layer.defaults);
            const std::string otherwise = option.required          ? "required"
                                          : option.same_as.empty() ? fmt::format("default {}", fallback.text())
                                                                   : fmt::format("default: same as {}", option.same_as);
            const std::string line = fmt::format("    {:<16} {}, {}: {}{}", option.name, wanted(option), otherwise, option.help,
                                                 option.name == layer.main ? fmt::format(" (also `{}: VALUE`)", layer.kind) : "");
            fmt::print("{}\n", wrapped_lines(line, stdout_columns(), kIndent + 17));
        }
        fmt::print("\n");
    }
}

const CatalogEntry& known_stage(const Catalog& catalog, const std::string& kind) {
    const CatalogEntry* entry = catalog.find(kind);
    if (entry != nullptr) return *entry;
    throw Error(ExitCode::Usage, fmt::format("there is no stage kind '{}'", printable(kind)),
                did_you_mean(kind, catalog.kinds()));
}

ExitCode stages(const StagesOptions& options) {
    if (options.layers) {
        print_layers();
        return ExitCode::Done;
    }
    const Catalog catalog = load_catalog(program_folder(), options.libraries);
    const auto kinds = options.kind.empty() ? catalog.kinds() : std::vector<std::string>{options.kind};
    if (options.json) {
        Json json = Json::array();
        for (const auto& kind : kinds) json.push_back(stage_json(known_stage(catalog, kind)));
        fmt::print("{}\n", dump_json({{"stages", std::move(json)}}));
    } else if (!options.kind.empty()) {
        fmt::print("{}", reference(known_stage(catalog, options.kind)));
    } else {
        Table table{.title = {}, .columns = {"kind", "help"}, .rows = {}, .notes = {}};
        for (const auto& kind : kinds) table.rows.push_back({kind, known_stage(catalog, kind).description.help});
        fmt::print("{}", table_text(table, stdout_columns()));
    }
    return ExitCode::Done;
}

}  // namespace

void add_stages_command(Command& program) {
    program.add_command<StagesOptions>(
        "stages", "list the kinds of stages and layers, with their ports and parameters",
        "Examples:\n  satdl stages\n  satdl stages train\n  satdl stages --layers",
        [](Command& command, StagesOptions& options) {
            command.add_option("kind", options.kind, "show this kind of stage; default: list all").type_name("KIND");
            command.add_flag("--layers", options.layers, "list layers of networks and their options");
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_stages_option(command, options.libraries);
        },
        stages);
}

}  // namespace satdl
