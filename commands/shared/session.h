// What most commands open, in this order: files, index and store; the catalogue of stages, the
// DAG, the plan.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands/shared/command.h"
#include "commands/shared/command_line.h"
#include "pipeline/catalog/library_loader.h"
#include "pipeline/plan/cache_view.h"
#include "pipeline/plan/plan.h"
#include "pipeline/records/json_events.h"
#include "pipeline/store/open_store.h"
#include "pipeline/store/remembered_documents.h"
#include "pipeline/sweep/sweep.h"

namespace satdl {

inline constexpr const char* kDefaultStore = ".satdl";

struct StoreOptions {
    std::string store = kDefaultStore;
    std::string results;  // "": the store's own

    // The store's own: results/ beside the default store, and in any other.
    [[nodiscard]] std::filesystem::path results_folder() const;
};

// For commands that look into a store, and so create none. Throws Error{Usage} if there is none in this folder.
void check_is_store(const std::string& store);
// The same, but the default store may be absent: nothing has run here yet, which status or report say in their own words.
void check_named_store(const StoreOptions& options);

struct DagOptions {
    std::string file;
    std::string profile;
    std::vector<Override> overrides;  // of one value each: those of --set, then the arguments; later ones win
    std::vector<std::string> stages;  // further stage libraries
    std::string executor;             // --executor: see ExecutorChoice
    bool trust = false;               // run DAG files of other users
    UndeclaredFiles undeclared = UndeclaredFiles::Refused;
};

// --store and --results.
void add_store_options(Command& command, StoreOptions& options);
// --store alone.
void add_store_option(Command& command, std::string& store);
// The DAG file, as an argument that must be there.
void add_dag_file(Command& command, DagOptions& options);
// --profile, --set, --executor and --stages; arguments that are overrides are the command's own.
void add_dag_options(Command& command, DagOptions& options);
// --trust, for commands that run stages.
void add_trust_option(Command& command, DagOptions& options);
// --stages alone, with $SATDL_STAGES.
void add_stages_option(Command& command, std::vector<std::string>& stages);

// Moves the overrides out of arguments that also name stages or files. Throws Error{Usage}.
[[nodiscard]] std::vector<Override> take_overrides(std::vector<std::string>& arguments);
// The same for commands that do not sweep: the overrides go to `options`; those of several values are refused.
void take_settings(std::vector<std::string>& arguments, DagOptions& options);
// The same for commands whose arguments are only overrides: throws Error{Usage} for anything else.
void take_only_settings(std::vector<std::string> arguments, DagOptions& options);
// Throws Error{Usage} if there are settings but no DAG file.
void check_settings_have_dag(const DagOptions& options);

// A DAG file with its settings, and the store that it runs in.
class Session {
public:
    // `access`: nullopt if no store is to be opened.
    Session(const DagOptions& dag, const StoreOptions& store, std::optional<Access> access);

    // Throws Error{Usage} if a file of the DAG, or a program or source of one of its stages, belongs to another user, unless there is
    // --trust. From then on plan() runs the commands under `versions`; before, nothing of the DAG runs.
    void allow_running(const Dag& dag);
    [[nodiscard]] const DagSource& source() const { return source_; }
    [[nodiscard]] const Machine& machine() const { return machine_; }
    // The plan is for this machine: what a job does, whose run was planned elsewhere.
    void plan_for(const Machine& machine) { machine_ = machine; }
    [[nodiscard]] OpenStore& open();  // precondition: opened with an Access
    [[nodiscard]] std::filesystem::path work_folder() const;  // for the folders of programs
    [[nodiscard]] StageLibraries& libraries() { return libraries_; }  // of the plan and of those who run it

    [[nodiscard]] Dag dag() const { return source_.build(settings_, catalog_, datasets_, array_type_); }
    [[nodiscard]] Sweep sweep(const SweepDesign& design) const {
        return make_sweep(source_, settings_, design, catalog_, datasets_, array_type_);
    }
    // Of a run with these settings, which must end before this session.
    [[nodiscard]] RunInfo info_of_run(std::string id) const;
    // The plan, made after the commands under `versions` have run, if they may; warns if something is wrong with the index. If a stage may
    // compute on a GPU, its library is queried first; from then on machine() has the GPUs.
    [[nodiscard]] Plan plan(const Dag& dag, const Request& request, CacheView& cache);
    // `final_checkpoints`: those from which longer trainings may continue; null: do not use any. `store`: the session's own, or that with
    // its remote.
    [[nodiscard]] StoreCacheView cache(const Dag& dag, CheckpointStore* final_checkpoints, Store& store) {
        return {dag.name, store, open().index(), open().files(), open().checkpoints(), final_checkpoints};
    }
    [[nodiscard]] StoreCacheView cache(const Dag& dag) { return cache(dag, &open().final_checkpoints(), open().store()); }

private:
    [[nodiscard]] ConfigValue read_document(const std::filesystem::path& file) { return documents_.read(file); }

    const Catalog catalog_;
    const bool may_write_;
    RememberedDocuments documents_;  // of the DAG and of the datasets' manifests
    const DatasetIndex datasets_;
    const DagSource source_;
    const Settings settings_;
    const bool trust_;
    bool may_run_ = false;
    Machine machine_;
    StageLibraries libraries_;
    const std::unique_ptr<OpenStore> open_;  // null without Access
    const ArrayTypeReader array_type_;       // remembers in the store, if there is one
};

}  // namespace satdl
