#include "commands/store/comparing_store.h"

#include <fmt/format.h>

#include <limits>

#include "commands/shared/element_difference.h"

namespace satdl {

namespace {

void compare_elements(const Array& a, const Array& b, TensorDifference& difference) {
    difference.count = a.count();
    if (a.dtype() != b.dtype() || a.shape() != b.shape()) {
        difference.elements = difference.count;
        difference.max = std::numeric_limits<double>::infinity();
        return;
    }
    const ElementDifference apart = elements_apart(a, b);
    difference.elements = apart.differing;
    difference.max = apart.max;
}

}  // namespace

std::string TensorDifference::details() const {
    std::string text = fmt::format("{}: {} of {} elements differ by up to {:.3g}", tensor, elements, count, max);
    if (differing > 1) text += fmt::format("; {} of {} tensors differ", differing, tensors);
    return text;
}

std::optional<TensorDifference> difference_of(const StageOutput& a, const StageOutput& b) {
    std::optional<TensorDifference> first;
    std::size_t differing = 0, tensors = 0;
    for (const auto& [port, group] : a.outputs) {
        for (const auto& [name, array] : group) {
            ++tensors;
            const auto other = b.outputs.find(port);
            const Array* const counterpart =
                other != b.outputs.end() && other->second.contains(name) ? &other->second.at(name) : nullptr;
            if (counterpart != nullptr && counterpart->digest() == array.digest()) continue;
            ++differing;
            if (first) continue;
            first.emplace();
            first->tensor = name.empty() ? port : fmt::format("{}/{}", port, name);
            compare_elements(array, counterpart != nullptr ? *counterpart : Array(), *first);
        }
    }
    if (first) {
        first->differing = differing;
        first->tensors = tensors;
    }
    return first;
}

Published ComparingStore::publish(const Recipe& recipe, const StageDescription&, const StageOutput& outcome) {
    const Digest key = key_of(recipe);
    const auto before = reference_.load(key);
    Comparison comparison{before.has_value(), before ? difference_of(*before, outcome) : std::nullopt};
    const Published published = !before                 ? Published::New
                                : comparison.difference ? Published::Different
                                                        : Published::Same;
    const std::scoped_lock lock(mutex_);
    comparisons_.insert_or_assign(key, std::move(comparison));
    return published;
}

std::optional<ComparingStore::Comparison> ComparingStore::comparison(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    const auto found = comparisons_.find(key);
    return found == comparisons_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace satdl
