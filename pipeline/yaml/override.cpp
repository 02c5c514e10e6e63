#include "pipeline/yaml/override.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "pipeline/core/ascii.h"
#include "pipeline/yaml/yaml_parser.h"

namespace satdl {
namespace {

constexpr int kMaxDigits = 15;  // of a range's numbers, before and after the point: then __int128 holds every step

using Wide = __int128;

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

// A number as it is written; nothing where it has more than kMaxDigits on either side of the point.
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
        if (++significant > 2 * kMaxDigits) return std::nullopt;
        number.digits = number.digits * 10 + (text[0] - '0');
        number.scale += after_point;
    }
    int exponent = 0;
    if (!text.empty()) {
        text.remove_prefix(text.substr(1).starts_with('+') ? 2 : 1);
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
        if (error != std::errc() || std::abs(exponent) > 2 * kMaxDigits) return std::nullopt;
    }
    number.scale -= exponent;
    for (; number.scale < 0 && significant <= 2 * kMaxDigits; ++number.scale, ++significant) number.digits *= 10;
    for (; number.scale > 0 && number.digits % 10 == 0; --number.scale) number.digits /= 10;
    if (number.scale < 0 || number.scale > kMaxDigits) return std::nullopt;
    if (number.digits >= power_of_ten(kMaxDigits + number.scale)) return std::nullopt;
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

// "range" of "range(1,5)"; empty where this is no function with its arguments.
std::string_view function_of(std::string_view value) {
    const std::size_t bracket = value.find('(');
    if (bracket == std::string_view::npos) return {};
    const std::string_view name = value.substr(0, bracket);
    const auto is_part = [](char c) { return is_letter(c) || c == '_'; };
    return std::ranges::all_of(name, is_part) ? name : std::string_view();
}

// Reads what stands in [from, to) of one line: values between commas, range(...) and choice(...).
class ValuesReader {
public:
    explicit ValuesReader(std::shared_ptr<const SourceText> source) : source_(std::move(source)) {}

    std::vector<ConfigValue> read(std::size_t from, std::size_t to) {
        if (text().substr(from, to - from).find_first_not_of(' ') == std::string_view::npos)
            refuse(at(from), "a value is missing here", "null for none, \"\" in quotes for an empty text");
        read_list(from, to);
        std::set<std::string> seen;
        for (const ConfigValue& value : values_)
            if (!seen.insert(value.canonical()).second) refuse(value.place(), value.describe() + " stands twice");
        return std::move(values_);
    }
    [[nodiscard]] bool several() const { return several_; }

private:
    std::string_view text() const { return source_->text; }
    Place at(std::size_t offset) const { return {source_, 1, static_cast<int>(offset) + 1}; }

    // The end of the value that begins at `from`: the next comma outside of brackets and quotes. A quote within a word is none.
    std::size_t end_of_value(std::size_t from, std::size_t to) const {
        int depth = 0;
        char quote = 0, before = ',';  // `before`: the last that is no space
        for (std::size_t i = from; i < to; ++i) {
            const char c = text()[i];
            const bool begins = std::string_view(",:([{").find(before) != std::string_view::npos;
            if (c != ' ') before = c;
            if (quote != 0) {
                if (c == quote) quote = 0;
            } else if ((c == '"' || c == '\'') && begins) {
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
            several_ = several_ || end < to;
            read_one(from, end);
            from = end + 1;
        }
    }

    void read_one(std::size_t from, std::size_t to) {
        trim(from, to);
        if (from == to) refuse(at(from), "a value is missing here", "values are separated by single commas");
        const std::string_view value = text().substr(from, to - from);
        const std::string_view function = function_of(value);
        if (function == "range" || function == "choice") {
            if (!value.ends_with(')')) refuse(at(from), "this has no ')' at its end");
            several_ = true;
            const std::size_t inside = from + function.size() + 1;
            return function == "range" ? read_range(from, inside, to - 1) : read_list(inside, to - 1);
        }
        if (!function.empty() && value.ends_with(')')) {
            const auto near = nearest(function, std::vector<std::string>{"range", "choice"});
            refuse(at(from), fmt::format("there is no {}(...), but range(...) and choice(...)", function),
                   near ? fmt::format("did you mean '{}'?", *near) : "a text with brackets stands in quotes");
        }
        add(parse_yaml(value, at(from)));
    }

    void read_range(std::size_t begin, std::size_t from, std::size_t to) {
        std::vector<Decimal> numbers;
        while (from <= to) {
            std::size_t end = end_of_value(from, to), first = from, last = end;
            trim(first, last);
            const std::string number(text().substr(first, last - first));
            const bool is_number = ConfigValue::scalar(number).as_number().has_value();
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
            add(ConfigValue::scalar(text_of(value, scale), false, place));
    }

    void add(ConfigValue value) {
        if (values_.size() >= kMaxValues) refuse(value.place(), fmt::format("over {} values", kMaxValues));
        values_.push_back(std::move(value));
    }

    std::shared_ptr<const SourceText> source_;
    std::vector<ConfigValue> values_;
    bool several_ = false;
};

}  // namespace

bool is_override(std::string_view argument) {
    const std::string_view name = argument.substr(0, argument.find('='));
    return name.size() < argument.size() && name.find('[') == std::string_view::npos;
}

Override parse_override(const std::string& text, const std::string& where) {
    const auto source = std::make_shared<const SourceText>(SourceText{where, text});
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
        refuse({source, 1, 1}, "this is not 'parameter=value'",
               "as in: epochs=5, or several: noise_factor=0.1,0.2 or noise_factor=range(0.1,0.6,0.1)");
    ValuesReader reader(source);
    std::vector<ConfigValue> values = reader.read(equals + 1, text.size());
    return {text.substr(0, equals), {source, 1, 1}, std::move(values), reader.several()};
}

std::vector<ConfigValue> parse_values(const ConfigValue& text) {
    try {
        const auto source = std::make_shared<const SourceText>(SourceText{"sweep", text.text()});
        std::vector<ConfigValue> values = ValuesReader(source).read(0, source->text.size());
        for (ConfigValue& one : values) one = one.at(text.place());
        return values;
    } catch (const Error& error) {
        const Diagnostic& first = error.diagnostics().front();
        refuse(text.place(), first.message, first.hint);
    }
}

}  // namespace satdl
