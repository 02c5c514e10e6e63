#include "pipeline/records/run_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "pipeline/sweep/sweep_summary.h"

namespace satdl {
namespace {

using Test = std::function<bool(const Json&)>;

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

class Tokens {
public:
    Tokens(const std::string& text, const std::string& where)
        : source_(std::make_shared<SourceText>(SourceText{where, text})) {
        advance();
    }

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

private:
    [[nodiscard]] std::string_view rest() const { return std::string_view(source_->text).substr(at_); }

    void advance() {
        at_ = std::min(source_->text.find_first_not_of(" \t\n", at_), source_->text.size());
        next_ = {Token::Kind::End, "", {source_, 1, static_cast<int>(at_) + 1}};
        if (rest().empty()) return;
        const char first = rest().front();
        if (first == '"' || first == '\'') return take_quoted(first);
        constexpr std::string_view kSymbols = "()<>=!";
        if (kSymbols.find(first) == kSymbols.npos)
            return set(Token::Kind::Word, rest().substr(0, rest().find_first_of(" \t\n()<>=!\"'")));
        const bool is_pair = first != '(' && first != ')' && rest().size() > 1 && rest()[1] == '=';
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
    std::size_t at_ = 0;
    Token next_;
};

std::optional<double> number_in(const std::string& text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

// -1, 0, 1 as they are ordered: as numbers where both are, else as texts.
int order_of(const Json& value, const Token& token) {
    const auto number = token.kind == Token::Kind::Word ? number_in(token.text) : std::nullopt;
    if (number && value.is_number()) {
        const auto mine = value.get<double>();
        return mine < *number ? -1 : mine > *number ? 1 : 0;
    }
    const int order = plain_text(value).compare(token.text);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
}

bool contains(const Json& value, const std::string& text) {
    if (value.is_array()) return std::ranges::any_of(value, [&](const Json& item) { return plain_text(item) == text; });
    return plain_text(value).find(text) != std::string::npos;
}

bool satisfies(const Json& value, const std::string& comparison, const Token& token) {
    if (value.is_null()) return false;
    if (comparison == "contains") return contains(value, token.text);
    const int order = order_of(value, token);
    if (comparison == "<") return order < 0;
    if (comparison == "<=") return order <= 0;
    if (comparison == ">") return order > 0;
    if (comparison == ">=") return order >= 0;
    return (comparison == "!=") == (order != 0);
}

class Parser {
public:
    Parser(const std::string& text, const std::string& where) : tokens_(text, where) {}

    Test parse(std::vector<std::pair<std::string, Place>>& names) {
        Test test = any();
        if (tokens_.next().kind != Token::Kind::End)
            refuse(tokens_.next().place, fmt::format("'{}' is not expected here", printable(tokens_.next().text)),
                   "between two conditions there is `and` or `or`");
        names = std::move(names_);
        return test;
    }

private:
    Test any() {
        Test left = all();
        while (tokens_.take_if("or")) left = [left, right = all()](const Json& run) { return left(run) || right(run); };
        return left;
    }

    Test all() {
        Test left = one();
        while (tokens_.take_if("and")) left = [left, right = one()](const Json& run) { return left(run) && right(run); };
        return left;
    }

    Test one() {
        if (tokens_.take_if("not")) return [test = one()](const Json& run) { return !test(run); };
        const Place place = tokens_.next().place;
        if (!tokens_.take_if("(")) return condition();
        Test test = any();
        if (!tokens_.take_if(")")) refuse(place, "this parenthesis is not closed");
        return test;
    }

    Test condition() {
        const Token name = tokens_.take();
        if (name.kind != Token::Kind::Word)
            refuse(name.place, "here is the name of a metric, a parameter or a field of the run expected",
                   "for example: metrics.compare.p0 > 0.9");
        names_.emplace_back(name.text, name.place);
        if (tokens_.take_if("is")) return missing(name.text);
        const Token comparison = tokens_.take();
        if (comparison.kind == Token::Kind::Quoted || std::ranges::find(kOperators, comparison.text) == kOperators.end())
            refuse(comparison.place, fmt::format("after '{}' a comparison is expected", printable(name.text)),
                   "one of: = != < <= > >= contains, is missing, is not missing");
        Token value = tokens_.take();
        if (value.kind != Token::Kind::Word && value.kind != Token::Kind::Quoted)
            refuse(value.place, fmt::format("after '{}' a number or a text is expected", comparison.text));
        return [name = name.text, comparison = comparison.text, value = std::move(value)](const Json& run) {
            return satisfies(value_in(run, name), comparison, value);
        };
    }

    Test missing(const std::string& name) {
        const bool there = tokens_.take_if("not");
        if (!tokens_.take_if("missing")) refuse(tokens_.next().place, "after `is` there is `missing` or `not missing`");
        return [name, there](const Json& run) { return value_in(run, name).is_null() != there; };
    }

    Tokens tokens_;
    std::vector<std::pair<std::string, Place>> names_;
};

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

void check_name(const std::string& name, std::span<const Json> runs, const Place& place) {
    if (is_field(name) || std::ranges::any_of(runs, [&](const Json& run) { return !value_in(run, name).is_null(); })) return;
    std::vector<std::string> known = names_in(runs);
    const std::size_t whole = known.size();
    for (std::size_t i = 0; i < whole; ++i) known.emplace_back(short_name(known[i]));
    const auto near = nearest(name, known);
    refuse(place, fmt::format("none of the runs has a value for '{}'", printable(name)),
           near ? fmt::format("did you mean '{}'?", *near) : "the first line of `satdl log --csv -` has all names");
}

RunFilter::RunFilter(const std::string& text, const std::string& where) : matches_(Parser(text, where).parse(names_)) {}

void RunFilter::check_names(std::span<const Json> runs) const {
    for (const auto& [name, place] : names_) check_name(name, runs, place);
}

}  // namespace satdl
