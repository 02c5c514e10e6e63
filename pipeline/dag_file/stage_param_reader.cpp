#include "pipeline/dag_file/stage_param_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/array_files/named_arrays_file.h"
#include "pipeline/catalog/stage_rules.h"
#include "pipeline/network/network.h"
#include "pipeline/network/network_parser.h"
#include "pipeline/os/special_file.h"
#include "pipeline/yaml/yaml_parser.h"

namespace satdl {
namespace {

template <typename Map>
std::vector<std::string> keys_of(const Map& map) {
    std::vector<std::string> names;
    for (const auto& [name, value] : map) names.push_back(name);
    return names;
}

std::optional<ParamValue> network_from(const ConfigValue& layers, Diagnostics& diagnostics) {
    const std::size_t before = diagnostics.found().size();
    auto network = std::make_shared<const Network>(parse_network(layers, diagnostics));
    if (diagnostics.found().size() > before) return std::nullopt;
    return ParamValue(std::move(network), layers.place());
}

// Of the parameters that a stage with the shape rule file(...) may have (pipeline/stage.h). nullopt: one is a mistake, which is reported.
std::optional<ArraySelection> selection_from(const std::map<std::string, ParamValue>& values, Diagnostics& diagnostics) {
    ArraySelection selection;
    if (const auto array = values.find("array"); array != values.end() && !array->second.is_null()) selection.name = array->second.text();
    const auto columns = values.find("columns");
    if (columns == values.end() || columns->second.is_null()) return selection;
    selection.columns = parse_columns(columns->second.text());
    if (selection.columns) return selection;
    diagnostics.add(columns->second.place(), fmt::format("'{}' is not a range of columns", printable(columns->second.text())), kColumnsAre);
    return std::nullopt;
}

// Whether an output has the type of the array in the file that `param` names.
bool is_array_file(const StageDescription& stage, const ParamDescription& param) {
    return std::ranges::any_of(stage.outputs, [&](const PortDescription& port) {
        const auto rule = parse_shape_rule(port.shape);
        return rule && rule->kind == ShapeRule::Kind::File && rule->file == param.name;
    });
}

// Whether it names the file with an output model's weights.
bool is_weights_file(const StageDescription& stage, const ParamDescription& param) {
    return std::ranges::any_of(stage.outputs, [&](const PortDescription& port) { return port.model && port.model->file == param.name; });
}

}  // namespace

std::vector<std::string> known_keys(const StageDescription& stage) {
    std::vector<std::string> names;
    for (const ParamDescription& param : stage.params) names.push_back(param.name);
    for (const std::string_view key : stage_keys()) names.emplace_back(key);
    return names;
}

NamedNetworks read_networks(const ConfigValue& section, Interpolation& interpolation, Diagnostics& diagnostics) {
    NamedNetworks networks;
    for (const ConfigValue::Entry& entry : section.entries()) {
        const auto layers = interpolation.apply(entry.value);
        networks[entry.key] = layers ? network_from(*layers, diagnostics) : std::nullopt;
    }
    return networks;
}

bool is_misspelt(std::string_view name, const ConfigValue& map, const std::vector<std::string>& known) {
    return std::any_of(map.entries().begin(), map.entries().end(), [&](const ConfigValue::Entry& entry) {
        return std::find(known.begin(), known.end(), entry.key) == known.end() && nearest(entry.key, known) == name;
    });
}

StageParams ParamReader::read(const StageDescription& stage, const ConfigValue& body, const LocalNames& locals,
                              const Place& place) {
    StageParams result;
    Values values;
    for (const ConfigValue::Entry& entry : body.entries()) {
        if (is_stage_key(entry.key)) continue;
        const ParamDescription* param = stage.param(entry.key);
        std::optional<ParamValue> value;
        if (!param)
            report_unknown_param(stage, entry);
        else if (const auto applied = interpolation_.apply(entry.value, locals))
            value = check(*param, *applied);
        if (value)
            values.emplace(entry.key, std::move(*value));
        else
            result.good = false;
    }
    for (const ParamDescription& param : stage.params) {
        if (body.find(param.name)) continue;
        if (auto value = fallback(stage, param)) {
            values.emplace(param.name, std::move(*value));
            continue;
        }
        result.good = false;
        if (!param.fallback && !is_misspelt(param.name, body, known_keys(stage)))
            diagnostics_.add(place, fmt::format("stage kind '{}' needs the parameter '{}'", stage.kind, param.name),
                             about(param));
    }
    if (!add_files(stage, values, place, result.files)) result.good = false;
    result.params = Params(std::move(values));
    return result;
}

void ParamReader::report_unknown_param(const StageDescription& stage, const ConfigValue::Entry& entry) {
    std::string hint;
    if (stage.input(entry.key)) {
        hint = fmt::format("'{0}' is an input: write it under 'in', as in: {{{0}: stage.port}}", entry.key);
    } else {
        hint = did_you_mean(entry.key, known_keys(stage));
    }
    diagnostics_.add(entry.key_place, fmt::format("stage kind '{}' has no parameter '{}'", stage.kind, printable(entry.key)),
                     hint);
}

std::optional<ParamValue> ParamReader::check(const ParamDescription& param, const ConfigValue& value) {
    if (param.type == ParamType::Network) return network(param, value);
    CheckedParam checked = check_param(param, value);
    if (!checked.mistake) return std::move(checked.value);
    diagnostics_.add(value.place(), checked.mistake->message, checked.mistake->hint);
    return std::nullopt;
}

std::optional<ParamValue> ParamReader::network(const ParamDescription& param, const ConfigValue& value) {
    if (value.is_null() && may_be_null(param)) return ParamValue(std::monostate(), value.place());
    if (value.is_list()) return network_from(value, diagnostics_);
    if (!value.is_scalar()) {
        diagnostics_.add(value.place(), fmt::format("'{}' must be a network, not {}", param.name, value.describe()),
                         "a list of layers, or the name of one under 'networks'");
        return std::nullopt;
    }
    const auto found = networks_.find(value.text());
    if (found == networks_.end()) {
        diagnostics_.add(value.place(), fmt::format("there is no network '{}'", printable(value.text())),
                         networks_.empty() ? "write it under 'networks', as a list of layers"
                                           : did_you_mean(value.text(), keys_of(networks_)));
        return std::nullopt;
    }
    return found->second;
}

std::optional<ParamValue> ParamReader::fallback(const StageDescription& stage, const ParamDescription& param) {
    if (!param.fallback) return std::nullopt;
    if (may_be_null(param)) return ParamValue();
    const auto known = fallbacks_.find(&param);
    if (known != fallbacks_.end()) return known->second;
    const std::string name = fmt::format("default of '{}' of stage kind '{}'", param.name, stage.kind);
    const ConfigValue text = parse_yaml(std::make_shared<const SourceText>(SourceText{name, *param.fallback}));
    return fallbacks_.emplace(&param, check(param, text)).first->second;
}

bool ParamReader::add_files(const StageDescription& stage, const Values& values, const Place& place,
                            std::vector<SourceFile>& files) {
    bool good = true;
    for (const ParamDescription& param : stage.params) {
        const auto found = values.find(param.name);
        if (found == values.end() || found->second.is_null()) continue;
        if (param.type == ParamType::Dataset) good = add_dataset(stage, values, found->second, files) && good;
        if (param.type == ParamType::File || param.type == ParamType::Folder) good = add_file(stage, param, values, place, files) && good;
    }
    return good;
}

bool ParamReader::add_dataset(const StageDescription& stage, const Values& values, const ParamValue& name,
                              std::vector<SourceFile>& files) {
    const Dataset* dataset = nullptr;
    try {
        dataset = datasets_.find(name.text());
    } catch (const Error& error) {  // its manifest is bad
        for (const Diagnostic& one : error.diagnostics()) diagnostics_.add(one.place, one.message, one.hint);
        return false;
    }
    if (!dataset) {
        diagnostics_.add(name.place(), fmt::format("there is no dataset '{}'", printable(name.text())),
                         did_you_mean(name.text(), datasets_.names()));
        return false;
    }
    const auto split = values.find("split");
    if (!stage.param("split")) {
        for (const auto& [one, roles] : dataset->splits)
            for (SourceFile& file : dataset->split_files(one)) files.push_back(std::move(file));
    } else if (split == values.end()) {
        return false;  // its mistake was reported
    } else if (!dataset->splits.contains(split->second.text())) {
        diagnostics_.add(split->second.place() ? split->second.place() : name.place(),
                         fmt::format("dataset '{}' has no split '{}'", dataset->name, printable(split->second.text())),
                         did_you_mean(split->second.text(), keys_of(dataset->splits)));
        return false;
    } else {
        files = dataset->split_files(split->second.text());
    }
    for (SourceFile& file : files) file.place = name.place();
    return true;
}

bool ParamReader::add_file(const StageDescription& stage, const ParamDescription& param, const Values& values, const Place& place,
                           std::vector<SourceFile>& files) {
    const ParamValue& value = values.at(param.name);
    // A default of another file than the stage's is a path in that file.
    auto known = folders_.find(value.place().source.get());
    if (known == folders_.end()) known = folders_.find(place.source.get());
    const std::filesystem::path folder = known == folders_.end() ? "" : known->second;
    const std::filesystem::path path = folder / std::filesystem::path(value.text());
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    const bool wants_folder = param.type == ParamType::Folder;
    if (wants_folder ? !std::filesystem::is_directory(status) : !std::filesystem::is_regular_file(status)) {
        const std::string name = printable(value.text());
        const std::string from = folder.empty() ? "the DAG file's folder" : printable(folder.string());
        if (wants_folder && std::filesystem::exists(status))
            diagnostics_.add(value.place(), "this is not a folder: " + name, "a single file is read by kind: read, file: " + name);
        else if (std::filesystem::is_directory(status))
            diagnostics_.add(value.place(), "this is a folder, not a file: " + name,
                             "a folder of images, one subfolder a class, is read by kind: read_images, folder: " + name);
        else if (const std::string_view kind = special_kind_of(path); !wants_folder && !kind.empty())
            diagnostics_.add(value.place(), fmt::format("this is {}, not a file: {}", kind, name), "relative paths begin at " + from);
        else
            diagnostics_.add(value.place(), fmt::format("there is no {} {}", wants_folder ? "folder" : "file", name),
                             "relative paths begin at " + from);
        return false;
    }
    SourceFile file;
    file.is_folder = wants_folder;
    file.role = param.name;
    file.path = path;
    file.place = value.place();
    bool good = true;
    if (is_array_file(stage, param)) good = read_header(file, values);
    if (is_weights_file(stage, param)) good = read_array_types(file);
    files.push_back(std::move(file));
    return good;
}

bool ParamReader::read_header(SourceFile& file, const Values& values) {
    const auto selection = selection_from(values, diagnostics_);
    if (!selection) return false;
    try {
        file.header = array_type_(file.path, *selection);
        return true;
    } catch (const Error& error) {
        for (const Diagnostic& one : error.diagnostics()) diagnostics_.add(file.place, one.message, one.hint);
        return false;
    }
}

bool ParamReader::read_array_types(SourceFile& file) {
    try {
        file.arrays = named_array_types(file.path);
        return true;
    } catch (const Error& error) {
        for (const Diagnostic& one : error.diagnostics()) diagnostics_.add(file.place, one.message, one.hint);
        return false;
    }
}

}  // namespace satdl
