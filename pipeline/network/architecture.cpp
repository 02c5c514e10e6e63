#include "pipeline/network/architecture.h"

#include <utility>

#include "pipeline/core/json_reader.h"
#include "pipeline/network/network_parser.h"

namespace satdl {

std::string to_text(const Architecture& architecture) {
    std::vector<ConfigValue> extents;
    for (const std::int64_t extent : architecture.input) extents.push_back(ConfigValue::of(extent));
    return ConfigValue::map({{"input", {}, ConfigValue::list(std::move(extents))}, {"layers", {}, to_value(architecture.network)}})
        .canonical();
}

std::optional<Architecture> parse_architecture(std::string_view text, Diagnostics& diagnostics) {
    const auto json = parse_json(text);
    const ConfigValue* input = json ? json->find("input") : nullptr;
    const ConfigValue* layers = json ? json->find("layers") : nullptr;
    if (input == nullptr || !input->is_list() || layers == nullptr) return std::nullopt;
    Architecture architecture;
    for (const ConfigValue& item : input->items()) {
        const auto extent = item.as_integer();
        if (!extent || *extent < 0) return std::nullopt;
        architecture.input.push_back(*extent);
    }
    architecture.network = parse_network(*layers, diagnostics);
    return architecture;
}

}  // namespace satdl
