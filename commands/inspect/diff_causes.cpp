#include "commands/inspect/diff_causes.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "pipeline/plan/recipe_diff.h"
#include "pipeline/records/recorded_dag.h"

namespace satdl {

namespace {

constexpr std::string_view kInput = "input ";

const KeyPart* part_of(const Recipe& recipe, const std::string& name) {
    const auto found = std::ranges::find(recipe, name, &KeyPart::name);
    return found == recipe.end() ? nullptr : &*found;
}

bool is_same_kind(const Recipe& first, const Recipe& second) {
    const KeyPart *a = part_of(first, "kind"), *b = part_of(second, "kind");
    return a != nullptr && b != nullptr && a->value == b->value;
}

class CauseFinder {
public:
    explicit CauseFinder(Store& store) : store_(store) {
        for (const Digest& key : store.keys()) {
            const auto output = store.find(key);
            if (!output) continue;
            for (const auto& [port, content] : output->ports) makers_[content].push_back(key);
        }
    }

    void follow(const Recipe& first, const Recipe& second) {
        const Digest key = key_of(second);
        if (!visited_.emplace(key_of(first), key).second) return;
        if (!is_same_kind(first, second)) {
            add(key, second, {"kind", first_difference({*part_of(first, "kind")}, {*part_of(second, "kind")})});
            return;
        }
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
        const KeyPart *a = part_of(first, difference.part), *b = part_of(second, difference.part);
        if (a == nullptr || b == nullptr) return false;
        const std::vector<Recipe> before = recipes_with(a->value), now = recipes_with(b->value);
        if (const auto pair = nearest(before, now)) {
            follow(*pair->first, *pair->second);
            return true;
        }
        const auto maker = [](const std::vector<Recipe>& recipes) {
            return recipes.empty() ? "not in the store" : "made by " + part_of(recipes.front(), "kind")->value;
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
                if (!is_same_kind(a, b)) continue;
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
        const auto found = digest ? makers_.find(*digest) : makers_.end();
        if (found == makers_.end()) return recipes;
        for (const Digest& key : found->second)
            if (auto header = store_.header(key)) recipes.push_back(std::move(header->recipe));
        return recipes;
    }

    void add(const Digest& key, const Recipe& recipe, RecipeDifference difference) {
        causes_.push_back({key, part_of(recipe, "kind")->value, std::move(difference.part), std::move(difference.text)});
    }

    Store& store_;
    std::map<Digest, std::vector<Digest>> makers_;  // content of a port -> keys
    std::set<std::pair<Digest, Digest>> visited_;
    std::vector<DiffCause> causes_;
};

}  // namespace

std::vector<DiffCause> causes_of(const Recipe& first, const Recipe& second, OpenStore& open) {
    CauseFinder finder(open.store());
    finder.follow(first, second);
    std::vector<DiffCause> causes = finder.take();
    std::set<Digest> keys;
    for (const DiffCause& cause : causes) keys.insert(cause.key);
    const auto recorded = find_recorded_stages(open.folder(), keys, open.files());
    for (DiffCause& cause : causes)
        if (const auto found = recorded.find(cause.key); found != recorded.end()) cause.stage = found->second.stage;
    return causes;
}

std::optional<std::pair<Digest, std::string>> artifact_with(const Digest& content, Store& store) {
    for (const Digest& key : store.keys()) {
        const auto output = store.find(key);
        if (!output) continue;
        for (const auto& [port, digest] : output->ports)
            if (digest == content) return std::pair(key, port);
    }
    return std::nullopt;
}

}  // namespace satdl
