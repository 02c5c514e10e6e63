#include "pipeline/core/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <set>
#include <tuple>

namespace satdl {
namespace {

constexpr std::size_t kLineWidth = 110;    // of a shown line; longer ones are cut around the caret
constexpr std::size_t kOriginWidth = 60;   // of the line that a value comes from
constexpr std::size_t kMaxTold = 50;      // errors of one run; the rest are counted
constexpr std::size_t kMaxKnown = 12;     // candidates listed where none is near
constexpr std::size_t kLongestName = 200;  // longer ones are not compared: the distance is quadratic

std::string spaces(std::size_t count) {
    return std::string(count, ' ');
}

// A part of a source's line as it is shown, and how many columns it takes on a terminal.
struct Shown {
    std::string text;
    std::size_t columns = 0;
};

Shown shown(std::string_view text) {
    Shown result;
    result.text = printable(text);
    for (const char c : result.text) result.columns += (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
    return result;
}

bool is_continuation(std::string_view text, std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0u) == 0x80u;
}

// "--set:1:14, noise_factor=40"
std::string with_line(const Place& place) {
    std::string_view line = place.source->line(place.line);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    std::size_t end = std::min(line.size(), kOriginWidth);
    while (end > 0 && is_continuation(line, end)) --end;
    return fmt::format("{}, {}{}", place.text(), printable(line.substr(0, end)), end < line.size() ? "..." : "");
}

// The line and the caret under `column`, as rustc draws them.
std::string excerpt(const Place& place) {
    const std::string_view whole = place.source->line(place.line);
    const std::size_t caret = std::min(static_cast<std::size_t>(std::max(place.column, 1) - 1), whole.size());
    std::size_t begin = 0;
    if (whole.size() > kLineWidth && caret > kLineWidth / 2) begin = caret - kLineWidth / 2;
    while (begin > 0 && is_continuation(whole, begin)) --begin;
    std::size_t end = std::min(whole.size(), begin + kLineWidth);
    while (end > begin && is_continuation(whole, end)) --end;

    std::string tabs_gone(whole.substr(begin, end - begin));
    std::replace(tabs_gone.begin(), tabs_gone.end(), '\t', ' ');
    const Shown line = shown(tabs_gone);
    const Shown before = shown(std::string_view(tabs_gone).substr(0, std::min(caret, end) - begin));
    const std::string_view left = begin > 0 ? "..." : "";
    const std::string_view right = end < whole.size() ? "..." : "";
    return fmt::format("\n{:>5} | {}{}{}\n      | {}^", place.line, left, line.text, right,
                       spaces(left.size() + before.columns));
}

bool is_before(const Diagnostic& a, const Diagnostic& b) {
    return std::tuple(a.place.line, a.place.column) < std::tuple(b.place.line, b.place.column);
}

using Position = std::tuple<const SourceText*, int, int>;

Position position(const Place& place) {
    return {place.source.get(), place.line, place.column};
}

// Leaves of what is one mistake the first: what `foreach` and stages with a network in common repeat, and all that is said of
// one scalar.
void keep_first_of_each(std::vector<Diagnostic>& told) {
    std::set<std::tuple<Position, std::string, std::string>> seen;
    std::set<Position> origins;
    std::erase_if(told, [&](const Diagnostic& one) {
        if (!seen.insert({position(one.place), one.message, one.hint}).second) return true;
        return one.place.origin != nullptr && !origins.insert(position(*one.place.origin)).second;
    });
}

std::string render_all(const std::vector<Diagnostic>& diagnostics) {
    std::string text;
    for (std::size_t i = 0; i < diagnostics.size() && i < kMaxTold; ++i) {
        if (i > 0) text += '\n';
        text += render(diagnostics[i]);
    }
    if (diagnostics.size() > kMaxTold) text += fmt::format("\nand {} more errors", diagnostics.size() - kMaxTold);
    return text;
}

// As a person compares names: the case does not count, nor '-' against '_'.
std::string folded(std::string_view name) {
    std::string text(name);
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (c == '-') c = '_';
    }
    return text;
}

// Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, substitutions, neighbours swapped.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = std::min(now[j], before_last[j - 2] + 1);
        }
        std::swap(before_last, last);
        std::swap(last, now);
    }
    return last[b.size()];
}

}  // namespace

std::string_view SourceText::line(int number) const {
    if (number < 1) return {};
    std::size_t begin = 0;
    for (int i = 1; i < number; ++i) {
        begin = text.find('\n', begin);
        if (begin == std::string::npos) return {};
        ++begin;
    }
    std::string_view found = std::string_view(text).substr(begin, text.find('\n', begin) - begin);
    if (found.ends_with('\r')) found.remove_suffix(1);
    return found;
}

std::string Place::text() const {
    if (!source) return {};
    const std::string name = printable(source->name);
    return line > 0 ? fmt::format("{}:{}:{}", name, line, column) : name;
}

std::string render(const Diagnostic& diagnostic) {
    const Place& place = diagnostic.place;
    std::string text = place ? place.text() + ": error: " : "";
    text += diagnostic.message;
    const bool drawn = place && place.line > 0;
    if (drawn) text += excerpt(place);
    const std::string_view margin = drawn ? "\n      = " : "\n  ";
    std::string_view rest = diagnostic.hint;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        text += margin;
        text += rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (place.origin != nullptr && place.origin->text() != place.text()) text += fmt::format("{}the value comes from {}", margin, with_line(*place.origin));
    return text;
}

Error::Error(ExitCode code, std::string message, std::string hint)
    : Error(code, std::vector<Diagnostic>{{{}, std::move(message), std::move(hint)}}) {}

Error::Error(ExitCode code, std::vector<Diagnostic> diagnostics)
    : std::runtime_error(render_all(diagnostics)), code_(code), diagnostics_(std::move(diagnostics)) {}

void refuse(Place place, std::string message, std::string hint) {
    throw Error(ExitCode::Usage, std::vector<Diagnostic>{{std::move(place), std::move(message), std::move(hint)}});
}

void Diagnostics::add(Place place, std::string message, std::string hint) {
    found_.push_back({std::move(place), std::move(message), std::move(hint)});
}

void Diagnostics::throw_if_any() const {
    if (found_.empty()) return;
    // Source by source, in the order in which they came up; what has no place comes last.
    std::map<const SourceText*, std::size_t> order;
    for (const Diagnostic& one : found_)
        if (one.place) order.emplace(one.place.source.get(), order.size());
    order[nullptr] = order.size();
    std::vector<Diagnostic> told = found_;
    std::stable_sort(told.begin(), told.end(), [&](const Diagnostic& a, const Diagnostic& b) {
        const std::size_t left = order.at(a.place.source.get()), right = order.at(b.place.source.get());
        return left != right ? left < right : is_before(a, b);
    });
    keep_first_of_each(told);
    throw Error(ExitCode::Usage, std::move(told));
}

std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates) {
    if (name.size() < 2 || name.size() > kLongestName) return std::nullopt;
    const std::string wanted = folded(name);
    std::size_t best = std::max<std::size_t>(1, name.size() / 3) + 1;
    const std::string* found = nullptr;
    for (const std::string& candidate : candidates) {
        const std::size_t difference = std::max(candidate.size(), name.size()) - std::min(candidate.size(), name.size());
        if (difference >= best) continue;
        const std::size_t away = distance(wanted, folded(candidate));
        if (away >= best) continue;
        best = away;
        found = &candidate;
    }
    if (!found) return std::nullopt;
    return *found;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
    if (const auto near = nearest(name, candidates)) return fmt::format("did you mean '{}'?", printable(*near));
    if (candidates.empty()) return {};
    std::string text = "known: ";
    for (std::size_t i = 0; i < candidates.size() && i < kMaxKnown; ++i) {
        if (i > 0) text += ", ";
        text += printable(candidates[i]);
    }
    if (candidates.size() > kMaxKnown) text += fmt::format(" and {} more", candidates.size() - kMaxKnown);
    return text;
}

std::size_t utf8_bytes(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const unsigned first = byte(at);
    if (first < 0x80) return 1;
    const std::size_t count = first >= 0xC2 && first <= 0xDF   ? 2
                              : (first & 0xF0u) == 0xE0        ? 3
                              : first >= 0xF0 && first <= 0xF4 ? 4
                                                               : 0;
    if (count == 0 || at + count > text.size()) return 0;
    for (std::size_t i = 1; i < count; ++i)
        if ((byte(at + i) & 0xC0u) != 0x80) return 0;
    const unsigned second = byte(at + 1);  // too long a form, a surrogate, or above U+10FFFF
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second >= 0xA0)) return 0;
    if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second >= 0x90)) return 0;
    return count;
}

std::string printable(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const auto first = static_cast<unsigned char>(text[at]);
        const std::size_t count = utf8_bytes(text, at);
        const bool c1 = count == 2 && first == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0;
        const bool escaped = count == 0 || first < 0x20 || first == 0x7F || c1;
        for (std::size_t i = 0; i < std::max<std::size_t>(count, 1); ++i, ++at) {
            if (escaped)
                result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
            else
                result += text[at];
        }
    }
    return result;
}

std::string describe(const std::exception& error) {
    if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return kNoMemory;
    const std::string_view what = error.what();
    return std::string(what.substr(0, what.find("\nException raised from ")));
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

void check_failed(const char* file, int line, const char* condition, const std::string& message) {
    fmt::print(stderr, "{}:{}: satdl is broken here: {} ({}); please report this\n", file, line, message, condition);
    std::fflush(stderr);
    std::abort();
}

}  // namespace satdl
