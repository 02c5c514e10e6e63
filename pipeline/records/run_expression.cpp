#include "pipeline/records/run_expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "pipeline/sweep/sweep_summary.h"

namespace satdl {
namespace {

constexpr std::array kFields{"run",     "dag", "file",   "profile", "host", "version", "outcome",
                             "seconds", "ran", "reused", "failed",  "note", "tags"};
constexpr std::array<std::string_view, 8> kOperators{"==", "!=", "<=", ">=", "=", "<", ">", "contains"};

struct Token {
    enum class Kind { Word, Quoted, Symbol, End };
    Kind kind = Kind::End;
    std::string text;
    Place place;

    [[nodiscard]] bool is(std::string_view word) const {
        return (kind == Kind::Word || kind == Kind::Symbol) && text == word;
    }
};

std::optional<double> number_in(const std::string& text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

class Tokens {
public:
    // Those of the text from `at` on.
    Tokens(std::shared_ptr<const SourceText> source, std::size_t at) : source_(std::move(source)), at_(at) { advance(); }

    [[nodiscard]] const Token& next() const { return next_; }
    Token take() {
        Token taken = std::move(next_);
        advance();
        return taken;
    }
    bool take_if(std::string_view word) {
        if (!next_.is(word)) return false;
        advance();
        return true;
    }
    // The minus before an operand, also one that is written without a space: "-p0", but not "-1".
    bool take_minus() {
        if (take_if("-")) return true;
        if (next_.kind != Token::Kind::Word || !next_.text.starts_with('-') || number_in(next_.text)) return false;
        next_.text.erase(0, 1);
        ++next_.place.column;
        return true;
    }
    // Whether the text goes on with a parenthesis right after next().
    [[nodiscard]] bool is_call() const { return next_.kind == Token::Kind::Word && rest().starts_with('('); }
    // Between these, a comma is a token of its own. To be called before the parenthesis is taken.
    void enter_call() { ++calls_; }
    void leave_call() { --calls_; }

private:
    [[nodiscard]] std::string_view rest() const { return std::string_view(source_->text).substr(at_); }

    void advance() {
        at_ = std::min(source_->text.find_first_not_of(" \t\n", at_), source_->text.size());
        next_ = {Token::Kind::End, "", {source_, 1, static_cast<int>(at_) + 1}};
        if (rest().empty()) return;
        const char first = rest().front();
        if (first == '"' || first == '\'') return take_quoted(first);
        const std::string_view symbols = calls_ > 0 ? "()<>=!," : "()<>=!";
        if (symbols.find(first) == symbols.npos)
            return set(Token::Kind::Word,
                       rest().substr(0, rest().find_first_of(calls_ > 0 ? " \t\n()<>=!\"'," : " \t\n()<>=!\"'")));
        const bool is_pair = first != '(' && first != ')' && first != ',' && rest().size() > 1 && rest()[1] == '=';
        set(Token::Kind::Symbol, rest().substr(0, is_pair ? 2 : 1));
    }

    void set(Token::Kind kind, std::string_view text) {
        next_.kind = kind;
        next_.text = text;
        at_ += text.size();
    }

    void take_quoted(char quote) {
        const std::size_t end = rest().find(quote, 1);
        if (end == rest().npos) refuse(next_.place, "this quote is not closed");
        set(Token::Kind::Quoted, rest().substr(1, end - 1));
        at_ += 2;
    }

    std::shared_ptr<const SourceText> source_;
    std::size_t at_;
    int calls_ = 0;  // of functions, whose parentheses are open
    Token next_;
};

// -1, 0, 1 as they are ordered: as numbers where both are, else as texts. `text`: the second value as it is written.
int order_of(const Json& first, const Json& second, const std::string& text) {
    if (first.is_number() && second.is_number()) {
        const auto a = first.get<double>(), b = second.get<double>();
        return a < b ? -1 : a > b ? 1 : 0;
    }
    const int order = plain_text(first).compare(text);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
}

bool contains(const Json& value, const std::string& text) {
    if (value.is_array()) return std::ranges::any_of(value, [&](const Json& item) { return plain_text(item) == text; });
    return plain_text(value).find(text) != std::string::npos;
}

using Value = std::function<Json(const Json& run)>;

// A part of an expression.
struct Part {
    Value value;
    bool is_condition = false;  // its values are true and false
    std::string text{};         // as it is written, of a name, number or text
    Place place{};
};

bool satisfies(const Json& first, const std::string& comparison, const Json& second, const std::string& text) {
    if (first.is_null() || second.is_null()) return false;
    if (comparison == "contains") return contains(first, text);
    const int order = order_of(first, second, text);
    if (comparison == "<") return order < 0;
    if (comparison == "<=") return order <= 0;
    if (comparison == ">") return order > 0;
    if (comparison == ">=") return order >= 0;
    return (comparison == "!=") == (order != 0);
}

Json finite_or_missing(double number) {
    return std::isfinite(number) ? Json(number) : Json();
}

Json computed(char operation, const Json& first, const Json& second) {
    if (!first.is_number() || !second.is_number()) return nullptr;
    const auto a = first.get<double>(), b = second.get<double>();
    switch (operation) {
        case '+':
            return finite_or_missing(a + b);
        case '-':
            return finite_or_missing(a - b);
        case '*':
            return finite_or_missing(a * b);
        default:
            return finite_or_missing(a / b);
    }
}

struct Function {
    std::string_view name;
    bool takes_several;  // else one argument
    double (*apply)(double a, double b);
};
constexpr std::array<Function, 5> kFunctions{{{"abs", false, [](double a, double) { return std::abs(a); }},
                                              {"log", false, [](double a, double) { return std::log(a); }},
                                              {"sqrt", false, [](double a, double) { return std::sqrt(a); }},
                                              {"min", true, [](double a, double b) { return std::min(a, b); }},
                                              {"max", true, [](double a, double b) { return std::max(a, b); }}}};
constexpr std::string_view kFunctionNames = "the functions are abs, log, sqrt, min, max";

class Parser {
public:
    Parser(std::shared_ptr<const SourceText> source, std::size_t at) : tokens_(std::move(source), at) {}

    Value condition(UsedNames& names) {
        const Part part = as_condition(any());
        finish("between two conditions there is `and` or `or`", names);
        return part.value;
    }

    Value formula(UsedNames& names) {
        const Part part = as_number(any());
        finish("+ - * / stand between spaces", names);
        return part.value;
    }

private:
    void finish(const char* hint, UsedNames& names) {
        const Token& rest = tokens_.next();
        const bool is_operator = rest.text == "+" || rest.text == "-" || rest.text == "*" || rest.text == "/";
        if (rest.kind != Token::Kind::End)
            refuse(rest.place, fmt::format("'{}' is not expected here", printable(rest.text)),
                   is_operator ? "a word to the right of a comparison is a text: write metrics.NAME or params.NAME there"
                               : hint);
        names = std::move(names_);
    }

    Part any() {
        Part left = all();
        while (tokens_.next().is("or")) {
            left = as_condition(std::move(left));
            tokens_.take();
            left.value = [left = left.value, right = as_condition(all()).value](const Json& run) {
                return left(run) == true || right(run) == true;
            };
        }
        return left;
    }

    Part all() {
        Part left = one();
        while (tokens_.next().is("and")) {
            left = as_condition(std::move(left));
            tokens_.take();
            left.value = [left = left.value, right = as_condition(one()).value](const Json& run) {
                return left(run) == true && right(run) == true;
            };
        }
        return left;
    }

    Part one() {
        const Place place = tokens_.next().place;
        if (!tokens_.take_if("not")) return comparison();
        return {.value = [negated = as_condition(one()).value](const Json& run) { return negated(run) != true; },
                .is_condition = true,
                .place = place};
    }

    Part comparison() {
        Part left = sum();
        if (left.is_condition) return left;
        if (tokens_.take_if("is")) return missing(std::move(left));
        const Token& next = tokens_.next();
        if (next.kind == Token::Kind::Quoted || std::ranges::find(kOperators, next.text) == kOperators.end()) return left;
        const std::string comparison = tokens_.take().text;
        const Part right = right_side(comparison);
        return {.value = [first = left.value, comparison, second = right.value, text = right.text](const Json& run) -> Json {
                    const Json value = second(run);
                    return satisfies(first(run), comparison, value, text.empty() ? plain_text(value) : text);
                },
                .is_condition = true,
                .place = left.place};
    }

    Part missing(Part left) {
        const bool there = tokens_.take_if("not");
        if (!tokens_.take_if("missing")) refuse(tokens_.next().place, "after `is` there is `missing` or `not missing`");
        return {.value = [value = std::move(left.value), there](const Json& run) -> Json {
                    return value(run).is_null() != there;
                },
                .is_condition = true,
                .place = left.place};
    }

    // A text, or a number that may be computed.
    Part right_side(const std::string& comparison) {
        const Token& next = tokens_.next();
        const bool is_word = next.kind == Token::Kind::Word || next.kind == Token::Kind::Quoted;
        const bool is_number =
            next.kind == Token::Kind::Word && (number_in(next.text) || next.text.starts_with("metrics.") ||
                                               next.text.starts_with("params.") || tokens_.is_call());
        if (comparison != "contains" && (is_number || next.is("("))) return as_number(sum());
        if (!is_word) refuse(next.place, fmt::format("after '{}' a number or a text is expected", comparison));
        const Token text = tokens_.take();
        return {.value = [text = text.text](const Json&) -> Json { return text; }, .text = text.text, .place = text.place};
    }

    Part sum() {
        Part left = product();
        while (tokens_.next().is("+") || tokens_.next().is("-")) {
            const char operation = tokens_.take().text.front();
            left = operation_of(operation, std::move(left), product());
        }
        return left;
    }

    Part product() {
        Part left = signed_operand();
        while (tokens_.next().is("*") || tokens_.next().is("/")) {
            const char operation = tokens_.take().text.front();
            left = operation_of(operation, std::move(left), signed_operand());
        }
        return left;
    }

    Part operation_of(char operation, Part left, Part right) {
        const Value first = as_number(std::move(left)).value, second = as_number(std::move(right)).value;
        return {
            .value = [operation, first, second](const Json& run) { return computed(operation, first(run), second(run)); },
            .text = "",
            .place = left.place};
    }

    Part signed_operand() {
        const Place place = tokens_.next().place;
        if (!tokens_.take_minus()) return operand();
        return {
            .value = [value = as_number(signed_operand()).value](const Json& run) { return computed('-', 0, value(run)); },
            .place = place};
    }

    Part operand() {
        const Place place = tokens_.next().place;
        if (tokens_.take_if("(")) {
            Part part = any();
            if (!tokens_.take_if(")")) refuse(place, "this parenthesis is not closed");
            part.text.clear();
            return part;
        }
        if (tokens_.is_call()) return call();
        const Token name = tokens_.take();
        if (name.kind != Token::Kind::Word)
            refuse(name.place, "here is the name of a metric, a parameter or a field of the run expected",
                   "for example: metrics.compare.p0 > 0.9");
        if (const auto number = number_in(name.text))
            return {.value = [number = *number](const Json&) -> Json { return number; }, .text = name.text, .place = place};
        names_.emplace_back(name.text, name.place);
        return {.value = [name = name.text](const Json& run) { return value_in(run, name); }, .text = "", .place = place};
    }

    Part call() {
        const Token name = tokens_.take();
        const auto function = std::ranges::find(kFunctions, name.text, &Function::name);
        if (function == kFunctions.end())
            refuse(name.place, fmt::format("there is no function '{}'", printable(name.text)), std::string(kFunctionNames));
        tokens_.enter_call();
        tokens_.take();
        std::vector<Value> arguments{as_number(sum()).value};
        while (tokens_.take_if(",")) arguments.push_back(as_number(sum()).value);
        tokens_.leave_call();
        if (!tokens_.next().is(")"))
            refuse(tokens_.next().place, fmt::format("the parenthesis of {}( is not closed here", name.text));
        if (function->takes_several != (arguments.size() > 1))
            refuse(name.place,
                   fmt::format("{} takes {}, not {}", name.text,
                               function->takes_several ? "two or more numbers" : "one number", arguments.size()));
        tokens_.take();
        return {.value = [apply = function->apply, arguments](const Json& run) -> Json {
                    Json result;
                    for (const Value& argument : arguments) {
                        const Json value = argument(run);
                        if (!value.is_number()) return nullptr;
                        const auto number = value.get<double>();
                        result = apply(result.is_null() ? number : result.get<double>(), number);
                    }
                    return finite_or_missing(result.get<double>());
                },
                .place = name.place};
    }

    // Precondition of both: next() is what follows the part.
    Part as_condition(Part part) {
        if (part.is_condition) return part;
        refuse(tokens_.next().place,
               names_.empty() ? std::string("a comparison is expected")
                              : fmt::format("after '{}' a comparison is expected", printable(names_.back().first)),
               "one of: = != < <= > >= contains, is missing, is not missing");
    }
    static Part as_number(Part part) {
        if (part.is_condition) refuse(part.place, "a number is expected here, and this is a condition");
        return part;
    }

    Tokens tokens_;
    UsedNames names_;
};

std::shared_ptr<const SourceText> source_of(const std::string& text, const std::string& where) {
    return std::make_shared<SourceText>(SourceText{where, text});
}

// A member, or a column whose last part this is.
Json member(const Json& values, std::string_view name) {
    if (const auto found = values.find(name); found != values.end()) return *found;
    for (const auto& [column, value] : values.items())
        if (is_name_of_column(name, column)) return value;
    return nullptr;
}

bool is_field(std::string_view name) {
    return std::ranges::find(kFields, name) != kFields.end();
}

}  // namespace

Json value_in(const Json& run, std::string_view name) {
    constexpr std::string_view kMetrics = "metrics.", kParams = "params.";
    if (is_field(name)) {
        const Json& value = run.at(name);
        return value == "" || value == Json::array() ? Json() : value;
    }
    if (name.starts_with(kMetrics)) return member(run.at("metrics"), name.substr(kMetrics.size()));
    if (name.starts_with(kParams)) return member(run.at("params"), name.substr(kParams.size()));
    const Json param = member(run.at("params"), name);
    return param.is_null() ? member(run.at("metrics"), name) : param;
}

std::vector<std::string> names_in(std::span<const Json> runs) {
    std::set<std::string> names(kFields.begin(), kFields.end());
    for (const Json& run : runs)
        for (const char* values : {"metrics", "params"})
            for (const auto& [name, value] : run.at(values).items()) names.insert(fmt::format("{}.{}", values, name));
    return {names.begin(), names.end()};
}

namespace {

bool has_value(std::string_view name, std::span<const Json> runs) {
    return is_field(name) || std::ranges::any_of(runs, [&](const Json& run) { return !value_in(run, name).is_null(); });
}

// "p0 - p" for "p0-p", if both sides of an operator have a meaning.
std::optional<std::string> with_spaces(const std::string& name, std::span<const Json> runs) {
    for (auto at = name.find_first_of("+-*/"); at != name.npos; at = name.find_first_of("+-*/", at + 1)) {
        const std::string left = name.substr(0, at), right = name.substr(at + 1);
        const auto is_operand = [&](const std::string& text) { return number_in(text) || has_value(text, runs); };
        if (is_operand(left) && is_operand(right)) return fmt::format("{} {} {}", left, name[at], right);
    }
    return std::nullopt;
}

}  // namespace

void check_name(const std::string& name, std::span<const Json> runs, const Place& place) {
    if (has_value(name, runs)) return;
    std::vector<std::string> known = names_in(runs);
    const std::size_t whole = known.size();
    for (std::size_t i = 0; i < whole; ++i) known.emplace_back(short_name(known[i]));
    if (std::ranges::find(known, name) != known.end()) return;  // a parameter that is null in all of them
    auto near = with_spaces(name, runs);
    if (!near) near = nearest(name, known);
    refuse(place, fmt::format("none of the runs has a value for '{}'", printable(name)),
           near ? fmt::format("did you mean '{}'?", *near) : "the first line of `satdl log --csv -` has all names");
}

RunFilter::RunFilter(const std::string& text, const std::string& where)
    : matches_([condition = Parser(source_of(text, where), 0).condition(names_)](const Json& run) {
          return condition(run) == true;
      }) {}

void RunFilter::check_names(std::span<const Json> runs) const {
    for (const auto& [name, place] : names_) check_name(name, runs, place);
}

RunFormula::RunFormula(const std::string& text, const std::string& where) {
    const auto source = source_of(text, where);
    place_ = {source, 1, 1};
    const std::size_t equals = text.find('=');
    metric_ = text.substr(0, std::min(equals, text.size()));
    if (equals == text.npos || metric_.empty()) refuse(place_, "NAME=EXPRESSION is expected", "for example: gain=p0 - p");
    if (const auto bad = metric_.find_first_of(" \t\n()<>!,\"'"); bad != metric_.npos)
        refuse({source, 1, static_cast<int>(bad) + 1},
               fmt::format("'{}' cannot be the name of a metric", printable(metric_)),
               "NAME=EXPRESSION without a space before the =");
    if (is_field(metric_)) refuse(place_, fmt::format("'{}' is a field of every run", metric_), "choose another name");
    value_ = Parser(source, equals + 1).formula(names_);
}

void RunFormula::check_names(std::span<const Json> runs) const {
    for (const Json& run : runs)
        if (run.at("metrics").contains(metric_) || run.at("params").contains(metric_))
            refuse(place_,
                   fmt::format("run {} has a value for '{}' already", run.at("run").get<std::string>(), printable(metric_)),
                   "choose another name");
    for (const auto& [name, place] : names_) check_name(name, runs, place);
}

void RunFormula::add_to(Json& run) const {
    if (Json value = value_(run); value.is_number()) run["metrics"][metric_] = std::move(value);
    if (run.at("points").empty()) return;
    const std::vector<Json> points = points_of(run);
    for (std::size_t i = 0; i < points.size(); ++i)
        if (Json value = value_(points[i]); value.is_number()) run["points"][i]["metrics"][metric_] = std::move(value);
}

std::vector<Json> points_of(const Json& run) {
    std::vector<Json> rows;
    for (const Json& point : run.at("points")) {
        Json row = run;
        row["set"].update(point.at("settings"));
        row["params"].update(point.at("settings"));
        row["metrics"] = point.at("metrics");
        row["failed"] = point.at("failed");
        row["points"] = Json::array();
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace satdl
