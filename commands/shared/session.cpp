#include "commands/shared/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <variant>

#include "commands/shared/warnings.h"
#include "pipeline/executors/command_versions.h"
#include "pipeline/executors/stage_environment.h"
#include "pipeline/os/file_trust.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/plan/placement.h"
#include "pipeline/records/run_environment.h"
#include "pipeline/store/remembered_array_types.h"
#include "pipeline/store/layout.h"
#include "pipeline/store/process_mark.h"
#include "pipeline/yaml/user_settings.h"

namespace satdl {

namespace {

ExecutorChoice executor_choice(const std::string& name) {
    const ConfigValue settings = read_user_settings();
    const ConfigValue* const executors = settings.find("executors");
    return {name, executors != nullptr ? *executors : ConfigValue::null()};
}

bool is_default_store(const std::filesystem::path& store) { return store.lexically_normal() == kDefaultStore; }

}  // namespace

std::filesystem::path StoreOptions::results_folder() const {
    if (!results.empty()) return results;
    return is_default_store(store) ? std::filesystem::path(store_layout::kResults) : std::filesystem::path(store) / store_layout::kResults;
}

void check_is_store(const std::string& store) {
    if (is_store(store, *real_file_system())) return;
    throw Error(ExitCode::Usage, fmt::format("there is no store in '{}'", printable(store)),
                "`satdl run DAG` creates one; --store or $SATDL_STORE names another");
}

void check_named_store(const StoreOptions& options) {
    if (!is_default_store(options.store)) check_is_store(options.store);
}

void add_store_option(Command& command, std::string& store) {
    command.add_option("--store", store, "folder of the store: artifacts and run records").envname("SATDL_STORE").show_default();
}

void add_store_options(Command& command, StoreOptions& options) {
    add_store_option(command, options.store);
    command.add_option("--results", options.results,
                       "folder of links to the current artifacts; default: results, or results in the folder that --store names");
}

void add_stages_option(Command& command, std::vector<std::string>& stages) {
    command.add_option("--stages", stages, "load another stage library (libNAME_stages.so); may be repeated")
        .envname("SATDL_STAGES")
        .delimiter(':')
        .type_name("LIBRARY");
}

void add_trust_option(Command& command, DagOptions& options) {
    command.add_flag("--trust", options.trust, "trust DAG files that belong to other users (docs/trust.md)")
        .envname("SATDL_TRUST");
}

void add_dag_file(Command& command, DagOptions& options) {
    command.add_option("dag", options.file, "the DAG file").required().type_name("DAG");
}

void add_dag_options(Command& command, DagOptions& options) {
    command.add_option("--profile", options.profile, "use this profile: a set of parameters that the DAG file names").type_name("NAME");
    const auto set = [&options](const std::string& text) { options.overrides.push_back(parse_setting(text)); };
    command.add_option("--set", set, "set a parameter: name=value; may be repeated").type_name("NAME=VALUE");
    command
        .add_option("--executor", options.executor,
                    "execute stages by this executor (docs/cluster.md): local, process, slurm, or one that the DAG file or the settings "
                    "file declares; stages that say `executor: local` stay on this machine")
        .type_name("NAME");
    add_stages_option(command, options.stages);
}

std::vector<Override> take_overrides(std::vector<std::string>& arguments) {
    std::vector<Override> taken;
    for (const std::string& argument : arguments)
        if (is_override(argument)) taken.push_back(parse_override(argument, "override"));
    std::erase_if(arguments, is_override);
    return taken;
}

void take_settings(std::vector<std::string>& arguments, DagOptions& options) {
    for (Override& given : take_overrides(arguments)) options.overrides.push_back(setting_of(std::move(given)));
}

void take_only_settings(std::vector<std::string> arguments, DagOptions& options) {
    take_settings(arguments, options);
    if (!arguments.empty())
        throw Error(ExitCode::Usage, fmt::format("'{}' is not name=value", printable(arguments.front())), "for example: noise_factor=0.2");
}

void check_settings_have_dag(const DagOptions& options) {
    if (options.overrides.empty() && options.profile.empty()) return;
    throw Error(ExitCode::Usage, "parameters and profiles need a DAG file, but none is given",
                "give the file first: dags/full.yaml noise_factor=0.2");
}

Session::Session(const DagOptions& dag, const StoreOptions& store, std::optional<Access> access)
    : catalog_(load_catalog(program_folder(), dag.stages)),
      may_write_(access == Access::ReadWrite),
      documents_(access ? std::optional<std::filesystem::path>(store.store) : std::nullopt),
      datasets_(dataset_folders(dag.file), std::bind_front(&Session::read_document, this)),
      source_(dag.file, read_document(dag.file), std::bind_front(&Session::read_document, this)),
      settings_{dag.profile, dag.overrides, dag.undeclared, executor_choice(dag.executor)},
      trust_(dag.trust),
      machine_(this_machine()),
      open_(access ? std::make_unique<OpenStore>(store.store, *access) : nullptr),
      array_type_(open_ ? remembered_array_types(open_->index(), open_->files()) : array_type_of_file) {
    if (may_write_) documents_.remember();  // also where build() then finds mistakes in it
}

void Session::allow_running(const Dag& dag) {
    std::vector<std::filesystem::path> files = source_.files();
    for (const Node& node : dag.nodes)
        if (node.command) std::ranges::copy(code_of(node), std::back_inserter(files));
    if (!trust_) check_file_owners(files, trusted_owners(), owner_of);
    may_run_ = true;
}

std::filesystem::path Session::work_folder() const {
    if (open_ != nullptr) return open_->folder() / store_layout::kWork;
    return std::filesystem::temp_directory_path() / fmt::format("satdl-work-{}", ::getuid());
}

OpenStore& Session::open() {
    SATDL_CHECK(open_ != nullptr, "a session without a store opens none");
    return *open_;
}

RunInfo Session::info_of_run(std::string id) const {
    RunInfo info{.id = std::move(id), .version = SATDL_VERSION, .cores = machine_.cores};
    info.process = name_with_process("satdl", 0);
    info.profile = settings_.profile;
    for (const Override& given : settings_.set) info.set.emplace_back(given.name, given.value());
    info.params = source_.parameters(settings_);
    info.environment = [this](const Dag& dag) {
        const bool on_gpu = std::ranges::any_of(machine_.gpus, [](const auto& one) { return std::holds_alternative<Gpu>(one.second); });
        return dump_json(run_environment(dag, machine_, SATDL_BUILT_WITH, ignored_variables(on_gpu)));
    };
    const auto folder = source_.file().parent_path();
    info.source_folder = folder.empty() ? "." : folder;
    return info;
}

Plan Session::plan(const Dag& dag, const Request& request, CacheView& cache) {
    machine_.gpus = find_gpus(dag, request, libraries_);
    if (may_run_ && machine_.versions.empty()) machine_.versions = run_version_commands(dag, request);
    if (may_write_) documents_.remember();
    if (open_ == nullptr) return make_plan(dag, request, machine_, cache);
    const Index::Batch one_transaction(open().index());
    Plan plan = make_plan(dag, request, machine_, cache);
    if (const auto problem = open().index().problem()) print_warning(*problem);
    return plan;
}

}  // namespace satdl
