#include "pipeline/dag_file/stage_defaults.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/catalog/execution_policy.h"
#include "pipeline/catalog/stage_rules.h"
#include "pipeline/dag_file/job_settings_reader.h"
#include "pipeline/dag_file/stage_settings.h"

namespace satdl {
namespace {

constexpr std::string_view kAll = "*";

bool is_policy_key(std::string_view key) { return std::ranges::find(kExecutionPolicyKeys, key) != kExecutionPolicyKeys.end(); }

bool can_take(const StageDescription& stage, std::string_view param) {
    return stage.param(param) != nullptr || is_policy_key(param);
}

// All that is wrong with a literal default is one mistake, however many kinds take it: it is its own origin.
ConfigValue as_one_mistake(const ConfigValue& value) {
    if (has_reference(value) || !value.place()) return value;
    Place place = value.place();
    place.origin = std::make_shared<const Place>(place);
    return value.at(std::move(place));
}

// Whether the value of the parameter, or the input, that a default conflicts with is the same under all settings.
bool is_constant(const StageDefaults::Body& body, const std::string& name, bool is_input) {
    if (!is_input && is_set_on_command_line(name, *body.own)) return false;
    const ConfigValue* map = is_input ? body.own->find("in") : &body.merged;
    const ConfigValue* value = map != nullptr ? map->find(name) : nullptr;
    return value == nullptr || !has_reference(*value);
}

// Whether the default only adds to what is more specific.
bool is_joined(const ConfigValue::Entry& under, const ConfigValue& over) {
    return under.key == "resources" && under.value.is_map() && over.is_map();
}

void merge(StageDefaults::Body& body) {
    std::vector<ConfigValue::Entry> entries = body.own->entries();
    for (const StageDefaults::Default* one : body.taken) {
        const auto own = std::ranges::find(entries, one->entry.key, &ConfigValue::Entry::key);
        if (own == entries.end()) entries.push_back(one->entry);
        else own->value = joined_maps(own->value, one->entry.value);
    }
    body.merged = ConfigValue::map(std::move(entries), body.own->place());
}

// Where a parameter of a stage comes from, the most specific first.
enum class Source { Stage, Kind, All, BuiltIn };

Source source_of(const StageDefaults::Body& body, std::string_view param) {
    if (body.own->find(param) != nullptr) return Source::Stage;
    const StageDefaults::Default* from = body.find_default(param);
    if (from == nullptr) return Source::BuiltIn;
    return from->is_for_all ? Source::All : Source::Kind;
}

// Which of the two gives way; nothing if neither does.
std::optional<std::string> yielding(const StageDefaults::Body& body, const ParamConflict& conflict) {
    const Source param = source_of(body, conflict.param);
    const Source other = conflict.other_is_input ? Source::Stage : source_of(body, conflict.other);
    switch (conflict.rule) {
        case ParamConflict::Rule::Needs:
            if (param != Source::Stage && (other < param || other == Source::BuiltIn)) return conflict.param;
            return std::nullopt;
        case ParamConflict::Rule::Excludes:
            if (param == other) return std::nullopt;
            return param > other ? conflict.param : conflict.other;
        case ParamConflict::Rule::Below:
            return std::nullopt;
    }
    return std::nullopt;
}

// The stage does not take the default.
void set_aside(StageDefaults::Default& one, Diagnostic why) {
    if (one.conflict) return;
    why.hint += fmt::format("{}no stage takes this default", why.hint.empty() ? "" : "\n");
    one.conflict = std::move(why);
}

}  // namespace

StageDefaults::Default* StageDefaults::Body::find_default(std::string_view param) const {
    const auto found = std::ranges::find_if(taken, [&](const Default* one) { return one->entry.key == param; });
    return found == taken.end() ? nullptr : *found;
}

StageDefaults::StageDefaults(const ConfigValue& section, const ConfigValue& stages, const Catalog& catalog,
                             Interpolation& interpolation, Diagnostics& diagnostics)
    : section_(section),
      stages_(stages),
      catalog_(catalog),
      interpolation_(interpolation),
      diagnostics_(diagnostics),
      kinds_(kinds_of(stages, catalog)) {
    for (const ConfigValue::Entry& group : section_.entries()) {
        const StageDescription* kind = group.key == kAll ? nullptr : find_kind(group);
        if (!group.value.is_map() && !group.value.is_null())
            diagnostics_.add(group.value.place(),
                             fmt::format("the defaults of '{}' must be a map of parameters, not {}", printable(group.key),
                                         group.value.describe()));
        if (kind == nullptr && group.key != kAll) continue;
        for (const ConfigValue::Entry& entry : group.value.entries()) add(group.value, entry, kind);
    }
}

StageDefaults::Kinds StageDefaults::kinds_of(const ConfigValue& stages, const Catalog& catalog) {
    Kinds kinds;
    kinds.may_have_others = stages.entries().empty();
    for (const ConfigValue::Entry& entry : stages.entries()) {
        const ConfigValue* items = entry.value.find("foreach");
        if (items == nullptr) items = entry.value.find("matrix");
        const ConfigValue* body = items == nullptr ? &entry.value : entry.value.find("do");
        const ConfigValue* kind = body != nullptr ? body->find("kind") : nullptr;
        const CatalogEntry* found = kind != nullptr && !has_reference(*kind) ? catalog.find(kind->text()) : nullptr;
        if (found == nullptr)
            kinds.may_have_others = true;
        else if (std::ranges::find(kinds.written, &found->description) == kinds.written.end())
            kinds.written.push_back(&found->description);
        if (items != nullptr && has_reference(*items)) kinds.may_have_more_stages = true;
    }
    return kinds;
}

// The kind that a key of `defaults:` names. One that is misspelt is read as the kind that it is most like, so that its stages are
// not also reported to lack parameters; null if there is none.
const StageDescription* StageDefaults::find_kind(const ConfigValue::Entry& group) {
    if (const CatalogEntry* found = catalog_.find(group.key)) {
        std::vector<std::string> written;
        for (const StageDescription* kind : kinds_.written) written.push_back(kind->kind);
        if (!kinds_.may_have_others && std::ranges::find(kinds_.written, &found->description) == kinds_.written.end())
            diagnostics_.add(group.key_place, fmt::format("no stage is of kind '{}'", group.key), did_you_mean(group.key, written));
        return &found->description;
    }
    const std::vector<std::string> kinds = catalog_.kinds();
    diagnostics_.add(group.key_place, fmt::format("there is no stage kind '{}'", printable(group.key)),
                     stages_.find(group.key) != nullptr ? fmt::format("'{}' is a stage; defaults are given by kind", group.key)
                                                        : did_you_mean(group.key, kinds));
    const auto meant = nearest(group.key, kinds);
    return meant && section_.find(*meant) == nullptr ? &catalog_.find(*meant)->description : nullptr;
}

// `kind`: null for "*".
void StageDefaults::add(const ConfigValue& group, const ConfigValue::Entry& entry, const StageDescription* kind) {
    const std::vector<std::string> known = params_of(kind);
    std::string name = entry.key;
    if (std::ranges::find(known, name) == known.end()) {
        report_unknown(entry, kind, known);
        const auto meant = nearest(name, known);
        if (!meant || group.find(*meant) != nullptr) return;
        name = *meant;  // so that stages are not also reported to lack it
    }
    // `${item}` is not defined here, even if every stage that takes the default has one.
    (void)interpolation_.apply(entry.value);
    defaults_.push_back({kind == nullptr, {std::move(name), entry.key_place, as_one_mistake(entry.value)}});
    (kind == nullptr ? for_all_ : for_kind_[kind]).push_back(&defaults_.back());
}

std::vector<std::string> StageDefaults::params_of(const StageDescription* kind) const {
    std::vector<const StageDescription*> kinds = kinds_.written;
    if (kind != nullptr) {
        kinds = {kind};
    } else if (kinds_.may_have_others) {
        kinds.clear();
        for (const std::string& name : catalog_.kinds()) kinds.push_back(&catalog_.find(name)->description);
    }
    std::vector<std::string> names;
    for (const StageDescription* one : kinds)
        for (const ParamDescription& param : one->params)
            if (std::ranges::find(names, param.name) == names.end()) names.push_back(param.name);
    names.insert(names.end(), kExecutionPolicyKeys.begin(), kExecutionPolicyKeys.end());
    return names;
}

void StageDefaults::report_unknown(const ConfigValue::Entry& entry, const StageDescription* kind, const std::vector<std::string>& known) {
    const std::string name = printable(entry.key);
    if (is_stage_key(entry.key)) return diagnostics_.add(entry.key_place, fmt::format("'{}' cannot have a default", name),
                                                          fmt::format("defaults are parameters, or {}", fmt::join(kExecutionPolicyKeys, ", ")));
    if (kind == nullptr)
        return diagnostics_.add(entry.key_place, fmt::format("no stage has a parameter '{}'", name), did_you_mean(entry.key, known));
    diagnostics_.add(entry.key_place, fmt::format("stage kind '{}' has no parameter '{}'", kind->kind, name),
                     kind->input(entry.key) != nullptr ? fmt::format("'{}' is an input; inputs have no defaults", name)
                                                       : did_you_mean(entry.key, known));
}

const std::vector<StageDefaults::Default*>& StageDefaults::defaults_of(const StageDescription& stage) {
    const auto [found, is_new] = merged_.try_emplace(&stage);
    if (!is_new) return found->second;
    std::vector<Default*>& merged = found->second;
    if (const auto own = for_kind_.find(&stage); own != for_kind_.end()) merged = own->second;
    const std::size_t of_kind = merged.size();
    for (Default* one : for_all_) {
        const auto same = [&](const Default* other) { return other->entry.key == one->entry.key; };
        const auto end = merged.begin() + static_cast<std::ptrdiff_t>(of_kind);
        if (!can_take(stage, one->entry.key)) continue;
        const auto kinds_own = std::find_if(merged.begin(), end, same);
        if (kinds_own == end) {
            merged.push_back(one);
        } else {
            one->is_used = true;  // overridden by the kind's
            if (is_joined(one->entry, (*kinds_own)->entry.value)) *kinds_own = joined(**kinds_own, *one);
        }
    }
    return merged;
}

StageDefaults::Default* StageDefaults::joined(const Default& over, const Default& under) {
    defaults_.push_back({over.is_for_all, {over.entry.key, over.entry.key_place, joined_maps(over.entry.value, under.entry.value)}});
    return &defaults_.back();
}

StageDefaults::Body StageDefaults::add_to(const ConfigValue& own, const StageDescription& stage) {
    Body body{&own, own, {}};
    for (Default* one : defaults_of(stage)) {
        const ConfigValue* const given = own.find(one->entry.key);
        if (given == nullptr || is_joined(one->entry, *given))
            body.taken.push_back(one);
        else
            one->is_used = true;  // overridden by the stage's own
    }
    Default* delay = body.find_default("retry_delay");
    if (delay != nullptr && source_of(body, "retries") == Source::BuiltIn) {
        set_aside(*delay, {delay->entry.value.place(), "'retry_delay' has no effect without 'retries'", ""});
        std::erase(body.taken, delay);
    }
    if (!body.taken.empty()) merge(body);
    return body;
}

bool StageDefaults::resolve(const std::vector<ParamConflict>& conflicts, Body& body) {
    std::vector<Default*> removed;
    for (const ParamConflict& conflict : conflicts) {
        const auto name = yielding(body, conflict);
        if (!name) continue;
        Default* one = body.find_default(*name);
        SATDL_CHECK(one != nullptr, "only a default gives way");
        const bool is_param = *name == conflict.param;
        const Place& place = is_param ? conflict.diagnostic.place : one->entry.value.place();
        if (is_constant(body, is_param ? conflict.other : conflict.param, is_param && conflict.other_is_input))
            set_aside(*one, {place, conflict.diagnostic.message, conflict.diagnostic.hint});
        else
            one->is_used = true;  // under other settings there is no such conflict
        removed.push_back(one);
    }
    if (removed.empty()) return false;
    std::erase_if(body.taken, [&](Default* one) { return std::ranges::find(removed, one) != removed.end(); });
    merge(body);
    return true;
}

void StageDefaults::use(const Body& body) {
    for (Default* one : body.taken) one->is_used = true;
}

void StageDefaults::report_unused() {
    if (kinds_.may_have_others || kinds_.may_have_more_stages) return;
    for (const Default& one : defaults_)
        if (!one.is_used && one.conflict) diagnostics_.add(one.conflict->place, one.conflict->message, one.conflict->hint);
}

}  // namespace satdl
