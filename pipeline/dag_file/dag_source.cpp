// Everything that is wrong with a file is told in one run: reading goes on past a mistake, and what flows along the edges is
// inferred for the part of the DAG that has none.
#include "pipeline/dag_file/dag_source.h"

#include <fmt/format.h>

#include "pipeline/dag/type_inference.h"
#include "pipeline/dag_file/parameter_layers.h"
#include "pipeline/dag_file/stage_reader.h"
#include "pipeline/yaml/yaml_parser.h"

namespace satdl {
namespace {

// A section that is a map; null where there is none.
ConfigValue map_section(const ConfigValue& document, std::string_view name) {
    const ConfigValue* section = document.find(name);
    return section ? *section : ConfigValue::null();
}

std::string name_of_dag(const ConfigValue& document, const std::filesystem::path& file, Diagnostics& diagnostics) {
    const ConfigValue* name = document.find("name");
    if (!name) return file.stem().string();
    if (!name->is_scalar()) diagnostics.add(name->place(), "'name' must be text, not " + name->describe());
    const bool is_path =
        name->text().empty() || name->text().starts_with('.') || name->text().find('/') != std::string::npos;
    if (name->is_scalar() && (is_path || name->text().size() > 64 || printable(name->text()) != name->text()))
        diagnostics.add(name->place(), "this cannot be the name of a DAG",
                        "1 to 64 characters without '/', not beginning with '.'");
    return name->text();
}

Numerics numerics_of(const ConfigValue& document, Diagnostics& diagnostics) {
    const ConfigValue* value = document.find("numerics");
    if (!value || value->text() == "exact") return Numerics::Exact;
    if (value->text() == "portable") return Numerics::Portable;
    diagnostics.add(value->place(), fmt::format("'numerics' is exact or portable, not {}", value->describe()));
    return Numerics::Exact;
}

ConfigValue yaml_on_disk(const std::filesystem::path& path) {
    return parse_yaml_file(path.string());
}

ConfigValue parameters_of(const ConfigValue& document, const Settings& settings, Diagnostics& diagnostics) {
    return merged_parameters(
        {map_section(document, "params"), map_section(document, "profiles"), settings.profile, settings.set}, diagnostics);
}

// The part of the DAG in which no mistake was found: nodes that are good, and so is all that they need.
std::vector<NodeId> sound_part(const Dag& dag, const std::vector<NodeId>& order, std::vector<bool> good) {
    std::vector<NodeId> sound;
    for (const NodeId node : order) {
        for (const Input& input : dag.nodes[node].inputs)
            if (!good[input.from]) good[node] = false;
        if (good[node]) sound.push_back(node);
    }
    return sound;
}

}  // namespace

Override setting_of(Override given) {
    if (given.several)
        refuse(given.values.back().place(), fmt::format("'{}' is to have one value here", printable(given.name)),
               fmt::format("`run` sweeps several, given as --sweep {0}=... or {0}=... alone; one text with a comma stands in quotes",
                           printable(given.name)));
    return given;
}

Override parse_setting(const std::string& text) {
    return setting_of(parse_override(text, "--set"));
}

DagSource::DagSource(const std::filesystem::path& file) : DagSource(file, yaml_on_disk(file), yaml_on_disk) {}

DagSource::DagSource(std::filesystem::path file, ConfigValue document, const DocumentReader& read)
    : file_(std::move(file)), document_(join_includes(file_, std::move(document), read)) {}

DagSource::DagSource(std::filesystem::path file, ConfigValue document)
    : DagSource(std::move(file), std::move(document), yaml_on_disk) {}

std::vector<std::filesystem::path> DagSource::files() const {
    std::vector<std::filesystem::path> files{file_};
    for (const auto& [source, folder] : document_.folders)
        if (source != document_.root.place().source.get()) files.emplace_back(source->name);
    return files;
}

// What was wrong with the files, to which the mistakes of a DAG are added; nothing more is told where there is no DAG.
Diagnostics DagSource::mistakes() const {
    if (!document_.root.is_map()) document_.mistakes.throw_if_any();
    return document_.mistakes;
}

Dag DagSource::build(const Settings& settings, const Catalog& catalog, const DatasetIndex& datasets) const {
    Diagnostics diagnostics = mistakes();
    const ConfigValue& document = document_.root;
    Dag dag;
    dag.file = file_;
    dag.name = name_of_dag(document, file_, diagnostics);
    dag.numerics = numerics_of(document, diagnostics);

    Interpolation interpolation(parameters_of(document, settings, diagnostics), diagnostics);
    (void)interpolation.flattened();  // so that mistakes in parameters that nobody uses are told, too
    const NamedNetworks networks = read_networks(map_section(document, "networks"), interpolation, diagnostics);

    ParamReader params(networks, datasets, document_.folders, interpolation, diagnostics);
    StageReader stages(catalog, params, interpolation, diagnostics);
    const ConfigValue section = map_section(document, "stages");
    if (section.entries().empty() && diagnostics.empty())
        diagnostics.add(document.place(), "the file has no stages", "stages: {name: {kind: ...}, ...}; see docs/yaml.md");
    for (const ConfigValue::Entry& entry : section.entries()) stages.declare(entry);
    stages.end_of_declarations();

    dag.groups = stages.groups();
    dag.nodes.reserve(stages.declared().size());
    std::vector<bool> good;
    for (NodeId id = 0; id < stages.declared().size(); ++id) {
        StageReader::ReadStage read = stages.read(id);
        good.push_back(read.good);
        dag.nodes.push_back(std::move(read.node));
    }
    const std::vector<NodeId> sound = sound_part(dag, topological_order(dag, diagnostics), std::move(good));
    dag = subgraph(std::move(dag), sound);
    dag.types = infer_types(dag, diagnostics);
    diagnostics.throw_if_any();
    return dag;
}

std::vector<std::pair<std::string, ConfigValue>> DagSource::parameters(const Settings& settings) const {
    Diagnostics diagnostics = mistakes();
    const ConfigValue& document = document_.root;
    Interpolation interpolation(parameters_of(document, settings, diagnostics), diagnostics);
    auto flattened = interpolation.flattened();
    diagnostics.throw_if_any();
    return flattened;
}

}  // namespace satdl
