#include "pipeline/sweep_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "pipeline/yaml.h"

namespace satdl {
namespace {

constexpr std::size_t kMostValues = 10'000;
constexpr int kMostDigits = 15;  // of a range's numbers, before and after the point: then __int128 holds every step

using Wide = __int128;

[[noreturn]] void refuse(const Place& place, std::string message, std::string hint = {}) {
    throw Error(ExitCode::Usage, std::vector<Diagnostic>{Diagnostic{place, std::move(message), std::move(hint)}});
}

// digits * 10^-scale.
struct Decimal {
    Wide digits = 0;
    int scale = 0;
};

Wide power_of_ten(int exponent) {
    Wide power = 1;
    for (int i = 0; i < exponent; ++i) power *= 10;
    return power;
}

// A number as it is written; nothing where it has more than kMostDigits on either side of the point.
std::optional<Decimal> decimal(std::string_view text) {
    Decimal number;
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    int significant = 0;
    bool after_point = false;
    for (; !text.empty() && text[0] != 'e' && text[0] != 'E'; text.remove_prefix(1)) {
        if (text[0] == '.') {
            after_point = true;
            continue;
        }
        if (++significant > 2 * kMostDigits) return std::nullopt;
        number.digits = number.digits * 10 + (text[0] - '0');
        number.scale += after_point;
    }
    int exponent = 0;
    if (!text.empty()) {
        text.remove_prefix(text.substr(1).starts_with('+') ? 2 : 1);
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
        if (error != std::errc() || std::abs(exponent) > 2 * kMostDigits) return std::nullopt;
    }
    number.scale -= exponent;
    for (; number.scale < 0 && significant <= 2 * kMostDigits; ++number.scale, ++significant) number.digits *= 10;
    for (; number.scale > 0 && number.digits % 10 == 0; --number.scale) number.digits /= 10;
    if (number.scale < 0 || number.scale > kMostDigits) return std::nullopt;
    if (number.digits >= power_of_ten(kMostDigits + number.scale)) return std::nullopt;
    if (negative) number.digits = -number.digits;
    return number;
}

// digits * 10^-scale as text, without zeros at its end.
std::string text_of(Wide digits, int scale) {
    const bool negative = digits < 0;
    if (negative) digits = -digits;
    std::string text;
    for (int i = 0; i <= scale || digits > 0; ++i, digits /= 10) {
        if (i == scale && scale > 0) text += '.';
        text += static_cast<char>('0' + static_cast<int>(digits % 10));
    }
    if (scale > 0) {
        text.erase(0, text.find_first_not_of('0'));
        if (text.starts_with('.')) text.erase(0, 1);
    }
    if (negative) text += '-';
    std::reverse(text.begin(), text.end());
    return text;
}

// Reads what stands in [from, to) of one line: values between commas, range(...) and choice(...).
class AxisReader {
public:
    explicit AxisReader(std::shared_ptr<const SourceText> source) : source_(std::move(source)) {}

    std::vector<Value> read(std::size_t from, std::size_t to) {
        read_list(from, to);
        if (values_.empty()) refuse(at(from), "there are no values here");
        std::set<std::string> seen;
        for (const Value& value : values_)
            if (!seen.insert(value.canonical()).second) refuse(value.place(), value.describe() + " stands twice");
        return std::move(values_);
    }

private:
    std::string_view text() const { return source_->text; }
    Place at(std::size_t offset) const { return {source_, 1, static_cast<int>(offset) + 1}; }

    // The end of the value that begins at `from`: the next comma outside of brackets and quotes.
    std::size_t end_of_value(std::size_t from, std::size_t to) const {
        int depth = 0;
        char quote = 0;
        for (std::size_t i = from; i < to; ++i) {
            const char c = text()[i];
            if (quote != 0) {
                if (c == quote) quote = 0;
            } else if (c == '"' || c == '\'') {
                quote = c;
            } else if (c == '(' || c == '[' || c == '{') {
                ++depth;
            } else if (c == ')' || c == ']' || c == '}') {
                --depth;
            } else if (c == ',' && depth <= 0) {
                return i;
            }
        }
        return to;
    }

    void trim(std::size_t& from, std::size_t& to) const {
        while (from < to && text()[from] == ' ') ++from;
        while (from < to && text()[to - 1] == ' ') --to;
    }

    void read_list(std::size_t from, std::size_t to) {
        while (from <= to) {
            const std::size_t end = end_of_value(from, to);
            read_one(from, end);
            from = end + 1;
        }
    }

    void read_one(std::size_t from, std::size_t to) {
        trim(from, to);
        if (from == to) refuse(at(from), "a value is missing here", "values are separated by single commas");
        const std::string_view value = text().substr(from, to - from);
        if (value.starts_with("range(") || value.starts_with("choice(")) {
            if (!value.ends_with(')')) refuse(at(from), "this has no ')' at its end");
            const std::size_t inside = from + value.find('(') + 1;
            return value[0] == 'r' ? read_range(from, inside, to - 1) : read_list(inside, to - 1);
        }
        add(parse_yaml_part(source_, from, to));
    }

    void read_range(std::size_t begin, std::size_t from, std::size_t to) {
        std::vector<Decimal> numbers;
        while (from <= to) {
            std::size_t end = end_of_value(from, to), first = from, last = end;
            trim(first, last);
            const std::string number(text().substr(first, last - first));
            const bool is_number = Value::scalar(number).as_number().has_value();
            const auto parsed = is_number ? decimal(number) : std::nullopt;
            if (!parsed)
                refuse(at(first), is_number ? "this number has too many digits for a range" : "a range is made of numbers",
                       "range(start,stop,step), range(start,stop) or range(stop); the stop is left out");
            numbers.push_back(*parsed);
            from = end + 1;
        }
        if (numbers.empty() || numbers.size() > 3)
            refuse(at(begin), "a range has one to three numbers", "range(start,stop,step)");
        const Decimal start = numbers.size() == 1 ? Decimal{} : numbers[0];
        const Decimal stop = numbers.size() == 1 ? numbers[0] : numbers[1];
        const Decimal step = numbers.size() == 3 ? numbers[2] : Decimal{1, 0};
        add_steps(at(begin), start, stop, step);
    }

    void add_steps(const Place& place, const Decimal& start, const Decimal& stop, const Decimal& step) {
        const int scale = std::max({start.scale, stop.scale, step.scale});
        const auto scaled = [&](const Decimal& number) { return number.digits * power_of_ten(scale - number.scale); };
        const Wide first = scaled(start), end = scaled(stop), by = scaled(step);
        if (by == 0) refuse(place, "the step of this range is zero");
        if (by > 0 ? first >= end : first <= end) {
            const bool other_sign = first != end;
            refuse(place, "this range is empty",
                   other_sign ? "its step leads away from its stop" : "the stop is left out: it begins where it ends");
        }
        for (Wide value = first; by > 0 ? value < end : value > end; value += by)
            add(Value::scalar(text_of(value, scale), false, place));
    }

    void add(Value value) {
        if (values_.size() >= kMostValues) refuse(value.place(), fmt::format("over {} values", kMostValues));
        values_.push_back(std::move(value));
    }

    std::shared_ptr<const SourceText> source_;
    std::vector<Value> values_;
};

// The values of one entry in YAML; their mistakes are told at its place.
std::vector<Value> values_from_yaml(const Value::Entry& entry) {
    const Value& value = entry.value;
    if (value.is_list()) {
        if (value.items().empty() || value.items().size() > kMostValues)
            refuse(value.place(), fmt::format("from 1 to {} values are needed", kMostValues));
        std::set<std::string> seen;
        for (const Value& item : value.items())
            if (!seen.insert(item.canonical()).second) refuse(item.place(), item.describe() + " stands twice");
        return value.items();
    }
    if (!value.is_scalar())
        refuse(value.place(), fmt::format("'{}' needs a list of values, not {}", printable(entry.key), value.describe()),
               "[0.1, 0.2], or \"range(0.1,0.6,0.1)\"; a parameter within a map is named with dots: train.epochs");
    try {
        const auto source = std::make_shared<const SourceText>(SourceText{"sweep", value.text()});
        std::vector<Value> values = AxisReader(source).read(0, source->text.size());
        for (Value& one : values) one = one.at(value.place());
        return values;
    } catch (const Error& error) {
        const Diagnostic& first = error.diagnostics().front();
        refuse(value.place(), first.message, first.hint);
    }
}

}  // namespace

SweepAxis parse_axis(const std::string& text) {
    const auto source = std::make_shared<const SourceText>(SourceText{"--sweep", text});
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
        refuse({source, 1, 1}, "this is not 'parameter=values'",
               "as in: --sweep noise_factor=0.1,0.2 or noise_factor=range(0.1,0.6,0.1)");
    return {text.substr(0, equals), AxisReader(source).read(equals + 1, text.size()), false, {source, 1, 1}};
}

SweepAxis axis_from_yaml(const Value::Entry& entry) {
    return {entry.key, values_from_yaml(entry), false, entry.key_place};
}

void mark_repetitions(std::vector<SweepAxis>& axes, const std::optional<std::vector<Value>>& named) {
    if (!named) {
        for (SweepAxis& axis : axes)
            axis.repeats = axis.name == "seed" || axis.name.ends_with(".seed") || axis.name.ends_with("_seed");
        return;
    }
    std::vector<std::string> names;
    for (SweepAxis& axis : axes) {
        names.push_back(axis.name);
        axis.repeats = std::ranges::any_of(*named, [&](const Value& one) { return one.text() == axis.name; });
    }
    for (const Value& one : *named) {
        const std::string& name = one.text();
        if ((name == "none" && named->size() == 1) || std::ranges::find(names, name) != names.end()) continue;
        refuse(one.place(), fmt::format("'{}' is to be repeated, but is not swept", printable(name)), did_you_mean(name, names));
    }
}

}  // namespace satdl
