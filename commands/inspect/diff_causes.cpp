#include "commands/inspect/diff_causes.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "pipeline/plan/recipe_diff.h"
#include "pipeline/records/recorded_dag.h"

namespace satdl {

namespace {

constexpr std::string_view kInput = "input ";

std::string kind_of(const Recipe& recipe) {
    const KeyPart* const kind = find_part(recipe, "kind");
    return kind == nullptr ? "" : kind->value;
}

class CauseFinder {
public:
    CauseFinder(Store& store, ContentMakers& makers) : store_(store), makers_(makers) {}

    void follow(const Recipe& first, const Recipe& second) {
        const Digest key = key_of(second);
        if (!visited_.emplace(key_of(first), key).second) return;
        if (const std::string before = kind_of(first), now = kind_of(second); before != now)
            return add(key, second, {"kind", first_difference({{"kind", before}}, {{"kind", now}})});
        std::vector<RecipeDifference> own;
        for (RecipeDifference& difference : differences(first, second)) {
            if (!difference.part.starts_with(kInput) || !follow_input(difference, first, second))
                own.push_back(std::move(difference));
        }
        for (RecipeDifference& difference : own) add(key, second, std::move(difference));
    }

    std::vector<DiffCause> take() { return std::move(causes_); }

private:
    // False: what one of the two read is in no artifact of the store, or stages of two kinds made it. Then the difference
    // says so.
    bool follow_input(RecipeDifference& difference, const Recipe& first, const Recipe& second) {
        const KeyPart *a = find_part(first, difference.part), *b = find_part(second, difference.part);
        if (a == nullptr || b == nullptr) return false;
        const std::vector<Recipe> before = recipes_with(a->value), now = recipes_with(b->value);
        if (const auto pair = nearest(before, now)) {
            follow(*pair->first, *pair->second);
            return true;
        }
        const auto maker = [](const std::vector<Recipe>& recipes) {
            return recipes.empty() ? "not in the store" : "made by " + kind_of(recipes.front());
        };
        difference.text = fmt::format("{}: {} -> {}", difference.part, maker(before), maker(now));
        return false;
    }

    // One content may have been made in several ways: those that differ least are the ones to compare.
    static std::optional<std::pair<const Recipe*, const Recipe*>> nearest(const std::vector<Recipe>& before,
                                                                          const std::vector<Recipe>& now) {
        std::optional<std::pair<const Recipe*, const Recipe*>> nearest;
        std::size_t fewest = 0;
        for (const Recipe& a : before) {
            for (const Recipe& b : now) {
                if (kind_of(a) != kind_of(b)) continue;
                const std::size_t count = differences(a, b).size();
                if (nearest && count >= fewest) continue;
                nearest.emplace(&a, &b);
                fewest = count;
            }
        }
        return nearest;
    }

    std::vector<Recipe> recipes_with(const std::string& content) {
        std::vector<Recipe> recipes;
        const auto digest = Digest::from_hex(content);
        if (!digest) return recipes;
        for (const auto& [key, port] : makers_.of(*digest))
            if (auto header = store_.header(key)) recipes.push_back(std::move(header->recipe));
        return recipes;
    }

    void add(const Digest& key, const Recipe& recipe, RecipeDifference difference) {
        causes_.push_back({key, kind_of(recipe), std::move(difference.part), std::move(difference.text)});
    }

    Store& store_;
    ContentMakers& makers_;
    std::set<std::pair<Digest, Digest>> visited_;
    std::vector<DiffCause> causes_;
};

}  // namespace

const std::vector<ContentMakers::Maker>& ContentMakers::of(const Digest& content) {
    if (!std::exchange(is_filled_, true)) {
        const Index::Batch one_transaction(open_.index());
        for (const Digest& key : open_.store().keys()) {
            const auto output = open_.store().find(key);
            if (!output) continue;
            for (const auto& [port, digest] : output->ports) makers_[digest].emplace_back(key, port);
        }
    }
    return makers_[content];
}

std::vector<DiffCause> causes_of(const Recipe& first, const Recipe& second, OpenStore& open, ContentMakers& makers) {
    CauseFinder finder(open.store(), makers);
    finder.follow(first, second);
    std::vector<DiffCause> causes = finder.take();
    std::set<Digest> keys;
    for (const DiffCause& cause : causes) keys.insert(cause.key);
    const auto recorded = find_recorded_stages(open.folder(), keys, open.files());
    for (DiffCause& cause : causes)
        if (const auto found = recorded.find(cause.key); found != recorded.end()) cause.stage = found->second.stage;
    return causes;
}

}  // namespace satdl
