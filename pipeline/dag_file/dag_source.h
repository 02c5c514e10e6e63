// How YAML becomes a DAG: parameters with `${...}`, profiles, `foreach` and `matrix`, networks, defaults, and every check that is
// possible before anything runs. docs/yaml.md describes it for users.
//
//   name: full
//   numerics: exact | portable
//   include:  [common/data.yaml]                # see dag_includes.h
//   params:   {noise_factor: 0.4, ...}          # nested maps are ${a.b}; ${...} may be part of a text
//   profiles: {quick: {epochs: 2, ...}}         # merged over params, key by key
//   networks: {conv_dae: [layers...]}
//   defaults: {"*": {seed: 7}, train: {...}}    # parameters by kind: see stage_defaults.h
//   sweep:    {noise_factor: [0.1, 0.2]}        # run by --sweep without arguments: see sweep_design.h
//   executors: {gpu: {type: slurm, ...}}        # of batch systems: see job_settings_reader.h
//   stages:
//     mnist:  {foreach: [train, test], do: {kind: load, dataset: mnist, split: "${item}"}}     # mnist@train, mnist@test
//     grid:   {matrix: {a: [1, 2], b: [x, y]}, do: {...${item.a}...}}                          # grid@1,x
//     noisy:  {kind: add_noise, in: {images: mnist@train.images}, noise_factor: "${noise_factor}"}
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/array_files/array_file.h"
#include "pipeline/dag/dag.h"
#include "pipeline/dag_file/command_reader.h"
#include "pipeline/dag_file/dag_includes.h"
#include "pipeline/dag_file/job_settings_reader.h"
#include "pipeline/dataset/dataset.h"
#include "pipeline/yaml/override.h"

namespace satdl {

// What the command line and the user's settings add to a DAG file.
struct Settings {
    std::string profile;        // "" = none
    std::vector<Override> set;  // of one value each, of parameters or (STAGE.KEY) of stages; later ones win
    UndeclaredFiles undeclared = UndeclaredFiles::Refused;
    ExecutorChoice executor = {};
};

// The override, if it has one value. Throws Error{Usage} if it has several.
[[nodiscard]] Override setting_of(Override given);
[[nodiscard]] Override parse_setting(const std::string& text);  // of --set

// A parsed file from which DAGs are made: one per point of a sweep.
class DagSource {
public:
    explicit DagSource(const std::filesystem::path& file);  // throws Error{Usage}
    DagSource(std::filesystem::path file, ConfigValue document);  // for tests
    // Likewise; `read` and `identity`: of what it includes.
    DagSource(std::filesystem::path file, ConfigValue document, const DocumentReader& read,
              const FileIdentity& identity = identity_on_disk);

    [[nodiscard]] const std::filesystem::path& file() const { return file_; }
    [[nodiscard]] std::string name() const;  // of its DAGs; what it is if the file has mistakes is not defined
    [[nodiscard]] const ConfigValue& document() const { return document_.root; }  // with its includes
    [[nodiscard]] std::vector<std::filesystem::path> files() const;         // the file and all that it includes
    // The DAG under `settings`, with everything checked; throws Error{Usage} with all mistakes at once. `array_type`: of the files that it
    // reads.
    [[nodiscard]] Dag build(const Settings& settings, const Catalog& catalog, const DatasetIndex& datasets,
                            const ArrayTypeReader& array_type = array_type_of_file) const;
    // The parameters under `settings`, flattened to dotted names ("train.epochs"), for sweeps and reports.
    [[nodiscard]] std::vector<std::pair<std::string, ConfigValue>> parameters(const Settings& settings) const;

private:
    [[nodiscard]] Diagnostics mistakes() const;

    std::filesystem::path file_;
    DagDocument document_;
};

}  // namespace satdl
