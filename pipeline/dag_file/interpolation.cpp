#include "pipeline/dag_file/interpolation.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

constexpr std::size_t kMaxInserted = 1'000'000;  // values: nested references can explode as aliases can
constexpr std::size_t kLongestText = 1 << 16;     // of a scalar with references within text
constexpr std::size_t kDeepest = 100;             // parameters that refer to each other

bool is_name(std::string_view text) {
    const auto is_part = [](char c) { return is_alphanumeric(c) || c == '_' || c == '-'; };
    bool part_begins = true;
    for (const char c : text) {
        if (c == '.' ? part_begins : !is_part(c)) return false;
        part_begins = c == '.';
    }
    return !part_begins;
}

// The '}' that closes the `${` at `begin`, with complete references in between.
std::size_t end_of_reference(std::string_view text, std::size_t begin) {
    std::size_t depth = 0;
    for (std::size_t at = begin; at < text.size(); ++at) {
        if (text.substr(at).starts_with("${")) {
            if (++depth > kDeepest) return std::string_view::npos;
            ++at;
        } else if (text[at] == '}' && --depth == 0) {
            return at;
        }
    }
    return std::string_view::npos;
}

// The part of a dotted name before its first dot, which is removed from `name`.
std::string_view first_part(std::string_view& name) {
    const std::size_t dot = std::min(name.find('.'), name.size());
    const std::string_view first = name.substr(0, dot);
    name.remove_prefix(std::min(dot + 1, name.size()));
    return first;
}

// The parts of a name between its dots; dots of references within it do not count.
std::vector<std::string_view> parts_of(std::string_view name) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < name.size(); ++at) {
        if (name.substr(at).starts_with("${")) at = std::min(end_of_reference(name, at), name.size());
        if (at >= name.size() || name[at] != '.') continue;
        parts.push_back(name.substr(begin, at - begin));
        begin = at + 1;
    }
    parts.push_back(name.substr(begin));
    return parts;
}

// Where the value of a parameter was originally written.
std::shared_ptr<const Place> origin_of(const Place& place) {
    if (!place || place.origin) return place.origin;
    return std::make_shared<const Place>(place);
}

bool contains_reference(const ConfigValue& value) {
    if (value.is_scalar()) return has_reference(value);
    for (const ConfigValue& item : value.items())
        if (contains_reference(item)) return true;
    for (const ConfigValue::Entry& entry : value.entries())
        if (contains_reference(entry.value)) return true;
    return false;
}

// How many values there are in `value`; counting stops beyond `limit`.
std::size_t count(const ConfigValue& value, std::size_t limit) {
    std::size_t nodes = 1;
    for (const ConfigValue& item : value.items()) {
        if (nodes > limit) return nodes;
        nodes += count(item, limit - nodes);
    }
    for (const ConfigValue::Entry& entry : value.entries()) {
        if (nodes > limit) return nodes;
        nodes += count(entry.value, limit - nodes);
    }
    return nodes;
}

// Where `part` begins within the scalar; in a scalar of several lines, where the scalar begins.
Place place_of(const ConfigValue& scalar, std::string_view part) {
    Place place = scalar.place();
    if (!place || place.line < 1 || place.column < 1) return place;
    const std::string_view line = place.source->line(place.line);
    const std::size_t found = line.find(part, std::min(static_cast<std::size_t>(place.column) - 1, line.size()));
    if (found != std::string_view::npos) place.column = static_cast<int>(found) + 1;
    return place;
}

void add_names(const std::string& path, const ConfigValue& value, std::vector<std::string>& names) {
    if (!path.empty()) names.push_back(path);
    for (const ConfigValue::Entry& entry : value.entries())
        add_names(path.empty() ? entry.key : path + "." + entry.key, entry.value, names);
}

}  // namespace

std::optional<ConfigValue> Interpolation::apply(const ConfigValue& value, const LocalNames& locals) {
    if (!contains_reference(value)) return value;
    if (value.is_list()) return apply_to_list(value, locals);
    if (value.is_map()) return apply_to_map(value, locals);
    return apply_to_scalar(value, locals);
}

std::optional<ConfigValue> Interpolation::apply_to_list(const ConfigValue& value, const LocalNames& locals) {
    std::vector<ConfigValue> items;
    items.reserve(value.items().size());
    for (const ConfigValue& item : value.items())
        if (auto applied = apply(item, locals)) items.push_back(std::move(*applied));
    if (items.size() < value.items().size()) return std::nullopt;
    return ConfigValue::list(std::move(items), value.place());
}

std::optional<ConfigValue> Interpolation::apply_to_map(const ConfigValue& value, const LocalNames& locals) {
    std::vector<ConfigValue::Entry> entries;
    entries.reserve(value.entries().size());
    for (const ConfigValue::Entry& entry : value.entries())
        if (auto applied = apply(entry.value, locals)) entries.push_back({entry.key, entry.key_place, std::move(*applied)});
    if (entries.size() < value.entries().size()) return std::nullopt;
    return ConfigValue::map(std::move(entries), value.place());
}

std::optional<ConfigValue> Interpolation::apply_to_scalar(const ConfigValue& value, const LocalNames& locals) {
    const std::string_view text = value.text();
    std::string pasted;
    std::size_t at = 0;
    for (std::size_t begin = text.find("${"); begin != std::string_view::npos; begin = text.find("${", at)) {
        if (begin > at && text[begin - 1] == '$') {
            pasted.append(text.substr(at, begin - 1 - at)).append("${");
            at = begin + 2;
            continue;
        }
        const std::size_t end = end_of_reference(text, begin);
        const std::string_view within =
            end == std::string_view::npos ? "" : trimmed(text.substr(begin + 2, end - begin - 2));
        const auto name = whole_name(value, within, locals);
        if (!name) return std::nullopt;
        const Reference reference{value, text.substr(begin, end == std::string_view::npos ? end : end + 1 - begin), *name};
        if (!is_name(name->text)) {
            report(reference, fmt::format("'{}' is not of the form '${{parameter}}'", printable(reference.text.substr(0, 60))),
                 "write '$${' for a literal '${'");
            return std::nullopt;
        }
        auto found = look_up(reference, locals);
        if (!found || reference.text.size() == text.size()) return found;
        if (!found->is_scalar()) {
            report(reference, fmt::format("'{}' is {}, which cannot be part of a text", reference.text, found->describe()), {});
            return std::nullopt;
        }
        pasted.append(text.substr(at, begin - at)).append(found->text());
        if (pasted.size() > kLongestText) {
            report(reference, fmt::format("this text expands to more than {} KiB", kLongestText >> 10), {});
            return std::nullopt;
        }
        at = end + 1;
    }
    pasted.append(text.substr(at));
    return ConfigValue::scalar(std::move(pasted), true, value.place());
}

// The name with the references within it replaced: `${a.${b}}` is `${a.x}` where b is x.
std::optional<Interpolation::Name> Interpolation::whole_name(const ConfigValue& user, std::string_view name, const LocalNames& locals) {
    if (name.find("${") == std::string_view::npos) return Name{std::string(name), {}};
    Name whole;
    for (const std::string_view part : parts_of(name)) {
        const auto value = apply_to_scalar(ConfigValue::scalar(std::string(part), true, user.place()), locals);
        if (!value) return std::nullopt;
        if (!value->is_scalar()) {
            diagnostics_.add(user.place(), fmt::format("'{}' is {}, which cannot be part of a name", printable(part), value->describe()));
            return std::nullopt;
        }
        if (!whole.origins.empty()) whole.text += '.';
        whole.text += value->text();
        // The inserted text may have parts itself.
        whole.origins.resize(static_cast<std::size_t>(std::ranges::count(whole.text, '.')) + 1, value->place().origin);
    }
    return whole;
}

std::optional<ConfigValue> Interpolation::look_up(const Reference& reference, const LocalNames& locals) {
    std::string_view rest = reference.name.text;
    std::string path(first_part(rest));
    std::size_t part = 0;
    bool is_resolved = false;
    std::optional<ConfigValue> found;
    const auto local = std::find_if(locals.begin(), locals.end(), [&](const auto& one) { return one.first == path; });
    if (local != locals.end()) {
        is_resolved = true;
        found = local->second;
    } else if (const ConfigValue* raw = params_.find(path)) {
        found = *raw;
    }
    while (found && !rest.empty()) {
        if (!is_resolved && has_reference(*found)) {
            found = parameter(path, *found, reference);
            if (!found) return std::nullopt;
            is_resolved = true;
        }
        const std::string_view key = first_part(rest);
        path.append(".").append(key);
        ++part;
        const ConfigValue* inner = found->find(key);
        found = inner ? std::optional(ConfigValue(*inner)) : std::nullopt;
    }
    if (!found) {
        report_undefined(reference, part, locals);
        return std::nullopt;
    }
    if (!is_resolved) found = parameter(path, *found, reference);
    if (!found || !is_affordable(*found, reference)) return std::nullopt;
    Place place = reference.user.place();
    if (found->is_scalar()) place.origin = origin_of(found->place());
    return found->at(std::move(place));
}

std::optional<ConfigValue> Interpolation::parameter(const std::string& path, const ConfigValue& raw, const Reference& reference) {
    if (const auto known = resolved_.find(path); known != resolved_.end()) return known->second;
    const auto before = std::find(resolving_.begin(), resolving_.end(), path);
    if (before != resolving_.end()) {
        std::string cycle;
        for (auto one = before; one != resolving_.end(); ++one) cycle += *one + " -> ";
        report(reference, "these parameters refer to each other in a cycle: " + cycle + path, {});
        return std::nullopt;
    }
    if (resolving_.size() >= kDeepest) {
        report(reference, fmt::format("references are nested more than {} parameters deep", kDeepest), {});
        return std::nullopt;
    }
    resolving_.push_back(path);
    std::optional<ConfigValue> value = apply(raw);
    resolving_.pop_back();
    return resolved_.emplace(path, std::move(value)).first->second;
}

bool Interpolation::is_affordable(const ConfigValue& value, const Reference& reference) {
    if (inserted_ <= kMaxInserted) inserted_ += count(value, kMaxInserted - inserted_);
    if (inserted_ <= kMaxInserted) return true;
    report(reference, fmt::format("the '${{...}}' in this file expand to more than {} values", kMaxInserted), {});
    return false;
}

void Interpolation::report(const Reference& reference, std::string message, std::string hint) {
    diagnostics_.add(place_of(reference.user, reference.text), std::move(message), std::move(hint));
}

void Interpolation::report_undefined(const Reference& reference, std::size_t part, const LocalNames& locals) {
    std::string_view rest = reference.name.text;
    const std::string_view first = first_part(rest);
    if (locals.empty() && (first == "item" || first == "key"))
        return report(reference, fmt::format("'{}' is defined only in the 'do' of a 'foreach' or 'matrix'", reference.text),
                    {});
    std::vector<std::string> names;
    for (const auto& [name, value] : locals) add_names(name, value, names);
    add_names("", params_, names);
    Place place = place_of(reference.user, reference.text);
    if (part < reference.name.origins.size()) place.origin = reference.name.origins[part];
    const bool has_no_references = reference.name.origins.empty();
    const std::string which = has_no_references ? "" : fmt::format(", which expands to '{}',", printable(reference.name.text));
    diagnostics_.add(std::move(place), fmt::format("'{}'{} is not defined", reference.text, which),
                     did_you_mean(reference.name.text, names));
}

std::vector<std::pair<std::string, ConfigValue>> Interpolation::flattened() {
    std::vector<std::pair<std::string, ConfigValue>> out;
    flatten("", params_, out);
    return out;
}

void Interpolation::flatten(const std::string& path, const ConfigValue& raw, std::vector<std::pair<std::string, ConfigValue>>& out) {
    const bool is_section = raw.is_map() && (path.empty() || !raw.entries().empty());
    if (!is_section) {
        if (path.empty()) return;
        if (const auto value = parameter(path, raw, {raw, raw.text(), Name{path, {}}})) out.emplace_back(path, *value);
        return;
    }
    for (const ConfigValue::Entry& entry : raw.entries())
        flatten(path.empty() ? entry.key : path + "." + entry.key, entry.value, out);
}

}  // namespace satdl
