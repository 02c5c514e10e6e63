// `foreach` and `matrix`: one entry in the file, several stages in the DAG.
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
    std::string suffix;  // the part after the '@'
    ConfigValue item;          // the value of ${item}
    ConfigValue key;           // the value of ${key}: the item's name
};

// Precondition: `${...}` are replaced. Mistakes are added to `diagnostics`; items without mistakes are returned.
[[nodiscard]] std::vector<ExpandedItem> expand_foreach(const ConfigValue& items, Diagnostics& diagnostics);
[[nodiscard]] std::vector<ExpandedItem> expand_matrix(const ConfigValue& axes, Diagnostics& diagnostics);

}  // namespace satdl
