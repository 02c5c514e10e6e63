#include "pipeline/dag_file/stage_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "pipeline/catalog/stage_rules.h"
#include "pipeline/core/ascii.h"
#include "pipeline/dag_file/execution_policy_reader.h"
#include "pipeline/dag_file/foreach_matrix.h"
#include "pipeline/dag_file/param_constraints.h"

namespace satdl {
namespace {

constexpr std::size_t kLongestName = 64;
constexpr std::size_t kLongestExpanded = 200;  // names become names of files
constexpr std::size_t kEnoughMistakes = 50;    // with more, no candidates are searched: with many stages that takes long

bool is_stage_name(std::string_view text) { return text.size() <= kLongestName && is_dashed_identifier(text); }

// The help of an input, as a second line of a hint.
std::string help_line(const PortDescription& port) {
    return port.help.empty() ? "" : fmt::format("\n{}: {}", port.name, port.help);
}

}  // namespace

void StageReader::declare(const ConfigValue::Entry& entry) {
    const std::string name = printable(entry.key.substr(0, kLongestName));
    if (!is_stage_name(entry.key))
        diagnostics_.add(
            entry.key_place, fmt::format("'{}' is not a valid stage name", name),
            fmt::format("use letters, digits, '_' and '-', starting with a letter or '_', at most {}", kLongestName));
    if (!entry.value.is_map()) {
        diagnostics_.add(entry.value.place(), fmt::format("stage '{}' must be a map, not {}", name, entry.value.describe()),
                         fmt::format("{}: {{kind: ..., in: {{...}}, ...}}", name));
        declared_.push_back({entry.key, entry.key, nullptr, {}, entry.key_place, nullptr});
        return;
    }
    const ConfigValue* foreach = entry.value.find("foreach");
    const ConfigValue* matrix = entry.value.find("matrix");
    if (!foreach && !matrix) return declare_one(entry, entry.value, "", {});

    const ConfigValue* body = entry.value.find("do");
    for (const ConfigValue::Entry& key : entry.value.entries())
        if (&key.value != foreach && &key.value != matrix && &key.value != body)
            diagnostics_.add(
                key.key_place,
                fmt::format("'{}' is not allowed next to '{}'", printable(key.key), foreach ? "foreach" : "matrix"),
                "move it into 'do', which describes the stage");
    if (foreach && matrix) diagnostics_.add(entry.key_place, "a stage can have 'foreach' or 'matrix', not both");
    if (!body || !body->is_map()) {
        diagnostics_.add(body ? body->place() : entry.key_place,
                         "'foreach' and 'matrix' need a 'do' that describes the stage", "do: {kind: ..., in: {...}, ...}");
        body = nullptr;
    }
    groups_[entry.key];  // known, even if it has no stages
    const std::size_t mistakes = diagnostics_.found().size();
    const auto items = interpolation_.apply(foreach ? *foreach : *matrix);
    if (!items || !body) {
        incomplete_.insert(entry.key);
        return;
    }
    if (has_reference(foreach ? *foreach : *matrix) && items->items().empty() && items->is_list()) {
        chosen_empty_.insert(entry.key);
        return;
    }
    std::vector<ExpandedItem> expanded = foreach ? expand_foreach(*items, diagnostics_) : expand_matrix(*items, diagnostics_);
    if (diagnostics_.found().size() > mistakes) incomplete_.insert(entry.key);
    for (ExpandedItem& one : expanded)
        declare_one(entry, *body, one.suffix, {{"item", std::move(one.item)}, {"key", std::move(one.key)}});
}

void StageReader::declare_one(const ConfigValue::Entry& entry, const ConfigValue& body, const std::string& suffix, LocalNames locals) {
    DeclaredStage declared{entry.key, entry.key, &body, std::move(locals), entry.key_place, nullptr};
    if (!suffix.empty()) {
        declared.name += "@" + suffix;
        groups_[entry.key].push_back(declared_.size());
        if (declared.name.size() > kLongestExpanded)
            diagnostics_.add(entry.key_place,
                             fmt::format("the stage's name is longer than {} characters: {}...", kLongestExpanded,
                                         printable(declared.name.substr(0, kLongestName))));
    }
    declared.stage = find_kind(entry, body, declared.locals);
    if (declared.stage != nullptr && declared.stage->description.kind == kCommandKind) {
        declared.command = commands_.declare(body, declared.locals, declared.place);
        declared.stage = &declared.command->entry;
    }
    declared_.push_back(std::move(declared));
}

const CatalogEntry* StageReader::find_kind(const ConfigValue::Entry& entry, const ConfigValue& body, const LocalNames& locals) {
    const ConfigValue* raw = body.find("kind");
    if (!raw) {
        diagnostics_.add(entry.key_place, fmt::format("stage '{}' has no kind", printable(entry.key)),
                         "add 'kind: ...'; `satdl stages` lists all kinds");
        return nullptr;
    }
    const auto kind = interpolation_.apply(*raw, locals);
    if (!kind) return nullptr;
    const CatalogEntry* found = kind->is_scalar() ? catalog_.find(kind->text()) : nullptr;
    if (!found) {
        const bool is_text = kind->is_scalar();
        diagnostics_.add(kind->place(),
                         is_text ? fmt::format("there is no stage kind '{}'", printable(kind->text()))
                                 : fmt::format("'kind' must be text, not {}", kind->describe()),
                         catalog_.kinds().size() > 1 ? did_you_mean(kind->text(), catalog_.kinds())
                                                     : "no stage library is loaded: libsatdl_stages.so is not beside the program");
    }
    return found;
}

void StageReader::end_of_declarations() {
    by_name_.reserve(declared_.size());
    for (NodeId id = 0; id < declared_.size(); ++id) by_name_.emplace(declared_[id].name, id);
}

StageReader::ReadStage StageReader::read(NodeId id, StageDefaults& defaults) {
    const DeclaredStage& declared = declared_[id];
    ReadStage result;
    Node& node = result.node;
    node.name = declared.name;
    node.group = declared.group;
    node.place = declared.place;
    node.stage = declared.stage;
    if (!declared.stage) {
        result.good = false;
        return result;
    }
    if (const ConfigValue* raw = declared.body->find("about")) {
        const auto about = interpolation_.apply(*raw, declared.locals);
        if (about && !about->is_scalar()) diagnostics_.add(about->place(), "'about' must be text, not " + about->describe());
        if (about) node.about = about->text();
    }
    if (declared.command) {
        read_command(declared, defaults, result);
        return result;
    }
    StageDefaults::Body body = defaults.add_to(*declared.body, declared.stage->description);
    node.policy = read_execution_policy(body.merged, declared.locals, interpolation_, diagnostics_);
    StageParams params = params_.read(declared.stage->description, body.merged, declared.locals, declared.place);
    node.params = std::move(params.params);
    node.files = std::move(params.files);
    result.good = read_inputs(declared, node) && params.good;
    if (result.good) result.good = resolve_conflicts(declared, defaults, body, node);
    jobs_.read(body.merged, declared.locals, node);
    StageDefaults::use(body);
    return result;
}

void StageReader::read_command(const DeclaredStage& declared, StageDefaults& defaults, ReadStage& result) {
    const StageDefaults::Body body = defaults.add_to(*declared.body, catalog_.find(kCommandKind)->description);
    Node& node = result.node;
    node.command = declared.command;
    node.policy = read_execution_policy(body.merged, declared.locals, interpolation_, diagnostics_);
    result.good = read_inputs(declared, node);
    // What arrives decides of what kind an input is.
    for (const Input& input : node.inputs) {
        const PortKind kind = declared_[input.from].stage->description.output(input.from_port)->kind;
        std::ranges::find(declared.command->entry.description.inputs, input.port, &PortDescription::name)->kind = kind;
    }
    result.good = commands_.read(*declared.command, body.merged, declared.locals, node) && result.good;
    jobs_.read(body.merged, declared.locals, node);
    StageDefaults::use(body);
}

// Reads the parameters again without the defaults that yield to others. False: conflicts remain, and are reported.
bool StageReader::resolve_conflicts(const DeclaredStage& declared, StageDefaults& defaults, StageDefaults::Body& body, Node& node) {
    std::vector<ParamConflict> conflicts = find_conflicts(node);
    while (!conflicts.empty() && defaults.resolve(conflicts, body)) {
        StageParams params = params_.read(declared.stage->description, body.merged, declared.locals, declared.place);
        node.params = std::move(params.params);
        node.files = std::move(params.files);
        conflicts = find_conflicts(node);
    }
    for (ParamConflict& conflict : conflicts) {
        Diagnostic& one = conflict.diagnostic;
        if (body.find_default(conflict.param) != nullptr)
            one.hint += fmt::format("{}in stage '{}'", one.hint.empty() ? "" : "\n", node.name);
        diagnostics_.add(std::move(one.place), std::move(one.message), std::move(one.hint));
    }
    return conflicts.empty();
}

bool StageReader::read_inputs(const DeclaredStage& declared, Node& node) {
    const ConfigValue* raw = declared.body->find("in");
    const auto written = written_inputs(declared, raw);
    if (!written) return false;
    bool good = true;
    const StageDescription& stage = declared.stage->description;
    for (const PortDescription& port : stage.inputs) {
        const auto value = written->find(port.name);
        if (value != written->end() && !(value->second.is_null() && port.optional)) {
            if (auto input = connect(port, declared.command ? std::nullopt : std::optional(port.kind), value->second))
                node.inputs.push_back(std::move(*input));
            else
                good = false;
        } else if (!port.optional && !(raw && raw->find(port.name))) {
            good = false;
            // If it has a misspelt name or is in the wrong place, that is reported instead.
            if ((raw && is_misspelt(port.name, *raw, names_of(stage.inputs))) || declared.body->find(port.name)) continue;
            diagnostics_.add(raw && raw->place() ? raw->place() : declared.place,
                             fmt::format("stage kind '{}' needs the input '{}'", stage.kind, port.name),
                             fmt::format("in: {{{}: stage.port}}{}", port.name, help_line(port)));
        }
    }
    return good && written->size() == (raw ? raw->entries().size() : 0);
}

// The inputs that have no mistake of their own yet, by port.
std::optional<std::map<std::string, ConfigValue>> StageReader::written_inputs(const DeclaredStage& declared, const ConfigValue* raw) {
    std::map<std::string, ConfigValue> written;
    if (!raw || raw->is_null()) return written;
    if (!raw->is_map()) {
        diagnostics_.add(raw->place(), "'in' must be a map from port to stage.port, not " + raw->describe(),
                         "in: {port: stage.port, ...}");
        return std::nullopt;
    }
    const StageDescription& stage = declared.stage->description;
    for (const ConfigValue::Entry& entry : raw->entries()) {
        if (!stage.input(entry.key)) {
            report_unknown_input(stage, entry);
            continue;
        }
        if (auto value = interpolation_.apply(entry.value, declared.locals)) written.emplace(entry.key, std::move(*value));
    }
    return written;
}

void StageReader::report_unknown_input(const StageDescription& stage, const ConfigValue::Entry& entry) {
    std::string hint;
    if (stage.param(entry.key)) {
        hint = fmt::format("'{}' is a parameter: write it next to 'kind', not under 'in'", entry.key);
    } else {
        const std::vector<std::string> known = names_of(stage.inputs);
        hint = known.empty() ? "it has no inputs" : did_you_mean(entry.key, known);
    }
    diagnostics_.add(entry.key_place, fmt::format("stage kind '{}' has no input '{}'", stage.kind, printable(entry.key)),
                     hint);
}

std::optional<Input> StageReader::connect(const PortDescription& port, std::optional<PortKind> kind, const ConfigValue& value) {
    if (!value.is_scalar()) {
        diagnostics_.add(value.place(), fmt::format("input '{}' must be stage.port, not {}", port.name, value.describe()));
        return std::nullopt;
    }
    const std::string_view text = value.text();
    if (const auto whole = by_name_.find(text); whole != by_name_.end()) return fitting_output(port, kind, value, whole->second);
    const std::size_t dot = text.rfind('.');
    const std::string_view stage = text.substr(0, dot);
    const auto found = by_name_.find(stage);
    if (dot == std::string_view::npos || found == by_name_.end()) {
        report_unknown_stage(value, std::string(stage));
        return std::nullopt;
    }
    const CatalogEntry* from = declared_[found->second].stage;
    if (!from) return std::nullopt;  // its kind is unknown
    const std::string_view from_port = text.substr(dot + 1);
    if (from->description.output(from_port)) return Input{port.name, found->second, std::string(from_port), value.place()};
    diagnostics_.add(
        value.place(),
        fmt::format("'{}' (stage kind '{}') has no output '{}'", stage, from->description.kind, printable(from_port)),
        did_you_mean(from_port, names_of(from->description.outputs)));
    return std::nullopt;
}

std::optional<Input> StageReader::fitting_output(const PortDescription& port, std::optional<PortKind> kind, const ConfigValue& value,
                                                 NodeId from) {
    if (!declared_[from].stage) return std::nullopt;
    const std::vector<PortDescription>& outputs = declared_[from].stage->description.outputs;
    if (outputs.size() == 1) return Input{port.name, from, outputs[0].name, value.place()};
    std::vector<PortDescription> fitting;
    std::ranges::copy_if(outputs, std::back_inserter(fitting), [&](const PortDescription& one) { return !kind || one.kind == *kind; });
    if (fitting.size() == 1) return Input{port.name, from, fitting[0].name, value.place()};
    if (fitting.empty())
        diagnostics_.add(value.place(),
                         fmt::format("'{}' has no output that is of the kind {}, as '{}' is", value.text(), name_of(port.kind), port.name),
                         outputs.empty() ? "" : fmt::format("its outputs: {}", fmt::join(names_of(outputs), ", ")));
    else
        diagnostics_.add(value.place(), fmt::format("'{}' has several outputs: {}", value.text(), fmt::join(names_of(fitting), ", ")),
                         fmt::format("name one of them, such as {}.{}", value.text(), fitting[0].name));
    return std::nullopt;
}

void StageReader::report_unknown_stage(const ConfigValue& value, const std::string& stage) {
    const std::string name = stage.substr(0, stage.find('@'));  // of a group, if it is one
    const auto group = groups_.find(name);
    if (group != groups_.end() && name == stage && !group->second.empty()) {
        const std::string& first = declared_[group->second.front()].name;
        diagnostics_.add(value.place(), fmt::format("'{}' is a group of stages", stage),
                         fmt::format("name one of them, such as {}.port", first));
        return;
    }
    if (chosen_empty_.contains(name)) {
        diagnostics_.add(value.place(), fmt::format("the group '{}' is empty", name),
                         "the parameter that lists its items is empty");
        return;
    }
    if (incomplete_.contains(name)) return;  // the mistake was reported
    std::vector<std::string> known;
    if (diagnostics_.found().size() < kEnoughMistakes)
        for (const DeclaredStage& declared : declared_) known.push_back(declared.name);
    diagnostics_.add(value.place(), fmt::format("there is no stage '{}'", printable(stage)), did_you_mean(stage, known));
}

}  // namespace satdl
