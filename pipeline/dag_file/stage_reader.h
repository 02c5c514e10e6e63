// One entry of `stages:` as nodes: its kind, its inputs and its parameters, checked against the catalogue.
//
// It takes two passes, since a stage may read from one that is written below it: declare() says which nodes there are,
// read() makes one of them.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipeline/catalog/catalog.h"
#include "pipeline/dag/dag.h"
#include "pipeline/dag_file/stage_defaults.h"
#include "pipeline/dag_file/stage_param_reader.h"

namespace satdl {

// A node of which the name is known.
struct DeclaredStage {
    std::string name;
    std::string group;
    const ConfigValue* body = nullptr;  // the stage's map (of `foreach` and `matrix`: that of `do`); null where it was no map
    LocalNames locals;
    Place place;
    const CatalogEntry* stage = nullptr;  // null where its mistake was told
};

class StageReader {
public:
    // References outlive this; so does the document, of which declared stages point at parts.
    StageReader(const Catalog& catalog, ParamReader& params, Interpolation& interpolation, Diagnostics& diagnostics)
        : catalog_(catalog), params_(params), interpolation_(interpolation), diagnostics_(diagnostics) {}

    void declare(const ConfigValue::Entry& entry);
    // After the last declare(), before the first read().
    void end_of_declarations();

    [[nodiscard]] const std::vector<DeclaredStage>& declared() const { return declared_; }
    [[nodiscard]] const std::map<std::string, std::vector<NodeId>>& groups() const { return groups_; }

    struct ReadStage {
        Node node;
        bool good = true;  // false: a mistake was told
    };
    // The node of declared()[id]; its edges number the nodes as declared() does.
    [[nodiscard]] ReadStage read(NodeId id, StageDefaults& defaults);

private:
    void declare_one(const ConfigValue::Entry& entry, const ConfigValue& body, const std::string& suffix, LocalNames locals);
    const CatalogEntry* find_kind(const ConfigValue::Entry& entry, const ConfigValue& body, const LocalNames& locals);
    bool resolve_conflicts(const DeclaredStage& declared, StageDefaults& defaults, StageDefaults::Body& body, Node& node);
    bool read_inputs(const DeclaredStage& declared, Node& node);
    std::optional<std::map<std::string, ConfigValue>> written_inputs(const DeclaredStage& declared, const ConfigValue* raw);
    std::optional<Input> connect(const PortDescription& port, const ConfigValue& value);
    std::optional<Input> only_output(const PortDescription& port, const ConfigValue& value, NodeId from);
    void tell_unknown(const ConfigValue& value, const std::string& stage);
    void tell_unknown_input(const StageDescription& stage, const ConfigValue::Entry& entry);

    const Catalog& catalog_;
    ParamReader& params_;
    Interpolation& interpolation_;
    Diagnostics& diagnostics_;
    std::vector<DeclaredStage> declared_;
    std::map<std::string, std::vector<NodeId>> groups_;     // of `foreach` and `matrix`
    std::set<std::string> chosen_empty_;                    // groups for which a parameter lists nothing
    std::set<std::string> incomplete_;                      // groups of which items are missing, or all: that was told
    std::unordered_map<std::string_view, NodeId> by_name_;  // views of declared_
};

}  // namespace satdl
