#include "commands/import/dvc_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "pipeline/core/ascii.h"
#include "pipeline/yaml/yaml_parser.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultParameters = "params.yaml";
constexpr std::size_t kMaxMembers = 10'000;  // of one group
constexpr std::size_t kLongestSuffix = 64;

// The text with '_' for what cannot be part of a stage's name, and none of `taken`.
std::string as_suffix(std::string text, std::set<std::string>& taken) {
    for (char& c : text)
        if (!is_made_of(std::string_view(&c, 1), "_.+-")) c = '_';
    text = text.substr(0, kLongestSuffix - 8);
    if (text.empty()) text = "_";
    std::string suffix = text;
    for (int i = 2; !taken.insert(suffix).second; ++i) suffix = fmt::format("{}_{}", text, i);
    return suffix;
}

bool is_collection(const ConfigValue& value) { return value.is_map() || value.is_list(); }

std::string text_of(const ConfigValue& value) { return value.is_null() ? "None" : value.text(); }

// The items of a group: DVC's key of each, and its value.
struct Item {
    std::string key;
    std::string suffix;
    ConfigValue value;
};

// `prefix`: how DVC calls items that are maps or lists.
std::vector<Item> items_of(const ConfigValue& items, const std::string& prefix) {
    std::vector<Item> found;
    std::set<std::string> taken;
    for (const ConfigValue::Entry& entry : items.entries()) found.push_back({entry.key, as_suffix(entry.key, taken), entry.value});
    const bool has_collection = std::ranges::any_of(items.items(), is_collection);
    for (std::size_t i = 0; i < items.items().size(); ++i) {
        const ConfigValue& value = items.items()[i];
        const bool has_number = prefix.empty() ? has_collection : is_collection(value);
        std::string key = has_number ? fmt::format("{}{}", prefix, i) : text_of(value);
        std::string suffix = as_suffix(key, taken);
        found.push_back({std::move(key), std::move(suffix), value});
    }
    return found;
}

// The items as the DAG says them: a list if its names are the items, else a map.
ConfigValue items_for_dag(const std::vector<Item>& items) {
    std::vector<ConfigValue> list;
    std::vector<ConfigValue::Entry> map;
    for (const Item& item : items) {
        if (item.value.is_scalar() && item.value.text() == item.suffix) list.push_back(without_references(item.value));
        map.push_back({item.suffix, {}, without_references(item.value)});
    }
    return list.size() == items.size() ? ConfigValue::list(std::move(list)) : ConfigValue::map(std::move(map));
}

// With `${...}` replaced by their values, in items of groups.
ConfigValue with_values(const ConfigValue& value, const DvcScope& scope, ImportNotes& notes) {
    if (value.is_list()) {
        std::vector<ConfigValue> items;
        for (const ConfigValue& item : value.items()) items.push_back(with_values(item, scope, notes));
        return ConfigValue::list(std::move(items), value.place());
    }
    if (value.is_map()) {
        std::vector<ConfigValue::Entry> entries;
        for (const ConfigValue::Entry& entry : value.entries())
            entries.push_back({entry.key, entry.key_place, with_values(entry.value, scope, notes)});
        return ConfigValue::map(std::move(entries), value.place());
    }
    if (value.is_null() || value.text().find("${") == std::string::npos) return dvc_value(value);
    if (const auto named = scope.named_by(value)) return named->value;
    const auto text = scope.resolve(value, DvcScope::Use::Path, notes);
    return text ? ConfigValue::scalar(text->value, true, value.place()) : ConfigValue::null(value.place());
}

// The items, or the `${name}` that the DAG can say as well.
ConfigValue said(const ConfigValue& written, const std::vector<Item>& items, const DvcScope& scope) {
    ConfigValue for_dag = items_for_dag(items);
    const auto named = scope.named_by(written);
    if (!named || !named->reference) return for_dag;
    const bool is_same = for_dag.is_list() == named->value.is_list() && for_dag.canonical() == without_references(named->value).canonical();
    return is_same ? ConfigValue::of_text(*named->reference) : for_dag;
}

std::optional<std::string> reference_to(const std::string& parameter) {
    return is_dashed_identifier(parameter) ? std::optional(fmt::format("${{{}}}", parameter)) : std::nullopt;
}

}  // namespace

// ---- parameters ----

const ConfigValue* DvcParameters::file(const fs::path& path, const Place& place, bool is_optional) {
    const auto [found, is_new] = files_.try_emplace(path);
    std::optional<ConfigValue>& values = found->second;
    std::error_code error;
    const std::string name = path.string();
    if (is_new && fs::exists(folder_ / path, error)) {
        const std::string ending = path.extension().string();
        if (ending != ".yaml" && ending != ".yml" && ending != ".json") return nullptr;
        const ConfigValue read = dvc_value(parse_yaml_file((folder_ / path).string()));
        if (read.is_map()) values = read;
        else notes_.fail(read.place(), fmt::format("{} is {}, not a map of parameters", printable(name), read.describe()));
    } else if (!values && !is_optional && !fs::exists(folder_ / path, error)) {
        notes_.fail(place, fmt::format("there is no file {}", printable(name)), "DVC reads parameters from it");
    }
    return values ? &*values : nullptr;
}

std::optional<ConfigValue> DvcParameters::values_of(const ConfigValue& one, const fs::path& wdir, bool is_global) {
    if (one.is_map()) return dvc_value(one);
    const std::size_t colon = std::min(one.text().find(':'), one.text().size());
    const fs::path path = (wdir / one.text().substr(0, colon)).lexically_normal();
    const ConfigValue* whole = file(path, one.place());
    if (whole == nullptr) {
        std::error_code error;
        if (fs::exists(folder_ / path, error))
            notes_.fail(one.place(), fmt::format("{} cannot be read", printable(path.string())), "'vars' are .yaml, .yml or .json here");
        return std::nullopt;
    }
    if (colon >= one.text().size()) {
        if (is_global) in_global_[path] = {};
        return *whole;
    }
    std::vector<ConfigValue::Entry> entries;
    std::string_view keys = std::string_view(one.text()).substr(colon + 1);
    while (!keys.empty()) {
        const std::size_t end = std::min(keys.find(','), keys.size());
        const std::string key(keys.substr(0, end));
        keys.remove_prefix(std::min(end + 1, keys.size()));
        const ConfigValue* value = whole->find(key);
        if (value == nullptr) notes_.fail(one.place(), fmt::format("{} has no '{}'", printable(path.string()), printable(key)));
        else entries.push_back({key, one.place(), *value});
        if (is_global) in_global_[path].push_back(key);
    }
    return ConfigValue::map(std::move(entries));
}

void DvcParameters::add_vars(const ConfigValue& vars) {
    if (const ConfigValue* usual = file(kDefaultParameters, {}, true)) {
        global_ = *usual;
        in_global_[kDefaultParameters] = {};
    }
    for (const ConfigValue& one : vars.items())
        if (const auto values = values_of(one, {}, true)) global_ = merged(global_, *values);
}

void DvcParameters::add_to(DvcScope& scope, const ConfigValue* stage_vars, const fs::path& wdir) {
    ConfigValue own = ConfigValue::map({});
    if (stage_vars != nullptr)
        for (const ConfigValue& one : stage_vars->items())
            if (const auto values = values_of(one, wdir, false)) own = merged(own, *values);
    for (const ConfigValue::Entry& entry : global_.entries()) scope.add(entry.key, entry.value, reference_to(entry.key));
    for (const ConfigValue::Entry& entry : own.entries()) {
        const ConfigValue* known = global_.find(entry.key);
        scope.add(entry.key, known != nullptr ? merged(*known, entry.value) : entry.value, std::nullopt);
    }
}

ConfigValue DvcParameters::parameter(const fs::path& path, const std::string& name) {
    const ConfigValue& value = *value_at(*files_.at(path), name);
    const std::vector<std::string> parts = parts_of_name(name);
    if (!can_be_referred_to(*files_.at(path), name)) {
        if (!value.is_map()) return without_references(value);
        std::vector<ConfigValue::Entry> entries;
        for (const ConfigValue::Entry& entry : value.entries())
            entries.push_back(
                {entry.key,
                 {},
                 is_dashed_identifier(entry.key) ? parameter(path, name + "." + entry.key) : without_references(entry.value)});
        return ConfigValue::map(std::move(entries));
    }
    const auto global = in_global_.find(path);
    const bool is_global =
        global != in_global_.end() && (global->second.empty() || std::ranges::find(global->second, parts.front()) != global->second.end());
    if (is_global) return ConfigValue::of_text(fmt::format("${{{}}}", name));
    std::string& space = namespaces_[path];
    if (space.empty()) {
        space = path.stem().string();
        for (char& c : space)
            if (!is_made_of(std::string_view(&c, 1), "_-")) c = '_';
        if (!is_dashed_identifier(space)) space = "params_" + space;
        const auto is_taken = [&] {
            return global_.find(space) != nullptr ||
                   std::ranges::count_if(namespaces_, [&](const auto& one) { return one.second == space; }) > 1;
        };
        while (is_taken()) space += '_';
    }
    return ConfigValue::of_text(fmt::format("${{{}.{}}}", space, name));
}

ConfigValue DvcParameters::with_parameter_names(const ConfigValue& value) {
    if (!value.is_map()) return value;
    std::vector<ConfigValue::Entry> entries;
    for (const ConfigValue::Entry& entry : value.entries()) {
        if (is_dashed_identifier(entry.key)) entries.push_back({entry.key, {}, with_parameter_names(entry.value)});
        else
            notes_.warn(
                entry.key_place,
                fmt::format("'{}' cannot be the name of a parameter here: where it is used, its present value is written", entry.key));
    }
    return ConfigValue::map(std::move(entries), value.place());
}

ConfigValue DvcParameters::for_dag() {
    std::vector<ConfigValue::Entry> entries = with_parameter_names(without_references(global_)).entries();
    for (const auto& [path, name] : namespaces_) entries.push_back({name, {}, with_parameter_names(without_references(*files_.at(path)))});
    return ConfigValue::map(std::move(entries));
}

// ---- the file ----

DvcFile::DvcFile(const fs::path& file, ImportNotes& notes)
    : folder_(file.parent_path()), notes_(notes), document_(parse_yaml_file(file.string())), parameters_(folder_, notes) {
    const ConfigValue* stages = document_.find("stages");
    if (stages == nullptr || !stages->is_map() || stages->entries().empty())
        refuse(document_.place(), fmt::format("{} has no stages", printable(file.string())), "a dvc.yaml with 'stages:' can be imported");
    std::error_code error;
    if (const fs::path lock = folder_ / "dvc.lock"; fs::exists(lock, error)) lock_ = parse_yaml_file(lock.string());
    const ConfigValue* vars = document_.find("vars");
    parameters_.add_vars(vars != nullptr ? *vars : ConfigValue());
    warn_of_sections();
    for (const ConfigValue::Entry& entry : stages->entries()) add_stage(entry);
}

void DvcFile::warn_of_sections() {
    for (const ConfigValue::Entry& entry : document_.entries()) {
        if (entry.key == "stages" || entry.key == "vars" || entry.key == "metrics" || entry.key == "params") continue;
        notes_.warn(entry.key_place, entry.key == "plots" ? "'plots' is not carried over: the files are kept, but not drawn"
                                                           : fmt::format("'{}' is not carried over", entry.key));
    }
}

void DvcFile::add_stage(const ConfigValue::Entry& entry) {
    DvcStage stage{.name = entry.key, .place = entry.key_place};
    if (!is_dashed_identifier(stage.name)) {
        for (char& c : stage.name)
            if (!is_made_of(std::string_view(&c, 1), "_-")) c = '_';
        stage.name = "_" + stage.name;
        notes_.warn(entry.key_place, fmt::format("'{}' cannot be the name of a stage: it is called '{}'", entry.key, stage.name));
    }
    const ConfigValue* foreach = entry.value.find("foreach");
    const ConfigValue* matrix = entry.value.find("matrix");
    const ConfigValue* body = foreach != nullptr ? entry.value.find("do") : &entry.value;
    if (body == nullptr || !body->is_map() || body->find("cmd") == nullptr)
        return notes_.fail(entry.key_place, fmt::format("the stage '{}' has no command", entry.key), "cmd: ...");
    stage.body = *body;
    DvcScope globals, scope;
    parameters_.add_to(globals, nullptr, {});
    const ConfigValue* wdir = body->find("wdir");
    const ConfigValue* vars = body->find("vars");
    const auto folder = wdir != nullptr && vars != nullptr ? globals.resolve(*wdir, DvcScope::Use::Path, notes_) : std::nullopt;
    parameters_.add_to(scope, vars, folder ? folder->value : "");
    if (foreach != nullptr) {
        expand_foreach(stage, *foreach, globals);
    } else if (matrix != nullptr) {
        expand_matrix(stage, *matrix, globals);
    } else {
        stage.members.push_back({.lock_name = entry.key});
    }
    for (DvcMember& member : stage.members) {
        DvcScope whole = scope;
        if (!member.suffix.empty()) member.lock_name = fmt::format("{}@{}", entry.key, member.lock_name);
        whole.add(member.scope);
        member.scope = std::move(whole);
    }
    stages_.push_back(std::move(stage));
}

void DvcFile::expand_foreach(DvcStage& stage, const ConfigValue& items, const DvcScope& scope) {
    stage.group = DvcStage::Group::Foreach;
    const ConfigValue values = with_values(items, scope, notes_);
    if (!is_collection(values))
        return notes_.fail(items.place(), fmt::format("'foreach' must be a list or a map, not {}", values.describe()));
    const std::vector<Item> found = items_of(values, "");
    stage.items = said(items, found, scope);
    for (const Item& item : found) {
        DvcMember member{.lock_name = item.key, .suffix = item.suffix};
        member.scope.add("item", item.value, "${item}");
        if (values.is_map())
            member.scope.add("key", ConfigValue::of_text(item.key),
                             item.key == item.suffix ? std::optional<std::string>("${key}") : std::nullopt);
        stage.members.push_back(std::move(member));
    }
}

void DvcFile::expand_matrix(DvcStage& stage, const ConfigValue& axes, const DvcScope& scope) {
    stage.group = DvcStage::Group::Matrix;
    std::vector<DvcMember> product(1);
    std::vector<ConfigValue::Entry> for_dag;
    std::vector<ConfigValue> points{ConfigValue::map({})};
    for (const ConfigValue::Entry& axis : axes.entries()) {
        const ConfigValue values = with_values(axis.value, scope, notes_);
        if (!values.is_list())
            return notes_.fail(axis.value.place(), fmt::format("'{}' must be a list, not {}", axis.key, values.describe()));
        const std::vector<Item> items = items_of(values, axis.key);
        for_dag.push_back({axis.key, {}, said(axis.value, items, scope)});
        if (product.size() * items.size() > kMaxMembers)
            return notes_.fail(axis.key_place, fmt::format("this matrix has more than {} stages", kMaxMembers));
        std::vector<DvcMember> longer;
        std::vector<ConfigValue> longer_points;
        for (std::size_t i = 0; i < product.size(); ++i) {
            for (const Item& item : items) {
                DvcMember member = product[i];
                member.lock_name += (member.lock_name.empty() ? "" : "-") + item.key;
                member.suffix += (member.suffix.empty() ? "" : ",") + item.suffix;
                member.axes.push_back({axis.key, item.suffix, item.value.is_scalar() && item.value.text() == item.suffix});
                longer.push_back(std::move(member));
                std::vector<ConfigValue::Entry> entries = points[i].entries();
                entries.push_back({axis.key, {}, item.value});
                longer_points.push_back(ConfigValue::map(std::move(entries)));
            }
        }
        product = std::move(longer);
        points = std::move(longer_points);
    }
    for (std::size_t i = 0; i < product.size(); ++i) {
        std::string key;  // DVC's, where no item is a list or a map
        for (const ConfigValue::Entry& axis : points[i].entries()) key += fmt::format("{}${{item.{}}}", key.empty() ? "" : "-", axis.key);
        const bool has_collection =
            std::ranges::any_of(points[i].entries(), [](const ConfigValue::Entry& axis) { return is_collection(axis.value); });
        product[i].scope.add("item", points[i], "${item}");
        product[i].scope.add("key", ConfigValue::of_text(product[i].lock_name), has_collection ? std::nullopt : std::optional(key));
    }
    stage.items = ConfigValue::map(std::move(for_dag));
    stage.members = std::move(product);
}

std::optional<bool> DvcFile::is_folder(const DvcMember& member, const std::string& path) const {
    const ConfigValue* stages = lock_.find("stages");
    const ConfigValue* stage = stages != nullptr ? stages->find(member.lock_name) : nullptr;
    const ConfigValue* outs = stage != nullptr ? stage->find("outs") : nullptr;
    if (outs == nullptr) return std::nullopt;
    for (const ConfigValue& out : outs->items()) {
        const ConfigValue* name = out.find("path");
        const ConfigValue* digest = out.find("md5");
        if (name != nullptr && digest != nullptr && name->text() == path) return digest->text().ends_with(".dir");
    }
    return std::nullopt;
}

}  // namespace satdl
