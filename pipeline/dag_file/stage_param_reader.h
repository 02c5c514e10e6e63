// The parameters of one stage, from its map in the DAG file: each checked against its description, defaults filled in,
// networks read, and the files found that the stage will read.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipeline/array_files/array_file.h"
#include "pipeline/dag_file/interpolation.h"
#include "pipeline/dag_file/param_check.h"
#include "pipeline/dataset/dataset.h"
#include "pipeline/stage.h"

namespace satdl {

// What `networks:` names; nothing for a network whose mistakes were reported.
using NamedNetworks = std::map<std::string, std::optional<ParamValue>>;
[[nodiscard]] NamedNetworks read_networks(const ConfigValue& section, Interpolation& interpolation, Diagnostics& diagnostics);

// What may stand in the map of such a stage: its parameters, and the keys of every stage.
[[nodiscard]] std::vector<std::string> known_keys(const StageDescription& stage);

// Whether a key of `map` that is none of `known` is likely meant to be `name`.
[[nodiscard]] bool is_misspelt(std::string_view name, const ConfigValue& map, const std::vector<std::string>& known);

struct StageParams {
    Params params;
    std::vector<SourceFile> files;
    bool good = true;  // false: a mistake was reported
};

using Folders = std::map<const SourceText*, std::filesystem::path>;

class ParamReader {
public:
    // `folders`: by file, where the relative paths of the stages in it begin. References outlive this.
    ParamReader(const NamedNetworks& networks, const DatasetIndex& datasets, const Folders& folders, const ArrayTypeReader& array_type,
                Interpolation& interpolation, Diagnostics& diagnostics)
        : networks_(networks),
          datasets_(datasets),
          folders_(folders),
          array_type_(array_type),
          interpolation_(interpolation),
          diagnostics_(diagnostics) {}

    // `body`: the stage's map as written; `place`: where the stage is declared.
    [[nodiscard]] StageParams read(const StageDescription& stage, const ConfigValue& body, const LocalNames& locals,
                                   const Place& place);

private:
    using Values = std::map<std::string, ParamValue>;
    void report_unknown_param(const StageDescription& stage, const ConfigValue::Entry& entry);
    std::optional<ParamValue> check(const ParamDescription& param, const ConfigValue& value);
    std::optional<ParamValue> network(const ParamDescription& param, const ConfigValue& value);
    std::optional<ParamValue> fallback(const StageDescription& stage, const ParamDescription& param);
    bool add_files(const StageDescription& stage, const Values& values, const Place& place,
                   std::vector<SourceFile>& files);
    bool add_dataset(const StageDescription& stage, const Values& values, const ParamValue& name, std::vector<SourceFile>& files);
    // A file or a folder, as the parameter's type says.
    bool add_file(const StageDescription& stage, const ParamDescription& param, const Values& values, const Place& place,
                  std::vector<SourceFile>& files);
    bool read_header(SourceFile& file, const Values& values);
    bool read_array_types(SourceFile& file);

    const NamedNetworks& networks_;
    const DatasetIndex& datasets_;
    const Folders& folders_;
    const ArrayTypeReader& array_type_;
    Interpolation& interpolation_;
    Diagnostics& diagnostics_;
    std::unordered_map<const ParamDescription*, std::optional<ParamValue>> fallbacks_;
};

}  // namespace satdl
