#include "pipeline/core/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "pipeline/core/ascii.h"
#include "pipeline/core/utf8.h"

namespace satdl {
namespace {

constexpr std::size_t kMaxKnown = 12;      // candidates listed if none is near
constexpr std::size_t kLongestName = 200;  // longer ones are not compared: the distance is quadratic

// As a person compares names: the case does not count, nor '-' against '_'.
std::string folded(std::string_view name) {
    std::string text = lower(name);
    std::ranges::replace(text, '-', '_');
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

}  // namespace satdl
