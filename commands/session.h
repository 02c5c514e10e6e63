// What most commands need, opened in the order in which it is needed: files, index and store; the catalogue of stages, the
// DAG, the plan.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "commands/command.h"
#include "commands/knowledge.h"
#include "pipeline/plan.h"
#include "pipeline/store.h"
#include "pipeline/sweep.h"

namespace satdl {

struct StoreOptions {
    std::string store = ".satdl";
    std::string results = "results";
};

struct DagOptions {
    std::string file;
    std::string profile;
    std::vector<std::string> set;     // "name=value"
    std::vector<Override> given;      // arguments that are overrides, of one value each; laid over `set`
    std::vector<std::string> stages;  // further stage libraries
};

// --store and --results.
void add_store_options(CLI::App& command, StoreOptions& options);
// --profile, --set and --stages; the file itself is the command's own.
void add_dag_options(CLI::App& command, DagOptions& options);
// --stages alone, with $SATDL_STAGES.
void add_stages_option(CLI::App& command, std::vector<std::string>& stages);

// What is an override among the arguments that name stages; it is taken out of them. Throws Error{Usage}.
[[nodiscard]] std::vector<Override> take_overrides(std::vector<std::string>& arguments);

enum class Access {
    None,  // no store at all
    Look,  // a store that is not there is not made
    Write,
};

// A store with its index. One whose index was lost is indexed anew when it is opened.
class OpenStore {
public:
    OpenStore(const StoreOptions& options, Access access);

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
    [[nodiscard]] FileSystem& files() { return *files_; }
    [[nodiscard]] Index& index() { return index_; }
    [[nodiscard]] DiskStore& store() { return store_; }
    [[nodiscard]] Checkpoints& checkpoints() { return checkpoints_; }

private:
    const std::filesystem::path folder_;
    const std::unique_ptr<FileSystem> files_;
    Index index_;
    DiskStore store_;
    DiskCheckpoints checkpoints_;
};

// A DAG file under its settings, and the store that it runs in.
class Session {
public:
    Session(const DagOptions& dag, const StoreOptions& store, Access access);

    [[nodiscard]] const DagSource& source() const { return source_; }
    [[nodiscard]] const Machine& machine() const { return machine_; }
    [[nodiscard]] OpenStore& open();  // not with Access::None

    [[nodiscard]] Dag dag() const { return source_.build(settings_, catalog_, datasets_); }
    [[nodiscard]] Sweep sweep(const SweepDesign& design) const {
        return make_sweep(source_, settings_, design, catalog_, datasets_);
    }
    // The plan; says what is wrong with the index, if anything is. A stage that may compute on a GPU has its library asked first,
    // from then on machine() knows the answer.
    [[nodiscard]] Plan plan(const Dag& dag, const Request& request, Knowledge& knowledge);
    [[nodiscard]] StoreKnowledge knowledge(const Dag& dag) {
        return StoreKnowledge(dag.name, open().store(), open().index(), open().files(), open().checkpoints());
    }

private:
    const Catalog catalog_;
    const DatasetIndex datasets_;
    const DagSource source_;
    const Settings settings_;
    Machine machine_;
    const std::unique_ptr<OpenStore> open_;  // null with Access::None
};

}  // namespace satdl
