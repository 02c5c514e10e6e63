// A dvc.yaml, read: its stages with their groups expanded, its parameters, and what dvc.lock knows of its outputs.
//
// It is a stranger's file: it is only read, with the parameter files that it names, and nothing runs.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "commands/import/dvc_values.h"

namespace satdl {

// One stage of a group, or the only one.
struct DvcMember {
    std::string lock_name{};  // in dvc.lock: "train@a"
    std::string suffix{};     // in the DAG behind the '@'; "": it is no group
    DvcScope scope{};
    struct Axis {
        std::string name;
        std::string part;      // of the suffix
        bool is_item = false;  // the part is the item itself, so that `${item.NAME}` is the part
    };
    std::vector<Axis> axes{};  // of a matrix
};

struct DvcStage {
    enum class Group { None, Foreach, Matrix };
    std::string name{};  // in the DAG
    Place place{};
    ConfigValue body{};  // as written
    Group group = Group::None;
    ConfigValue items{};  // what the DAG says under foreach or matrix
    std::vector<DvcMember> members{};
};

// The parameters of the DAG, and where those of DVC are in it.
class DvcParameters {
public:
    DvcParameters(std::filesystem::path folder, ImportNotes& notes) : folder_(std::move(folder)), notes_(notes) {}

    void add_vars(const ConfigValue& vars);  // of the whole file: params.yaml, then these
    // Adds them, and by value those of one stage, whose files are below `wdir`.
    void add_to(DvcScope& scope, const ConfigValue* stage_vars, const std::filesystem::path& wdir);

    // The parameters in a file; nullptr: a note was made, or with `is_optional` there is no such file.
    const ConfigValue* file(const std::filesystem::path& path, const Place& place, bool is_optional = false);
    // What a DAG file says for a parameter of a file: `${name}`, or its value. Precondition: the file has it.
    ConfigValue parameter(const std::filesystem::path& path, const std::string& name);

    [[nodiscard]] ConfigValue for_dag();  // a map; may be empty

private:
    // `file:key,key` or a map.
    std::optional<ConfigValue> values_of(const ConfigValue& one, const std::filesystem::path& wdir, bool is_global);

    ConfigValue with_parameter_names(const ConfigValue& value);  // without what has others, which is noted

    const std::filesystem::path folder_;
    ImportNotes& notes_;
    ConfigValue global_ = ConfigValue::map({});
    std::map<std::filesystem::path, std::vector<std::string>> in_global_;  // the keys of a file that are; none: all
    std::map<std::filesystem::path, std::string> namespaces_;              // of other files: the name of their map
    std::map<std::filesystem::path, std::optional<ConfigValue>> files_;
};

class DvcFile {
public:
    // Throws Error{Usage} if it cannot be read as YAML, or has no stages.
    DvcFile(const std::filesystem::path& file, ImportNotes& notes);

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
    [[nodiscard]] const ConfigValue& document() const { return document_; }
    [[nodiscard]] const std::vector<DvcStage>& stages() const { return stages_; }
    [[nodiscard]] DvcParameters& parameters() { return parameters_; }
    // Whether an output is a folder, as dvc.lock has it; nullopt if it does not.
    [[nodiscard]] std::optional<bool> is_folder(const DvcMember& member, const std::string& path) const;

private:
    void add_stage(const ConfigValue::Entry& entry);
    void expand_foreach(DvcStage& stage, const ConfigValue& items, const DvcScope& scope);
    void expand_matrix(DvcStage& stage, const ConfigValue& axes, const DvcScope& scope);
    void warn_of_sections();

    std::filesystem::path folder_;
    ImportNotes& notes_;
    ConfigValue document_;
    ConfigValue lock_;
    DvcParameters parameters_;
    std::vector<DvcStage> stages_;
};

}  // namespace satdl
