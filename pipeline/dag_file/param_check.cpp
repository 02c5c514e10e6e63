#include "pipeline/dag_file/param_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "pipeline/core/ascii.h"
#include "pipeline/network/network_parser.h"

namespace satdl {
namespace {

constexpr std::int64_t kMaxThreads = 256;

std::string_view wanted(const ParamDescription& param) {
    switch (param.type) {
        case ParamType::Integer:
            return "a whole number";
        case ParamType::Number:
            return "a number";
        case ParamType::Boolean:
            return "true or false";
        case ParamType::Threads:
            return "a number of threads or auto";
        case ParamType::Dataset:
            return "the name of a dataset";
        case ParamType::File:
            return "the path of a file";
        case ParamType::Folder:
            return "the path of a folder";
        case ParamType::Precision:
            return "fp32, tf32, bf16 or auto";
        case ParamType::Device:
            return "cpu, cuda or auto";
        case ParamType::Choice:
            return "one of its choices";
        case ParamType::Network:
            return "a network";
        case ParamType::Numbers:
            return "a list of numbers";
        case ParamType::Text:
            break;
    }
    return "text";
}

std::optional<std::string> as_other_boolean(const std::string& text) {
    const std::string word = lower(text);
    for (const char* yes : {"true", "yes", "on", "y", "1"})
        if (word == yes) return "true";
    for (const char* no : {"false", "no", "off", "n", "0"})
        if (word == no) return "false";
    return std::nullopt;
}

// What the writer of this text may have meant as a number: 010, 0x1F, 1_000, +3, .5, 1..
std::optional<std::string> as_other_number(std::string text, bool whole) {
    std::erase(text, '_');
    if (text.starts_with('+')) text.erase(0, 1);
    const bool negative = text.starts_with('-');
    if (negative) text.erase(0, 1);
    if (text.starts_with("0x") || text.starts_with("0X")) {
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), number, 16);
        if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
        text = fmt::format("{}", number);
    }
    while (text.size() > 1 && text[0] == '0' && is_digit(text[1])) text.erase(0, 1);
    if (text.starts_with('.')) text.insert(text.begin(), '0');
    if (text.ends_with('.')) text.pop_back();
    if (negative) text.insert(text.begin(), '-');
    const auto number = ConfigValue::scalar(text).as_number();
    if (!number) return std::nullopt;
    const ConfigValue canonical = ConfigValue::of(*number);
    if (whole && !canonical.as_integer()) return std::nullopt;
    return canonical.text();
}

ParamMistake wrong_type(const ParamDescription& param, const ConfigValue& value) {
    ParamMistake mistake{fmt::format("'{}' must be {}, not {}", param.name, wanted(param), value.describe()), about(param)};
    if (!value.is_scalar()) return mistake;
    std::optional<std::string> meant;
    if (param.type == ParamType::Boolean) meant = as_other_boolean(value.text());
    if (param.type == ParamType::Integer || param.type == ParamType::Threads) meant = as_other_number(value.text(), true);
    if (param.type == ParamType::Number) meant = as_other_number(value.text(), false);
    if (meant)
        mistake.hint = fmt::format("write {}{}", *meant, value.quoted() && *meant == value.text() ? " without quotes" : "");
    return mistake;
}

std::optional<ParamMistake> out_of_range(const ParamDescription& param, double number) {
    const bool low = param.min && number < *param.min, high = param.max && number > *param.max;
    if (!low && !high) return std::nullopt;
    const std::string unit = param.unit.empty() ? "" : " " + param.unit;
    std::string range;
    if (param.min && param.max)
        range =
            fmt::format("must lie between {} and {}{}", canonical_number(*param.min), canonical_number(*param.max), unit);
    else if (param.min)
        range = fmt::format("must be at least {}{}", canonical_number(*param.min), unit);
    else
        range = fmt::format("must be at most {}{}", canonical_number(*param.max), unit);
    return ParamMistake{fmt::format("'{}' is {}, but {}", param.name, canonical_number(number), range), about(param)};
}

CheckedParam refused(ParamMistake mistake) {
    return {{}, std::move(mistake)};
}

CheckedParam text_of(const ConfigValue& value) {
    return {{value.text(), value.place()}, {}};
}

CheckedParam checked_number(const ParamDescription& param, const ConfigValue& value) {
    const auto integer = value.as_integer();
    const auto number = param.type == ParamType::Number ? value.as_number() : std::optional<double>(integer);
    if (!number) return refused(wrong_type(param, value));
    if (auto mistake = out_of_range(param, *number)) return refused(std::move(*mistake));
    if (param.type == ParamType::Number) return {{*number, value.place()}, {}};
    return {{*integer, value.place()}, {}};
}

CheckedParam checked_threads(const ParamDescription& param, const ConfigValue& value) {
    if (value.is_scalar() && value.text() == "auto") return text_of(value);
    ParamDescription bounded = param;
    bounded.min = 1;
    bounded.max = static_cast<double>(kMaxThreads);
    return checked_number(bounded, value);
}

CheckedParam checked_choice(const ParamDescription& param, const ConfigValue& value) {
    if (std::find(param.choices.begin(), param.choices.end(), value.text()) == param.choices.end())
        return refused(
            {fmt::format("'{}' cannot be {}", param.name, value.describe()), did_you_mean(value.text(), param.choices)});
    return text_of(value);
}

// They are few, so all are listed: the nearest to `gpu` would be `cpu`.
CheckedParam checked_word(const ParamDescription& param, const ConfigValue& value, const std::vector<std::string>& words) {
    if (std::ranges::find(words, value.text()) == words.end())
        return refused({fmt::format("'{}' cannot be {}", param.name, value.describe()), fmt::format("known: {}", fmt::join(words, ", "))});
    return text_of(value);
}

CheckedParam checked_numbers(const ParamDescription& param, const ConfigValue& value) {
    if (value.is_scalar() && !param.choices.empty()) return checked_choice(param, value);
    if (!value.is_list()) return refused(wrong_type(param, value));
    ParamDescription each = param;
    each.type = ParamType::Number;
    std::vector<double> numbers;
    for (const ConfigValue& item : value.items()) {
        CheckedParam number = checked_number(each, item);
        if (number.mistake) return number;
        numbers.push_back(*number.value.as_number());
    }
    return {{std::move(numbers), value.place()}, {}};
}

}  // namespace

std::string about(const ParamDescription& param) {
    return param.help.empty() ? "" : param.name + ": " + param.help;
}

bool may_be_null(const ParamDescription& param) {
    return param.fallback && (*param.fallback == "null" || *param.fallback == "~" || param.fallback->empty());
}

CheckedParam check_param(const ParamDescription& param, const ConfigValue& value) {
    if (value.is_null() && may_be_null(param)) return {{std::monostate(), value.place()}, {}};
    if (param.type == ParamType::Numbers) return checked_numbers(param, value);
    if (!value.is_scalar()) return refused(wrong_type(param, value));
    switch (param.type) {
        case ParamType::Integer:
        case ParamType::Number:
            return checked_number(param, value);
        case ParamType::Threads:
            return checked_threads(param, value);
        case ParamType::Choice:
            return checked_choice(param, value);
        case ParamType::Precision:
            return checked_word(param, value, {"fp32", "tf32", "bf16", "auto"});
        case ParamType::Device:
            return checked_word(param, value, {"cpu", "cuda", "auto"});
        case ParamType::Boolean:
            if (const auto flag = value.as_boolean()) return {{*flag, value.place()}, {}};
            return refused(wrong_type(param, value));
        case ParamType::Numbers:
        case ParamType::Network:
            SATDL_CHECK(false, "networks are read by parse_network");
            break;
        case ParamType::Text:
        case ParamType::Dataset:
        case ParamType::File:
        case ParamType::Folder:
            break;
    }
    return text_of(value);
}

}  // namespace satdl
