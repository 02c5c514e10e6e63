#include "pipeline/core/config_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

// How many digits `text` starts with.
std::size_t digits(std::string_view text) {
    return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
}

// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? : JSON's numbers.
bool is_number(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    const std::size_t whole = digits(text);
    if (whole == 0 || (whole > 1 && text[0] == '0')) return false;
    text.remove_prefix(whole);
    if (text.starts_with('.')) {
        const std::size_t fraction = digits(text.substr(1));
        if (fraction == 0) return false;
        text.remove_prefix(1 + fraction);
    }
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
        if (text.empty()) return false;
        text.remove_prefix(digits(text));
    }
    return text.empty();
}

template <typename Number>
std::optional<Number> read(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

void append_string(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out += c;
        }
    }
    out += '"';
}

void append_canonical(std::string& out, const ConfigValue& value);

void append_map(std::string& out, const std::vector<ConfigValue::Entry>& entries) {
    std::vector<const ConfigValue::Entry*> in_order;
    in_order.reserve(entries.size());
    for (const ConfigValue::Entry& entry : entries) in_order.push_back(&entry);
    std::sort(in_order.begin(), in_order.end(), [](const auto* a, const auto* b) { return a->key < b->key; });
    out += '{';
    for (const ConfigValue::Entry* entry : in_order) {
        if (entry != in_order.front()) out += ',';
        append_string(out, entry->key);
        out += ':';
        append_canonical(out, entry->value);
    }
    out += '}';
}

void append_list(std::string& out, const std::vector<ConfigValue>& items) {
    out += '[';
    for (const ConfigValue& item : items) {
        if (&item != &items.front()) out += ',';
        append_canonical(out, item);
    }
    out += ']';
}

void append_scalar(std::string& out, const ConfigValue& value) {
    if (const auto integer = value.as_integer())
        out += fmt::format("{}", *integer);
    else if (const auto number = value.as_number())
        out += canonical_number(*number);
    else if (value.as_boolean())
        out += value.text();
    else
        append_string(out, value.text());
}

void append_canonical(std::string& out, const ConfigValue& value) {
    switch (value.kind()) {
        case ConfigValue::Kind::Null:
            out += "null";
            break;
        case ConfigValue::Kind::Scalar:
            append_scalar(out, value);
            break;
        case ConfigValue::Kind::List:
            append_list(out, value.items());
            break;
        case ConfigValue::Kind::Map:
            append_map(out, value.entries());
            break;
    }
}

}  // namespace

ConfigValue ConfigValue::null(Place place) {
    ConfigValue value;
    value.place_ = std::move(place);
    return value;
}

ConfigValue ConfigValue::scalar(std::string text, bool quoted, Place place) {
    ConfigValue value;
    value.kind_ = Kind::Scalar;
    value.quoted_ = quoted;
    value.text_ = std::move(text);
    value.place_ = std::move(place);
    return value;
}

ConfigValue ConfigValue::list(std::vector<ConfigValue> items, Place place) {
    ConfigValue value;
    value.kind_ = Kind::List;
    value.items_ = std::make_shared<const std::vector<ConfigValue>>(std::move(items));
    value.place_ = std::move(place);
    return value;
}

ConfigValue ConfigValue::map(std::vector<Entry> entries, Place place) {
    ConfigValue value;
    value.kind_ = Kind::Map;
    value.entries_ = std::make_shared<const std::vector<Entry>>(std::move(entries));
    value.place_ = std::move(place);
    return value;
}

ConfigValue ConfigValue::of(std::int64_t number) {
    return scalar(fmt::format("{}", number));
}
ConfigValue ConfigValue::of(double number) {
    return scalar(canonical_number(number));
}
ConfigValue ConfigValue::of(bool flag) {
    return scalar(flag ? "true" : "false");
}

const std::vector<ConfigValue>& ConfigValue::items() const {
    static const std::vector<ConfigValue> none;
    return items_ ? *items_ : none;
}

const std::vector<ConfigValue::Entry>& ConfigValue::entries() const {
    static const std::vector<Entry> none;
    return entries_ ? *entries_ : none;
}

const ConfigValue* ConfigValue::find(std::string_view key) const {
    for (const Entry& entry : entries())
        if (entry.key == key) return &entry.value;
    return nullptr;
}

ConfigValue ConfigValue::at(Place place) const {
    ConfigValue value = *this;
    value.place_ = std::move(place);
    return value;
}

std::optional<std::int64_t> ConfigValue::as_integer() const {
    if (!is_scalar() || quoted_ || !is_number(text_) || text_.find_first_of(".eE") != std::string::npos) return std::nullopt;
    return read<std::int64_t>(text_);
}

std::optional<double> ConfigValue::as_number() const {
    if (!is_scalar() || quoted_ || !is_number(text_)) return std::nullopt;
    const auto number = read<double>(text_);
    if (!number || !std::isfinite(*number)) return std::nullopt;
    return *number + 0.0;  // -0.0 is 0: they have one canonical text
}

std::optional<bool> ConfigValue::as_boolean() const {
    if (!is_scalar() || quoted_) return std::nullopt;
    if (text_ == "true") return true;
    if (text_ == "false") return false;
    return std::nullopt;
}

std::string ConfigValue::describe() const {
    constexpr std::size_t kLongest = 60;
    if (is_null()) return "null";
    if (is_list()) return "a list";
    if (is_map()) return "a map";
    if (as_number()) return "the number " + text_;
    if (as_boolean()) return text_;
    const std::size_t end = utf8_floor(text_, kLongest);
    const std::string_view rest = end < text_.size() ? "..." : "";
    return fmt::format("the text '{}{}'", printable(std::string_view(text_).substr(0, end)), rest);
}

std::string ConfigValue::canonical() const {
    std::string out;
    append_canonical(out, *this);
    return out;
}

std::string canonical_number(double number) {
    SATDL_CHECK(std::isfinite(number), "only finite numbers have a canonical text");
    constexpr double kIntegersBelow = 9223372036854775808.0;  // 2^63: beyond, as_integer() would not read them either
    if (number == std::trunc(number) && std::abs(number) < kIntegersBelow)
        return fmt::format("{}", static_cast<std::int64_t>(number));  // also -0.0, which is 0
    std::array<char, 32> buffer;
    const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
    SATDL_CHECK(error == std::errc(), "a double fits");
    return {buffer.data(), end};
}

}  // namespace satdl
