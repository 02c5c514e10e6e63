// `defaults:` of a DAG file: parameters of a stage whose own map does not give them.
//
//   defaults:
//     "*":   {seed: ${seed}, threads: ${threads}}     # every stage whose kind has such a parameter
//     train: {epochs: ${epochs}, timeout: 2h}         # every stage of this kind; wins over "*"
//
// Defaults are added to a stage's map before its parameters are read, so every check of a parameter holds for them too and
// reports the place in `defaults:`.
//
// `resources:` is a map, which is joined key by key: a stage's own over its kind's over those of "*".
//
// A default that no stage can take is a mistake. Whether it is one is a property of the file and not of the request: it is
// decided without the values of parameters, so it is the same for every profile, setting and point of a sweep.
//
// The more specific wins also where two parameters conflict (param_constraints.h): `optimiser: adam` in a stage removes a
// default `momentum` from it, and so does a stage that leaves at its built-in default what `momentum` needs. Two defaults of one
// map that conflict are a mistake, as they are within a stage. Rejected: every conflict is a mistake (no default `momentum`
// as soon as one stage uses adam); every conflicting default is removed (`optimiser=adam momentum=0.5` on the command line would be
// ignored without a word).
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipeline/catalog/catalog.h"
#include "pipeline/dag_file/interpolation.h"
#include "pipeline/dag_file/param_constraints.h"

namespace satdl {

class StageDefaults {
public:
    // `section`: `defaults:`, a map or null; `stages`: the section of that name, null if it has mistakes of its own.
    // References outlive this.
    StageDefaults(const ConfigValue& section, const ConfigValue& stages, const Catalog& catalog, Interpolation& interpolation,
                  Diagnostics& diagnostics);

    struct Default {
        bool is_for_all;  // stands under "*"
        ConfigValue::Entry entry;
        bool is_used = false;                  // a stage has it, or could have it under other settings
        std::optional<Diagnostic> conflict{};  // why a stage does not have it
    };
    // The map of one stage with the defaults that it takes.
    struct Body {
        const ConfigValue* own;
        ConfigValue merged;
        std::vector<Default*> taken;

        [[nodiscard]] Default* find_default(std::string_view param) const;  // null: not taken from a default
    };
    [[nodiscard]] Body add_to(const ConfigValue& own, const StageDescription& stage);
    // Removes the defaults that yield to what they conflict with. False: none does, so the conflicts are mistakes.
    [[nodiscard]] bool resolve(const std::vector<ParamConflict>& conflicts, Body& body);
    // The stage keeps what `body` has.
    static void use(const Body& body);
    // After all stages: adds a diagnostic for each default that conflicts with every stage that could take it.
    void report_unused();

private:
    // The kinds of the stages of a file, as far as its text says.
    struct Kinds {
        std::vector<const StageDescription*> written;  // in the order of the file, without duplicates
        bool may_have_others = false;                  // some kind is `${...}`, or a mistake
        bool may_have_more_stages = false;             // the items of some `foreach` or `matrix` are `${...}`
    };
    [[nodiscard]] static Kinds kinds_of(const ConfigValue& stages, const Catalog& catalog);

    const StageDescription* find_kind(const ConfigValue::Entry& group);
    void add(const ConfigValue& group, const ConfigValue::Entry& entry, const StageDescription* kind);
    [[nodiscard]] std::vector<std::string> params_of(const StageDescription* kind) const;
    void report_unknown(const ConfigValue::Entry& entry, const StageDescription* kind, const std::vector<std::string>& known);
    const std::vector<Default*>& defaults_of(const StageDescription& stage);
    [[nodiscard]] Default* joined(const Default& over, const Default& under);

    const ConfigValue& section_;
    const ConfigValue& stages_;
    const Catalog& catalog_;
    Interpolation& interpolation_;
    Diagnostics& diagnostics_;
    Kinds kinds_;
    std::deque<Default> defaults_;
    std::vector<Default*> for_all_;
    std::unordered_map<const StageDescription*, std::vector<Default*>> for_kind_;
    std::unordered_map<const StageDescription*, std::vector<Default*>> merged_;  // of both, what a stage of the kind can take
};

}  // namespace satdl
