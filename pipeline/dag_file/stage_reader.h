// Makes nodes of the entries of `stages:`: kind, inputs and parameters, checked against the catalogue.
//
// In two passes, since a stage may read from one further down: declare() collects the names of the nodes, read() makes one node.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipeline/catalog/catalog.h"
#include "pipeline/dag/dag.h"
#include "pipeline/dag_file/command_reader.h"
#include "pipeline/dag_file/job_settings_reader.h"
#include "pipeline/dag_file/stage_defaults.h"
#include "pipeline/dag_file/stage_param_reader.h"

namespace satdl {

// A node whose name is known.
struct DeclaredStage {
    std::string name;
    std::string group;
    const ConfigValue* body = nullptr;  // the stage's map (of `foreach` and `matrix`: that of `do`); null if it is not a map
    LocalNames locals;
    Place place;
    const CatalogEntry* stage = nullptr;  // null if a mistake was reported
    std::shared_ptr<CommandStage> command{};   // of kind `command`: owns `stage`
};

class StageReader {
public:
    // References outlive this; so does the document, of which declared stages point at parts.
    StageReader(const Catalog& catalog, ParamReader& params, CommandReader& commands, JobSettingsReader& jobs,
                Interpolation& interpolation, Diagnostics& diagnostics)
        : catalog_(catalog), params_(params), commands_(commands), jobs_(jobs), interpolation_(interpolation), diagnostics_(diagnostics) {}

    void declare(const ConfigValue::Entry& entry);
    // After the last declare(), before the first read().
    void end_of_declarations();

    [[nodiscard]] const std::vector<DeclaredStage>& declared() const { return declared_; }
    [[nodiscard]] const std::map<std::string, std::vector<NodeId>>& groups() const { return groups_; }

    struct ReadStage {
        Node node;
        bool good = true;  // false: a mistake was reported
    };
    // The node of declared()[id]; its edges number the nodes as declared() does.
    [[nodiscard]] ReadStage read(NodeId id, StageDefaults& defaults);

private:
    void declare_one(const ConfigValue::Entry& entry, const ConfigValue& body, const std::string& suffix, LocalNames locals);
    const CatalogEntry* find_kind(const ConfigValue::Entry& entry, const ConfigValue& body, const LocalNames& locals);
    void read_command(const DeclaredStage& declared, StageDefaults& defaults, ReadStage& result);
    bool resolve_conflicts(const DeclaredStage& declared, StageDefaults& defaults, StageDefaults::Body& body, Node& node);
    bool read_inputs(const DeclaredStage& declared, Node& node);
    std::optional<std::map<std::string, ConfigValue>> written_inputs(const DeclaredStage& declared, const ConfigValue* raw);
    // `kind`: what the port takes; nullopt: anything.
    std::optional<Input> connect(const PortDescription& port, std::optional<PortKind> kind, const ConfigValue& value);
    // The one output of a stage that fits the port.
    std::optional<Input> fitting_output(const PortDescription& port, std::optional<PortKind> kind, const ConfigValue& value, NodeId from);
    void report_unknown_stage(const ConfigValue& value, const std::string& stage);
    void report_unknown_input(const StageDescription& stage, const ConfigValue::Entry& entry);

    const Catalog& catalog_;
    ParamReader& params_;
    CommandReader& commands_;
    JobSettingsReader& jobs_;
    Interpolation& interpolation_;
    Diagnostics& diagnostics_;
    std::vector<DeclaredStage> declared_;
    std::map<std::string, std::vector<NodeId>> groups_;     // of `foreach` and `matrix`
    std::set<std::string> chosen_empty_;                    // groups whose list, from a parameter, is empty
    std::set<std::string> incomplete_;                      // groups that lack items because of a reported mistake
    std::unordered_map<std::string_view, NodeId> by_name_;  // views of declared_
};

}  // namespace satdl
