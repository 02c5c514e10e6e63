#include "pipeline/yaml/override.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "pipeline/core/ascii.h"
#include "pipeline/core/suggest.h"
#include "pipeline/yaml/yaml_preflight.h"

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

// "range" of "range(1,5)"; empty if this is no function with its arguments.
std::string_view function_of(std::string_view value) {
    const std::size_t bracket = value.find('(');
    if (bracket == std::string_view::npos) return {};
    const std::string_view name = value.substr(0, bracket);
    const auto is_part = [](char c) { return is_letter(c) || c == '_'; };
    return std::ranges::all_of(name, is_part) ? name : std::string_view();
}

// As in YAML.
bool is_null(std::string_view text) { return text == "null" || text == "Null" || text == "NULL" || text == "~"; }

bool is_one_of(char c, std::string_view characters) { return characters.find(c) != std::string_view::npos; }

constexpr std::size_t kMaxDepth = 64;  // as in YAML
constexpr std::string_view kEscapable = "\\()[]{}:=, \t'\"";
constexpr const char* kHowToWriteText = "a text with such characters stands in quotes, or has a '\\' before each of them";

// Reads what stands in one line from `from` on: values between commas, range(...) and choice(...).
class ValuesReader {
public:
    ValuesReader(std::shared_ptr<const SourceText> source, std::size_t from) : source_(std::move(source)), next_(from) {}

    std::vector<ConfigValue> read() {
        refuse_unreadable();
        if (trimmed(text().substr(next_)).empty())
            refuse(here(), "a value is missing here", "null for none, \"\" in quotes for an empty text");
        read_sweep(",");
        std::set<std::string> seen;
        for (const ConfigValue& value : values_)
            if (!seen.insert(value.canonical()).second) refuse(value.place(), value.describe() + " stands twice");
        return std::move(values_);
    }
    [[nodiscard]] bool several() const { return several_; }

private:
    // A text that ends at the first of `stops` that is not within brackets or quotes, and not escaped.
    struct Text {
        std::string text;
        bool is_quoted;  // or has an escape: it is a text even if it looks like a number
        Place place;
    };

    std::string_view text() const { return source_->text; }
    Place at(std::size_t offset) const { return {source_, 1, static_cast<int>(offset) + 1}; }
    Place here() const { return at(next_); }
    bool at_end() const { return next_ == text().size(); }
    bool is_at(char c) const { return !at_end() && text()[next_] == c; }
    bool is_at_stop(std::string_view stops) const { return at_end() || is_one_of(text()[next_], stops); }
    bool skip(char c) {
        const bool found = is_at(c);
        next_ += found;
        return found;
    }
    void skip_spaces() {
        while (is_at(' ') || is_at('\t')) ++next_;
    }

    void refuse_unreadable() const {
        if (const auto found = unreadable(text().substr(next_), here())) refuse(found->place, found->message);
        const std::size_t line_end = text().find_first_of("\r\n", next_);
        if (line_end != std::string_view::npos) refuse(at(line_end), "a value cannot contain a line break");
    }

    // Values between commas.
    void read_sweep(std::string_view stops) {
        do {
            read_sweep_value(stops);
            several_ = several_ || is_at(',');
        } while (skip(','));
    }

    void read_sweep_value(std::string_view stops) {
        skip_spaces();
        const std::size_t begin = next_;
        const std::string_view function = function_of(text().substr(begin));
        if (function != "range" && function != "choice") return add(read_value(stops, 0));
        if (function == "choice" && stops != ",") refuse_inner(function, begin);  // of no use, and without end
        next_ += function.size() + 1;
        several_ = true;
        if (function == "range")
            read_range(begin);
        else
            read_sweep(",)");
        if (!skip(')')) refuse(at(begin), "this '(' has no ')'");
        expect_stop(stops, "')'");
    }

    ConfigValue read_value(std::string_view stops, std::size_t depth) {
        skip_spaces();
        const Place place = here();
        if (is_at('[') || is_at('{')) {
            if (depth == kMaxDepth) refuse(place, fmt::format("over {} brackets within each other", kMaxDepth));
            return is_at('[') ? read_list(stops, depth + 1) : read_map(stops, depth + 1);
        }
        Text read = read_text(stops);
        if (!read.is_quoted && is_null(read.text)) return ConfigValue::null(place);
        return ConfigValue::scalar(std::move(read.text), read.is_quoted, place);
    }

    ConfigValue read_list(std::string_view stops, std::size_t depth) {
        const std::size_t begin = next_++;
        std::vector<ConfigValue> items;
        skip_spaces();
        if (!is_at(']') && !at_end()) {
            do items.push_back(read_value(",]", depth));
            while (skip(','));
        }
        close(begin, ']', stops);
        return ConfigValue::list(std::move(items), at(begin));
    }

    ConfigValue read_map(std::string_view stops, std::size_t depth) {
        const std::size_t begin = next_++;
        std::vector<ConfigValue::Entry> entries;
        std::set<std::string> keys;
        skip_spaces();
        if (!is_at('}') && !at_end()) {
            do {
                skip_spaces();
                Text key = read_text(":,}");
                if (!keys.insert(key.text).second) refuse(key.place, fmt::format("'{}' stands twice", printable(key.text)));
                if (!skip(':') && !at_end()) refuse(key.place, fmt::format("'{}' has no value", printable(key.text)), "{name: value}");
                entries.push_back({std::move(key.text), key.place, read_value(",}", depth)});
            } while (skip(','));
        }
        close(begin, '}', stops);
        return ConfigValue::map(std::move(entries), at(begin));
    }

    void close(std::size_t begin, char bracket, std::string_view stops) {
        if (!skip(bracket)) refuse(at(begin), fmt::format("this '{}' has no '{}'", text()[begin], bracket));
        expect_stop(stops, fmt::format("'{}'", bracket));
    }

    // `after`: what has just been read, for the message.
    void expect_stop(std::string_view stops, std::string_view after) {
        skip_spaces();
        if (!is_at_stop(stops)) refuse(here(), fmt::format("unexpected text after {}", after), kHowToWriteText);
    }

    Text read_text(std::string_view stops) {
        if (is_at('\'') || is_at('"')) return read_quoted(stops);
        return read_plain(stops);
    }

    // A quote within: \' or, as in YAML, ''. Backslashes are doubled before a quote, and nowhere else.
    Text read_quoted(std::string_view stops) {
        const std::size_t begin = next_;
        const char quote = text()[next_++];
        std::string read;
        while (!at_end()) {
            const std::size_t end = std::min(text().find_first_not_of('\\', next_), text().size());
            const std::size_t backslashes = end - next_;
            next_ = end;
            if (!is_at(quote)) {
                read.append(backslashes, '\\');
                if (!at_end()) read += text()[next_++];
                continue;
            }
            read.append(backslashes / 2, '\\');
            ++next_;
            const bool is_doubled = quote == '\'' && backslashes == 0 && is_at('\'');
            next_ += is_doubled;
            if (backslashes % 2 == 0 && !is_doubled) {
                expect_stop(stops, "the closing quote");
                return {std::move(read), true, at(begin)};
            }
            read += quote;
        }
        refuse(at(begin), "this quote is not closed", "a quote within the text is written \\' or \\\"");
    }

    Text read_plain(std::string_view stops) {
        const std::size_t begin = next_;
        const bool is_in_brackets = stops.find_first_of("]}") != std::string_view::npos;
        std::string read, closing;      // `closing`: the brackets that end those that are open
        std::vector<std::size_t> open;  // where these are
        std::size_t length = 0;         // without spaces at the end
        bool has_escape = false;
        for (; !at_end(); ++next_) {
            char c = text()[next_];
            const bool is_escape = c == '\\' && next_ + 1 < text().size() && is_one_of(text()[next_ + 1], kEscapable);
            if (is_escape) {
                c = text()[++next_];
                has_escape = true;
            } else if (open.empty() && is_one_of(c, stops)) {
                break;
            } else if (const auto bracket = std::string_view("([{").find(c); bracket != std::string_view::npos) {
                open.push_back(next_);
                closing += ")]}"[bracket];
            } else if (!open.empty() && c == closing.back()) {
                open.pop_back();
                closing.pop_back();
            } else if (c == ':' && is_in_brackets && open.empty() && text().substr(next_ + 1).starts_with(' ')) {
                refuse(at(begin), "a map stands in braces", "{name: value}");
            }
            read += c;
            if (is_escape || !is_one_of(c, " \t")) length = read.size();
        }
        if (!open.empty())
            refuse(at(open.back()), fmt::format("this '{}' has no '{}'", text()[open.back()], closing.back()), kHowToWriteText);
        if (length == 0) refuse(at(begin), "a value is missing here", "values are separated by single commas");
        read.resize(length);
        if (!has_escape) refuse_function(read, begin);
        return {std::move(read), has_escape, at(begin)};
    }

    [[noreturn]] void refuse_inner(std::string_view function, std::size_t begin) const {
        refuse(at(begin), fmt::format("{}(...) cannot stand within brackets", function), "a text with brackets stands in quotes");
    }

    void refuse_function(std::string_view value, std::size_t begin) const {
        const std::string_view function = function_of(value);
        if (function.empty() || !value.ends_with(')')) return;
        if (function == "range" || function == "choice") refuse_inner(function, begin);
        const auto near = nearest(function, std::vector<std::string>{"range", "choice"});
        refuse(at(begin), fmt::format("there is no {}(...), but range(...) and choice(...)", function),
               near ? fmt::format("did you mean '{}'?", *near) : "a text with brackets stands in quotes");
    }

    // Up to the ')'.
    void read_range(std::size_t begin) {
        std::vector<Decimal> numbers;
        do {
            skip_spaces();
            const std::size_t first = next_;
            const ConfigValue number = is_at_stop(",)") ? ConfigValue() : read_value(",)", 0);
            const auto parsed = number.as_number() ? decimal(number.text()) : std::nullopt;
            if (!parsed)
                refuse(at(first), number.as_number() ? "this number has too many digits for a range" : "a range is made of numbers",
                       "range(start,stop,step), range(start,stop) or range(stop); the stop is left out");
            numbers.push_back(*parsed);
        } while (skip(','));
        if (numbers.size() > 3) refuse(at(begin), "a range has one to three numbers", "range(start,stop,step)");
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

    const std::shared_ptr<const SourceText> source_;
    std::size_t next_;  // offset of what is read next
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
    ValuesReader reader(source, equals + 1);
    std::vector<ConfigValue> values = reader.read();
    return {text.substr(0, equals), {source, 1, 1}, std::move(values), reader.several()};
}

std::vector<ConfigValue> parse_values(const ConfigValue& text) {
    try {
        const auto source = std::make_shared<const SourceText>(SourceText{"sweep", text.text()});
        std::vector<ConfigValue> values = ValuesReader(source, 0).read();
        for (ConfigValue& one : values) one = one.at(text.place());
        return values;
    } catch (const Error& error) {
        const Diagnostic& first = error.diagnostics().front();
        refuse(text.place(), first.message, first.hint);
    }
}

}  // namespace satdl
