// DVC's values and its `${...}`.
//
// DVC reads YAML 1.2 and pastes values as Python prints them. A text of a dvc.yaml has two forms here: as the DAG file says it, which
// still refers to parameters, and as it is with today's values, by which paths are compared. Source: dvc/parsing of DVC 3.67.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/import/import_notes.h"
#include "pipeline/core/config_value.h"

namespace satdl {

// The value as DVC reads it: scalars are null, booleans, or numbers written as Python prints them; all others are quoted texts.
[[nodiscard]] ConfigValue dvc_value(const ConfigValue& value);

// Maps are merged key by key; else `over` wins.
[[nodiscard]] ConfigValue merged(const ConfigValue& under, const ConfigValue& over);

// By a dotted name ("a.b", "a[0].b"); nullptr if absent.
[[nodiscard]] const ConfigValue* value_at(const ConfigValue& map, std::string_view name);
[[nodiscard]] std::vector<std::string> parts_of_name(std::string_view name);
// Whether a DAG file whose parameters are `map` can say it as `${name}`: it chooses from maps alone, and all names, those within its value
// as well, can be those of parameters.
[[nodiscard]] bool can_be_referred_to(const ConfigValue& map, std::string_view name);
[[nodiscard]] bool has_parameter_names(const ConfigValue& value);  // all within it

// With every `${` escaped for a DAG file, in texts within it as well.
[[nodiscard]] ConfigValue without_references(const ConfigValue& value);

struct DvcText {
    std::string dag;    // as the DAG file says it
    std::string value;  // with today's values
};

// What a `${...}` of a stage may name.
class DvcScope {
public:
    // Later names hide earlier ones. `reference`: what a DAG file says for it, as "${lr}"; without, its value is pasted.
    void add(std::string name, ConfigValue value, std::optional<std::string> reference);
    void add(const DvcScope& others) { names_.insert(names_.end(), others.names_.begin(), others.names_.end()); }
    [[nodiscard]] DvcScope without_group() const;  // `item` and `key` are pasted

    enum class Use { Path, Command };  // in a command, braces that are meant are doubled, and a map becomes options
    // nullopt: a note was made.
    [[nodiscard]] std::optional<DvcText> resolve(const ConfigValue& text, Use use, ImportNotes& notes) const;
    // Of a text that is exactly one `${name}`: what it names; else nullopt.
    struct Found {
        ConfigValue value{};
        std::optional<std::string> reference{};  // "${lr}", if a DAG file can say it
        bool is_parameter = false;               // of the DAG, or part of one
    };
    [[nodiscard]] std::optional<Found> named_by(const ConfigValue& text) const;

private:
    struct Name {
        std::string name;
        ConfigValue value;
        std::optional<std::string> reference;
    };
    [[nodiscard]] std::optional<Found> find(std::string_view name) const;

    std::vector<Name> names_;
};

}  // namespace satdl
