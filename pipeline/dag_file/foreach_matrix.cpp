#include "pipeline/dag_file/foreach_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

constexpr std::size_t kLongestSuffix = 64;

// Item texts become parts of stage names, and so of file names.
bool is_suffix(std::string_view text) { return text.size() <= kLongestSuffix && is_made_of(text, "_.+-"); }

bool is_good(const std::string& suffix, const Place& place, std::set<std::string>& seen, Diagnostics& diagnostics) {
    if (!is_suffix(suffix)) {
        diagnostics.add(place,
                        fmt::format("'{}' cannot be part of a stage's name", printable(suffix.substr(0, kLongestSuffix))),
                        fmt::format("use letters, digits and _ . + -, at most {}, or name the items: {{name: item}}",
                                    kLongestSuffix));
        return false;
    }
    if (seen.insert(suffix).second) return true;
    diagnostics.add(place, fmt::format("the item '{}' is duplicated", suffix));
    return false;
}

}  // namespace

std::vector<ExpandedItem> expand_foreach(const ConfigValue& items, Diagnostics& diagnostics) {
    std::vector<ExpandedItem> expanded;
    std::set<std::string> seen;
    if (items.is_map()) {
        for (const ConfigValue::Entry& entry : items.entries())
            if (is_good(entry.key, entry.key_place, seen, diagnostics))
                expanded.push_back({entry.key, entry.value, ConfigValue::scalar(entry.key, false, entry.key_place)});
    } else if (items.is_list()) {
        for (const ConfigValue& item : items.items()) {
            if (!item.is_scalar())
                diagnostics.add(item.place(),
                                fmt::format("an item of this list must be text or a number, not {}", item.describe()),
                                "name the items: {name: item, ...}");
            else if (is_good(item.text(), item.place(), seen, diagnostics))
                expanded.push_back({item.text(), item, item});
        }
    } else {
        diagnostics.add(items.place(), "the items must be a list or a map, not " + items.describe());
        return {};
    }
    if (items.items().empty() && items.entries().empty()) diagnostics.add(items.place(), "there are no items here");
    return expanded;
}

std::vector<ExpandedItem> expand_matrix(const ConfigValue& axes, Diagnostics& diagnostics) {
    if (!axes.is_map() || axes.entries().empty()) {
        diagnostics.add(axes.place(), "'matrix' must be a map from names to items, not " + axes.describe(),
                        "matrix: {a: [1, 2], b: [x, y]}");
        return {};
    }
    std::vector<ExpandedItem> product{{"", ConfigValue::map({}, axes.place()), {}}};
    for (const ConfigValue::Entry& axis : axes.entries()) {
        const std::vector<ExpandedItem> items = expand_foreach(axis.value, diagnostics);
        if (product.size() * items.size() > kMaxExpanded) {
            diagnostics.add(axis.key_place, fmt::format("this matrix has more than {} stages", kMaxExpanded));
            return {};
        }
        std::vector<ExpandedItem> longer;
        longer.reserve(product.size() * items.size());
        for (const ExpandedItem& before : product) {
            for (const ExpandedItem& item : items) {
                std::vector<ConfigValue::Entry> entries = before.item.entries();
                entries.push_back({axis.key, axis.key_place, item.item});
                const std::string suffix = before.suffix.empty() ? item.suffix : before.suffix + "," + item.suffix;
                longer.push_back({suffix, ConfigValue::map(std::move(entries), axes.place()), ConfigValue::of_text(suffix)});
            }
        }
        product = std::move(longer);
    }
    return product;
}

}  // namespace satdl
