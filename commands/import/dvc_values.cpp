#include "commands/import/dvc_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "pipeline/core/ascii.h"
#include "pipeline/core/shell_words.h"

namespace satdl {
namespace {

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, text) != words.end();
}

// As Python prints it: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
std::string python_text(double number) {
    std::array<char, 64> buffer{};
    const auto written = [&](std::chars_format format) {
        return std::string(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, format).ptr);
    };
    const double size = std::abs(number);
    if (size != 0 && (size < 1e-4 || size >= 1e16)) return written(std::chars_format::scientific);
    const std::string text = written(std::chars_format::fixed);
    return text.find('.') == std::string::npos ? text + ".0" : text;
}

// [-+]?[0-9]+, with 0o and 0x; underscores between digits are nothing.
std::optional<std::int64_t> integer_of(std::string_view text) {
    const bool is_negative = text.starts_with('-');
    if (is_negative || text.starts_with('+')) text.remove_prefix(1);
    int base = 10;
    if (text.starts_with("0x")) base = 16;
    if (text.starts_with("0o")) base = 8;
    if (base != 10) text.remove_prefix(2);
    if (text.empty() || text.front() == '_' || text.front() == '-') return std::nullopt;
    std::string digits(text);
    std::erase(digits, '_');
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return is_negative ? -number : number;
}

// [-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?
std::optional<double> number_of(std::string_view text) {
    const bool has_sign = text.starts_with('+') || text.starts_with('-');
    const std::string_view begin = text.substr(has_sign ? 1 : 0, 1);
    const bool begins_well = begin == "." || (!begin.empty() && is_digit(begin.front()));
    std::string digits(text.starts_with('+') ? text.substr(1) : text);
    std::erase(digits, '_');
    double number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (!begins_well || error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(number)) return std::nullopt;
    return number;
}

ConfigValue scalar_value(const ConfigValue& value) {
    const std::string& text = value.text();
    const Place& place = value.place();
    if (value.quoted()) return value;
    if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return ConfigValue::null(place);
    if (is_one_of(text, {"true", "True", "TRUE"})) return ConfigValue::scalar("true", false, place);
    if (is_one_of(text, {"false", "False", "FALSE"})) return ConfigValue::scalar("false", false, place);
    if (const auto integer = integer_of(text)) return ConfigValue::scalar(std::to_string(*integer), false, place);
    if (const auto number = number_of(text)) return ConfigValue::scalar(python_text(*number), false, place);
    return ConfigValue::scalar(text, true, place);
}

// The map as options of a command: `--lr 0.1 --layers 1 2 --verbose`.
void add_options(std::string& out, const std::string& prefix, const ConfigValue& map) {
    const auto word = [](const ConfigValue& value) {
        return value.is_null() ? "None" : value.quoted() ? shell_quoted(value.text()) : value.text();
    };
    for (const ConfigValue::Entry& entry : map.entries()) {
        const std::string name = prefix + entry.key;
        if (entry.value.is_map()) {
            add_options(out, name + ".", entry.value);
            continue;
        }
        const auto flag = entry.value.as_boolean();
        if (flag && !*flag) continue;
        out += fmt::format("{}--{}", out.empty() ? "" : " ", name);
        if (flag) continue;
        for (const ConfigValue& item : entry.value.items()) out += " " + word(item);
        if (!entry.value.is_list()) out += " " + word(entry.value);
    }
}

// Text that is meant, as a DAG file says it.
std::string literal(std::string_view text, DvcScope::Use use) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (text.substr(i).starts_with("${")) out += '$';
        out += c;
        if (use == DvcScope::Use::Command && (c == '{' || c == '}')) out += c;
    }
    return out;
}

// The value with `replace` of each scalar in it.
template <typename Replace>
ConfigValue with_scalars(const ConfigValue& value, const Replace& replace) {
    if (value.is_list()) {
        std::vector<ConfigValue> items;
        for (const ConfigValue& item : value.items()) items.push_back(with_scalars(item, replace));
        return ConfigValue::list(std::move(items), value.place());
    }
    if (value.is_map()) {
        std::vector<ConfigValue::Entry> entries;
        for (const ConfigValue::Entry& entry : value.entries())
            entries.push_back({entry.key, entry.key_place, with_scalars(entry.value, replace)});
        return ConfigValue::map(std::move(entries), value.place());
    }
    return value.is_null() ? value : replace(value);
}

}  // namespace

ConfigValue dvc_value(const ConfigValue& value) {
    return with_scalars(value, scalar_value);
}

ConfigValue merged(const ConfigValue& under, const ConfigValue& over) {
    if (!under.is_map() || !over.is_map()) return over;
    std::vector<ConfigValue::Entry> entries = under.entries();
    for (const ConfigValue::Entry& entry : over.entries()) {
        const auto same = std::ranges::find(entries, entry.key, &ConfigValue::Entry::key);
        if (same == entries.end()) entries.push_back(entry);
        else same->value = merged(same->value, entry.value);
    }
    return ConfigValue::map(std::move(entries), under.place());
}

std::vector<std::string> parts_of_name(std::string_view name) {
    std::vector<std::string> parts(1);
    for (const char c : name) {
        if (c == '.' || c == '[') parts.emplace_back();
        else if (c != ']') parts.back() += c;
    }
    return parts;
}

bool can_be_referred_to(const ConfigValue& map, std::string_view name) {
    const ConfigValue* value = &map;
    for (const std::string& part : parts_of_name(name)) {
        value = is_dashed_identifier(part) ? value->find(part) : nullptr;
        if (value == nullptr) return false;
    }
    return has_parameter_names(*value);
}

bool has_parameter_names(const ConfigValue& value) {
    return std::ranges::all_of(value.entries(), [](const ConfigValue::Entry& entry) {
        return is_dashed_identifier(entry.key) && has_parameter_names(entry.value);
    });
}

const ConfigValue* value_at(const ConfigValue& map, std::string_view name) {
    const ConfigValue* value = &map;
    for (const std::string& part : parts_of_name(name)) {
        if (value->is_list()) {
            const auto index = integer_of(part);
            if (!index || *index < 0 || static_cast<std::size_t>(*index) >= value->items().size()) return nullptr;
            value = &value->items()[static_cast<std::size_t>(*index)];
        } else if (value = value->find(part); value == nullptr) {
            return nullptr;
        }
    }
    return value;
}

ConfigValue without_references(const ConfigValue& value) {
    return with_scalars(value, [](const ConfigValue& scalar) {
        return ConfigValue::scalar(literal(scalar.text(), DvcScope::Use::Path), scalar.quoted(), scalar.place());
    });
}

void DvcScope::add(std::string name, ConfigValue value, std::optional<std::string> reference) {
    names_.push_back({std::move(name), std::move(value), std::move(reference)});
}

DvcScope DvcScope::without_group() const {
    DvcScope scope = *this;
    for (Name& one : scope.names_)
        if (one.name == "item" || one.name == "key") one.reference.reset();
    return scope;
}

std::optional<DvcScope::Found> DvcScope::find(std::string_view name) const {
    const std::string first = parts_of_name(name).front();
    const auto found = std::find_if(names_.rbegin(), names_.rend(), [&](const Name& one) { return one.name == first; });
    if (found == names_.rend()) return std::nullopt;
    const bool is_parameter = found->reference && first != "item" && first != "key";
    if (name == first) return Found{found->value, has_parameter_names(found->value) ? found->reference : std::nullopt, is_parameter};
    const std::string_view rest = name.substr(first.size() + 1);
    const ConfigValue* value = value_at(found->value, rest);
    if (value == nullptr) return std::nullopt;
    if (!found->reference || name[first.size()] != '.' || !can_be_referred_to(found->value, rest))
        return Found{*value, std::nullopt, is_parameter};
    return Found{*value, fmt::format("${{{}}}", name), is_parameter};
}

std::optional<DvcScope::Found> DvcScope::named_by(const ConfigValue& text) const {
    const std::string_view whole = text.text();
    if (!whole.starts_with("${") || whole.find('}') + 1 != whole.size()) return std::nullopt;
    return find(trimmed(whole.substr(2, whole.size() - 3)));
}

std::optional<DvcText> DvcScope::resolve(const ConfigValue& text, Use use, ImportNotes& notes) const {
    DvcText out;
    std::string_view rest = text.text();
    const auto add_literal = [&](std::string_view part) {
        out.dag += literal(part, use);
        out.value += part;
    };
    while (true) {
        const std::size_t begin = rest.find("${");
        const std::size_t end = rest.find('}', std::min(begin, rest.size()));
        const bool is_escaped = begin != std::string_view::npos && begin > 0 && rest[begin - 1] == '\\';
        if (is_escaped) {  // DVC leaves `\${` to the shell
            add_literal(rest.substr(0, begin - 1));
            add_literal("${");
            rest.remove_prefix(begin + 2);
            continue;
        }
        if (end == std::string_view::npos) break;
        add_literal(rest.substr(0, begin));
        const std::string_view name = trimmed(rest.substr(begin + 2, end - begin - 2));
        rest.remove_prefix(end + 1);
        const std::optional<Found> found = find(name);
        if (!found) {
            notes.fail(text.place(), fmt::format("there is no parameter '{}' for '${{{}}}'", printable(name), printable(name)),
                       "it is neither in params.yaml nor under 'vars'");
            return std::nullopt;
        }
        std::string value = found->value.is_null() ? "None" : found->value.text();
        if (found->value.is_map() && use == Use::Command) {
            value.clear();
            add_options(value, "", found->value);
        } else if (found->value.is_map() || found->value.is_list()) {
            notes.fail(text.place(), fmt::format("'{}' is {}, which cannot be part of a text", printable(name), found->value.describe()));
            return std::nullopt;
        }
        // A DAG file would take a pasted brace of a command for a placeholder, and `$${` for a `${` that is meant.
        const bool is_pasted = !found->reference || !found->value.is_scalar() || out.dag.ends_with('$') ||
                               (use == Use::Command && value.find_first_of("{}") != std::string::npos);
        if (is_pasted && found->is_parameter)
            notes.warn(
                text.place(),
                fmt::format("'${{{}}}' is replaced by its present value: a later change of the parameter does not reach this text", name));
        out.dag += is_pasted ? literal(value, use) : *found->reference;
        out.value += value;
    }
    add_literal(rest);
    return out;
}

}  // namespace satdl
