#include "pipeline/core/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace satdl {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

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

void append_canonical(std::string& out, const Value& value);

void append_map(std::string& out, const std::vector<Value::Entry>& entries) {
    std::vector<const Value::Entry*> in_order;
    in_order.reserve(entries.size());
    for (const Value::Entry& entry : entries) in_order.push_back(&entry);
    std::sort(in_order.begin(), in_order.end(), [](const auto* a, const auto* b) { return a->key < b->key; });
    out += '{';
    for (const Value::Entry* entry : in_order) {
        if (entry != in_order.front()) out += ',';
        append_string(out, entry->key);
        out += ':';
        append_canonical(out, entry->value);
    }
    out += '}';
}

void append_list(std::string& out, const std::vector<Value>& items) {
    out += '[';
    for (const Value& item : items) {
        if (&item != &items.front()) out += ',';
        append_canonical(out, item);
    }
    out += ']';
}

void append_scalar(std::string& out, const Value& value) {
    if (const auto integer = value.as_integer())
        out += fmt::format("{}", *integer);
    else if (const auto number = value.as_number())
        out += canonical_number(*number);
    else if (value.as_boolean())
        out += value.text();
    else
        append_string(out, value.text());
}

void append_canonical(std::string& out, const Value& value) {
    switch (value.kind()) {
        case Value::Kind::Null:
            out += "null";
            break;
        case Value::Kind::Scalar:
            append_scalar(out, value);
            break;
        case Value::Kind::List:
            append_list(out, value.items());
            break;
        case Value::Kind::Map:
            append_map(out, value.entries());
            break;
    }
}

}  // namespace

Value Value::null(Place place) {
    Value value;
    value.place_ = std::move(place);
    return value;
}

Value Value::scalar(std::string text, bool quoted, Place place) {
    Value value;
    value.kind_ = Kind::Scalar;
    value.quoted_ = quoted;
    value.text_ = std::move(text);
    value.place_ = std::move(place);
    return value;
}

Value Value::list(std::vector<Value> items, Place place) {
    Value value;
    value.kind_ = Kind::List;
    value.items_ = std::make_shared<const std::vector<Value>>(std::move(items));
    value.place_ = std::move(place);
    return value;
}

Value Value::map(std::vector<Entry> entries, Place place) {
    Value value;
    value.kind_ = Kind::Map;
    value.entries_ = std::make_shared<const std::vector<Entry>>(std::move(entries));
    value.place_ = std::move(place);
    return value;
}

Value Value::of(std::int64_t number) {
    return scalar(fmt::format("{}", number));
}
Value Value::of(double number) {
    return scalar(canonical_number(number));
}
Value Value::of(bool flag) {
    return scalar(flag ? "true" : "false");
}

const std::vector<Value>& Value::items() const {
    static const std::vector<Value> none;
    return items_ ? *items_ : none;
}

const std::vector<Value::Entry>& Value::entries() const {
    static const std::vector<Entry> none;
    return entries_ ? *entries_ : none;
}

const Value* Value::find(std::string_view key) const {
    for (const Entry& entry : entries())
        if (entry.key == key) return &entry.value;
    return nullptr;
}

Value Value::at(Place place) const {
    Value value = *this;
    value.place_ = std::move(place);
    return value;
}

std::optional<std::int64_t> Value::as_integer() const {
    if (!is_scalar() || quoted_ || !is_number(text_) || text_.find_first_of(".eE") != std::string::npos) return std::nullopt;
    return read<std::int64_t>(text_);
}

std::optional<double> Value::as_number() const {
    if (!is_scalar() || quoted_ || !is_number(text_)) return std::nullopt;
    const auto number = read<double>(text_);
    if (!number || !std::isfinite(*number)) return std::nullopt;
    return number;
}

std::optional<bool> Value::as_boolean() const {
    if (!is_scalar() || quoted_) return std::nullopt;
    if (text_ == "true") return true;
    if (text_ == "false") return false;
    return std::nullopt;
}

std::string Value::describe() const {
    constexpr std::size_t kLongest = 60;
    if (is_null()) return "null";
    if (is_list()) return "a list";
    if (is_map()) return "a map";
    if (as_number()) return "the number " + text_;
    if (as_boolean()) return text_;
    std::size_t end = std::min(text_.size(), kLongest);
    while (end < text_.size() && end > 0 && (static_cast<unsigned char>(text_[end]) & 0xC0u) == 0x80u) --end;
    const std::string_view rest = end < text_.size() ? "..." : "";
    return fmt::format("the text '{}{}'", printable(std::string_view(text_).substr(0, end)), rest);
}

std::string Value::canonical() const {
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
