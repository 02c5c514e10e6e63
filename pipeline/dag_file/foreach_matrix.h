// `foreach` and `matrix`: one stage written, several meant.
//
//   foreach: [train, test]                      name@train, name@test;        ${item} is train, test
//   foreach: {small: {units: 8}, big: {...}}    name@small, name@big;         ${item.units}, ${key}
//   matrix:  {a: [1, 2], b: [x, y]}             name@1,x ... name@2,y;        ${item.a}, ${item.b}
#pragma once

#include <string>
#include <vector>

#include "pipeline/core/config_value.h"

namespace satdl {

inline constexpr std::size_t kMaxExpanded = 100'000;  // stages of one `foreach` or `matrix`

struct ExpandedItem {
    std::string suffix;  // what follows the '@'
    ConfigValue item;          // what ${item} stands for
    ConfigValue key;           // what ${key} stands for: the item's name
};

// Precondition: `${...}` are replaced. Mistakes go to `diagnostics`; what has none comes back.
[[nodiscard]] std::vector<ExpandedItem> expand_foreach(const ConfigValue& items, Diagnostics& diagnostics);
[[nodiscard]] std::vector<ExpandedItem> expand_matrix(const ConfigValue& axes, Diagnostics& diagnostics);

}  // namespace satdl
