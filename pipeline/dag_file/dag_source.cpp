// All mistakes of a file are reported in one run: reading continues after a mistake, and the types of edges are inferred for the part of
// the DAG without mistakes.
#include "pipeline/dag_file/dag_source.h"

#include <fmt/format.h>

#include "pipeline/dag/type_inference.h"
#include "pipeline/dag_file/parameter_layers.h"
#include "pipeline/dag_file/stage_reader.h"
#include "pipeline/dag_file/stage_settings.h"
#include "pipeline/yaml/yaml_parser.h"

namespace satdl {
namespace {

// A section that is a map; null if absent.
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
    diagnostics.add(value->place(), fmt::format("'numerics' must be exact or portable, not {}", value->describe()));
    return Numerics::Exact;
}

ConfigValue yaml_on_disk(const std::filesystem::path& path) {
    return parse_yaml_file(path.string());
}

ConfigValue parameters_of(const ConfigValue& document, const Settings& settings, Diagnostics& diagnostics) {
    std::vector<Override> set = settings.set;
    std::erase_if(set, [&](const Override& one) { return is_of_stage(one.name, document); });
    return merged_parameters(
        {map_section(document, "params"), map_section(document, "profiles"), settings.profile, std::move(set)}, diagnostics);
}

// The part of the DAG without mistakes: good nodes that depend only on good nodes.
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
        refuse(given.values.back().place(), fmt::format("'{}' takes one value here", printable(given.name)),
               fmt::format("`satdl run` sweeps several values: {0}=a,b or --sweep {0}=a,b; a text with a comma needs quotes",
                           printable(given.name)));
    return given;
}

Override parse_setting(const std::string& text) {
    return setting_of(parse_override(text, "--set"));
}

DagSource::DagSource(const std::filesystem::path& file) : DagSource(file, yaml_on_disk(file)) {}

DagSource::DagSource(std::filesystem::path file, ConfigValue document, const DocumentReader& read, const FileIdentity& identity)
    : file_(std::move(file)), document_(join_includes(file_, std::move(document), read, identity)) {}

DagSource::DagSource(std::filesystem::path file, ConfigValue document)
    : DagSource(std::move(file), std::move(document), yaml_on_disk) {}

std::string DagSource::name() const {
    Diagnostics of_the_build;
    return name_of_dag(document_.root, file_, of_the_build);
}

std::vector<std::filesystem::path> DagSource::files() const {
    std::vector<std::filesystem::path> files{file_};
    for (const auto& [source, folder] : document_.folders)
        if (source != document_.root.place().source.get()) files.emplace_back(source->name);
    return files;
}

// The mistakes of the files, to which those of the DAG are added. Throws if the document is not a DAG file at all.
Diagnostics DagSource::mistakes() const {
    if (!document_.root.is_map()) document_.mistakes.throw_if_any();
    return document_.mistakes;
}

Dag DagSource::build(const Settings& settings, const Catalog& catalog, const DatasetIndex& datasets,
                     const ArrayTypeReader& array_type) const {
    Diagnostics diagnostics = mistakes();
    const ConfigValue& document = document_.root;
    Dag dag;
    dag.file = file_;
    dag.name = name_of_dag(document, file_, diagnostics);
    dag.numerics = numerics_of(document, diagnostics);

    Interpolation interpolation(parameters_of(document, settings, diagnostics), diagnostics);
    (void)interpolation.flattened();  // so that mistakes in unused parameters are reported, too
    const NamedNetworks networks = read_networks(map_section(document, "networks"), interpolation, diagnostics);

    ParamReader params(networks, datasets, document_.folders, array_type, interpolation, diagnostics);
    CommandReader commands(document_.folders, settings.undeclared, interpolation, diagnostics);
    JobSettingsReader jobs(map_section(document, "executors"), settings.executor, interpolation, diagnostics);
    StageReader stages(catalog, params, commands, jobs, interpolation, diagnostics);
    const ConfigValue section = stages_with(settings.set, document);
    if (section.entries().empty() && diagnostics.empty())
        diagnostics.add(document.place(), "the file has no stages", "stages: {name: {kind: ...}, ...}; see docs/yaml.md");
    for (const ConfigValue::Entry& entry : section.entries()) stages.declare(entry);
    stages.end_of_declarations();
    const ConfigValue defaults_section = map_section(document, "defaults");
    const ConfigValue known_stages = document_.mistakes.empty() ? section : ConfigValue::null();
    StageDefaults defaults(defaults_section, known_stages, catalog, interpolation, diagnostics);

    dag.groups = stages.groups();
    dag.nodes.reserve(stages.declared().size());
    std::vector<bool> good;
    for (NodeId id = 0; id < stages.declared().size(); ++id) {
        StageReader::ReadStage read = stages.read(id, defaults);
        good.push_back(read.good);
        dag.nodes.push_back(std::move(read.node));
    }
    defaults.report_unused();
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
