// `${...}`: parameters within values.
//
// A scalar that consists of one `${a.b}` becomes the parameter's value and keeps its type, even a list or a map; within text, a
// scalar is inserted as text. A name may contain references: `${a.${b}}` chooses from the map `a`. `$${` is a literal `${`.
// Parameters may refer to each other; cycles and undefined names are reported at the place of use. Values without `${` are shared,
// not copied.
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

// Names that are defined in addition to the parameters, within `foreach` and `matrix`: item, key.
using LocalNames = std::vector<std::pair<std::string, ConfigValue>>;

class Interpolation {
public:
    // `params`: a map, or null. Mistakes are added to `diagnostics`, which outlives this.
    Interpolation(ConfigValue params, Diagnostics& diagnostics) : params_(std::move(params)), diagnostics_(diagnostics) {}

    // The value with every `${...}` replaced. A substituted value gets the place of its use, a scalar also the place of its definition
    // as origin. nullopt if a diagnostic was added.
    [[nodiscard]] std::optional<ConfigValue> apply(const ConfigValue& value, const LocalNames& locals = {});

    // The parameters themselves, resolved, by dotted name: "train.epochs"; a list, or an empty map, is one value.
    [[nodiscard]] std::vector<std::pair<std::string, ConfigValue>> flattened();

private:
    // A name whose references are replaced.
    struct Name {
        std::string text;  // "a.b"
        // By part: the scalar from which a reference within the name took it. For `${a.${b}}`: null, b's value.
        std::vector<std::shared_ptr<const Place>> origins;
    };
    // One `${name}` of the scalar `user`.
    struct Reference {
        const ConfigValue& user;
        std::string_view text;  // "${ a.b }"
        const Name& name;
    };
    // nullopt: a diagnostic was added.
    std::optional<ConfigValue> apply_to_scalar(const ConfigValue& value, const LocalNames& locals);
    std::optional<ConfigValue> apply_to_list(const ConfigValue& value, const LocalNames& locals);
    std::optional<ConfigValue> apply_to_map(const ConfigValue& value, const LocalNames& locals);
    std::optional<Name> whole_name(const ConfigValue& user, std::string_view name, const LocalNames& locals);
    std::optional<ConfigValue> look_up(const Reference& reference, const LocalNames& locals);
    std::optional<ConfigValue> parameter(const std::string& path, const ConfigValue& raw, const Reference& reference);
    bool is_affordable(const ConfigValue& value, const Reference& reference);
    void report(const Reference& reference, std::string message, std::string hint);
    // `part`: the first part of the name that is undefined.
    void report_undefined(const Reference& reference, std::size_t part, const LocalNames& locals);
    void flatten(const std::string& path, const ConfigValue& raw, std::vector<std::pair<std::string, ConfigValue>>& out);

    ConfigValue params_;
    Diagnostics& diagnostics_;
    std::map<std::string, std::optional<ConfigValue>, std::less<>> resolved_;  // by dotted name
    std::vector<std::string> resolving_;                                 // dotted names, outermost first
    std::size_t inserted_ = 0;                                           // values inserted so far
};

// Whether the text contains a `${` (or its escape), so that apply() may change it.
[[nodiscard]] inline bool has_reference(const ConfigValue& value) {
    return value.is_scalar() && value.text().find("${") != std::string::npos;
}

}  // namespace satdl
