#include "pipeline/core/json_reader.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace satdl {
namespace {

constexpr int kDeepest = 64;  // value_of() calls itself

std::optional<ConfigValue> value_of(const nlohmann::json& json, int depth) {
    if (depth > kDeepest) return std::nullopt;
    switch (json.type()) {
        case nlohmann::json::value_t::array: {
            std::vector<ConfigValue> items;
            for (const nlohmann::json& item : json) {
                auto value = value_of(item, depth + 1);
                if (!value) return std::nullopt;
                items.push_back(std::move(*value));
            }
            return ConfigValue::list(std::move(items));
        }
        case nlohmann::json::value_t::object: {
            std::vector<ConfigValue::Entry> entries;
            for (const auto& [key, item] : json.items()) {
                auto value = value_of(item, depth + 1);
                if (!value) return std::nullopt;
                entries.push_back({key, {}, std::move(*value)});
            }
            return ConfigValue::map(std::move(entries));
        }
        case nlohmann::json::value_t::string: return ConfigValue::of_text(json.get<std::string>());
        case nlohmann::json::value_t::boolean: return ConfigValue::of(json.get<bool>());
        case nlohmann::json::value_t::number_integer:
        case nlohmann::json::value_t::number_unsigned: return ConfigValue::of(json.get<std::int64_t>());
        case nlohmann::json::value_t::number_float: return ConfigValue::of(json.get<double>());
        default: return ConfigValue::null();
    }
}

}  // namespace

std::optional<ConfigValue> parse_json(std::string_view text) {
    const nlohmann::json json = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
    return json.is_discarded() ? std::nullopt : value_of(json, 0);
}

}  // namespace satdl
