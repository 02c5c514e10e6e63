// `${...}`: parameters within values.
//
// A scalar that is wholly one `${a.b}` becomes the parameter's value, with its type, be it a list or a map; within text, a
// scalar is pasted as text. A name may itself hold references: `${a.${b}}` chooses from the map `a`. `$${` stands for `${`.
// Parameters may refer to each other; a circle is told, and so is what is not defined, at the place of use. What is not there
// costs nothing: values without `${` are shared, not copied.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/core/config_value.h"

namespace satdl {

// Names that hold besides the parameters, within `foreach` and `matrix`: item, key.
using LocalNames = std::vector<std::pair<std::string, ConfigValue>>;

class Interpolation {
public:
    // `params`: a map (or null), of maps. Mistakes go to `diagnostics`, which outlives this.
    Interpolation(ConfigValue params, Diagnostics& diagnostics) : params_(std::move(params)), diagnostics_(diagnostics) {}

    // The value with every `${...}` replaced; what comes from a parameter is said to stand at the place of use, a scalar with its
    // origin. Nothing where a mistake was told.
    [[nodiscard]] std::optional<ConfigValue> apply(const ConfigValue& value, const LocalNames& locals = {});

    // The parameters themselves, resolved, by dotted name: "train.epochs"; a list, or an empty map, is one value.
    [[nodiscard]] std::vector<std::pair<std::string, ConfigValue>> flattened();

private:
    // A name without references in it.
    struct Name {
        std::string text;  // "a.b"
        // By part: the scalar that a reference within the name took it from. For `${a.${b}}`: nothing, b's value.
        std::vector<std::shared_ptr<const Place>> origins;
    };
    // One `${name}` of the scalar `user`.
    struct Reference {
        const ConfigValue& user;
        std::string_view text;  // "${ a.b }"
        const Name& name;
    };
    // Nothing: a mistake was told.
    std::optional<ConfigValue> apply_to_scalar(const ConfigValue& value, const LocalNames& locals);
    std::optional<ConfigValue> apply_to_list(const ConfigValue& value, const LocalNames& locals);
    std::optional<ConfigValue> apply_to_map(const ConfigValue& value, const LocalNames& locals);
    std::optional<Name> whole_name(const ConfigValue& user, std::string_view name, const LocalNames& locals);
    std::optional<ConfigValue> look_up(const Reference& reference, const LocalNames& locals);
    std::optional<ConfigValue> parameter(const std::string& path, const ConfigValue& raw, const Reference& reference);
    bool is_affordable(const ConfigValue& value, const Reference& reference);
    void tell(const Reference& reference, std::string message, std::string hint);
    // `part`: of the name, the first that is not there.
    void tell_undefined(const Reference& reference, std::size_t part, const LocalNames& locals);
    void flatten(const std::string& path, const ConfigValue& raw, std::vector<std::pair<std::string, ConfigValue>>& out);

    ConfigValue params_;
    Diagnostics& diagnostics_;
    std::map<std::string, std::optional<ConfigValue>, std::less<>> resolved_;  // by dotted name
    std::vector<std::string> resolving_;                                 // dotted names, outermost first
    std::size_t inserted_ = 0;                                           // values pasted in so far
};

// Whether the text holds a `${` (or its escape): what apply() may change.
[[nodiscard]] inline bool has_reference(const ConfigValue& value) {
    return value.is_scalar() && value.text().find("${") != std::string::npos;
}

}  // namespace satdl
