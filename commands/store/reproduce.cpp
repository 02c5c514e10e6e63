// satdl reproduce: a result is computed again from nothing: alone, in a store of its own, from the sources on. Is it the
// same, to the last byte?
//
// check-determinism asks the same of one stage on the inputs that the store has; this takes nothing from the store but the
// record that says what was run.
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "commands/shared/artifact_reference.h"
#include "commands/shared/session.h"
#include "commands/shared/signals.h"
#include "commands/store/comparing_store.h"
#include "commands/store/recorded_run.h"
#include "pipeline/core/json.h"
#include "pipeline/core/metric_text.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"
#include "pipeline/os/file_error.h"
#include "pipeline/plan/recipe_diff.h"
#include "pipeline/records/recorded_dag.h"
#include "pipeline/store/store_lock.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

struct ReproduceOptions {
    StoreOptions store;
    RecordedRunOptions run;
    std::string what, dag_name, scratch;
    bool json = false;
};

// A folder of its own, gone with the object.
class ScratchFolder {
public:
    explicit ScratchFolder(const fs::path& within) {
        std::string name = within / "satdl-reproduce-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw FileError(errno, "create a folder in", within);
        path_ = name;
    }
    ~ScratchFolder() {
        std::error_code unremoved;
        fs::remove_all(path_, unremoved);
    }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

// What is compared: a port, a tensor of it (a metric, say), or all.
struct Compared {
    std::string name;  // "metrics/p0"
    std::optional<Digest> recorded, reproduced;
    std::optional<double> recorded_number, reproduced_number;  // of a metric
    [[nodiscard]] bool is_equal() const { return recorded && recorded == reproduced; }
};

std::optional<Digest> digest_in(const ArtifactHeader& header, const std::string& name) {
    if (const auto port = header.port_digests.find(name); port != header.port_digests.end()) return port->second;
    const auto tensor = std::ranges::find_if(header.tensors, [&](const TensorRecord& one) { return one.path() == name; });
    return tensor == header.tensors.end() ? std::nullopt : std::optional(tensor->digest);
}

std::optional<double> number_in(const ArtifactHeader& header, const std::string& name) {
    for (const auto& [port, metrics] : header.metrics)
        for (const auto& [metric, value] : metrics)
            if (name == fmt::format("{}/{}", port, metric)) return value;
    return std::nullopt;
}

std::vector<Compared> compared(const std::string& wanted, const ArtifactHeader& recorded, const ArtifactHeader& reproduced) {
    std::vector<Compared> all;
    const auto add = [&](const std::string& name) {
        all.push_back({name, digest_in(recorded, name), digest_in(reproduced, name), number_in(recorded, name),
                       number_in(reproduced, name)});
    };
    if (!wanted.empty())
        add(wanted);
    else
        for (const auto& [port, digest] : recorded.port_digests) add(port);
    return all;
}

// The first stage, in the order of the run, whose result is another one than that of the store; "" if there is none.
std::string first_different(const RerunResult& rerun, OpenStore& open) {
    for (const NodeResult& node : rerun.result.nodes) {
        const auto stored = node.key ? open.store().find(*node.key) : std::nullopt;
        if (stored && node.outputs && stored->ports != *node.outputs) return rerun.dag.nodes[node.node].name;
    }
    return {};
}

struct Reproduction {
    std::string stage, run;
    ArtifactHeader recorded;
    std::optional<Digest> key;  // here
    std::string other_key;      // why it is another one; "" if it is not
    std::vector<Compared> compared;
    std::string difference;  // of the tensors
    std::string first;       // first_different()
    std::size_t stages = 0;
    double seconds = 0;
    [[nodiscard]] bool is_equal() const { return std::ranges::all_of(compared, &Compared::is_equal); }
};

Json finding_json(const Reproduction& finding) {
    Json parts = Json::array();
    const auto or_null = [](const auto& value, auto text) { return value ? Json(text(*value)) : Json(); };
    const auto hex = [](const Digest& digest) { return digest.hex(); };
    const auto same = [](double number) { return number; };
    for (const Compared& one : finding.compared)
        parts.push_back({{"name", one.name},
                         {"equal", one.is_equal()},
                         {"recorded", or_null(one.recorded, hex)},
                         {"reproduced", or_null(one.reproduced, hex)},
                         {"recorded_value", or_null(one.recorded_number, same)},
                         {"reproduced_value", or_null(one.reproduced_number, same)}});
    return {{"stage", finding.stage},
            {"run", finding.run},
            {"equal", finding.is_equal()},
            {"key", finding.recorded.key.hex()},
            {"reproduced_key", or_null(finding.key, hex)},
            {"key_differs_by", finding.other_key},
            {"parts", std::move(parts)},
            {"difference", finding.difference},
            {"first_different", finding.first},
            {"stages", finding.stages},
            {"seconds", finding.seconds}};
}

void print_finding(const Reproduction& finding) {
    const auto width = stdout_columns();
    const bool has_numbers =
        std::ranges::any_of(finding.compared, [](const Compared& one) { return one.recorded_number.has_value(); });
    Table table{.title = {}, .columns = {finding.stage}, .rows = {}, .notes = {}};
    if (has_numbers) table.columns.insert(table.columns.end(), {"recorded", "reproduced"});
    table.columns.insert(table.columns.end(), {"sha256 recorded", "sha256 reproduced", "bytes"});
    const auto short_hex = [](const std::optional<Digest>& digest) { return digest ? digest->short_hex() : "-"; };
    const auto number = [](const std::optional<double>& value) { return value ? metric_text(*value) : "-"; };
    for (const Compared& one : finding.compared) {
        auto& row = table.rows.emplace_back(std::vector<std::string>{one.name});
        if (has_numbers) row.insert(row.end(), {number(one.recorded_number), number(one.reproduced_number)});
        row.insert(row.end(), {short_hex(one.recorded), short_hex(one.reproduced), one.is_equal() ? "same" : "different"});
    }
    if (!finding.other_key.empty()) table.notes.push_back(fmt::format("its key is another one here: {}", finding.other_key));
    if (!finding.difference.empty()) table.notes.push_back(finding.difference);
    if (!finding.first.empty() && finding.first != finding.stage)
        table.notes.push_back(fmt::format("the first stage whose result differs is {}", finding.first));
    table.notes.push_back(fmt::format("{}: {} stage{} from nothing in {}, as in run {}",
                                      finding.is_equal() ? "reproduced" : "not reproduced", finding.stages,
                                      finding.stages == 1 ? "" : "s", duration_text(finding.seconds), finding.run));
    fmt::print("\n{}", table_text(table, width));
}

// What a failed run of the stages says.
void check_succeeded(const RerunResult& rerun) {
    for (const NodeResult& node : rerun.result.nodes)
        if (node.state == NodeState::Failed)
            throw Error(ExitCode::StageFailed,
                        fmt::format("{} failed, so there is nothing to compare: {}",
                                    printable(rerun.dag.nodes[node.node].name), in_one_line(node.error)));
    for (const NodeResult& node : rerun.result.nodes)
        if (!node.not_kept.empty())
            throw Error(ExitCode::Store, fmt::format("the scratch folder: {}", in_one_line(node.not_kept)));
}

ExitCode reproduce(ReproduceOptions options) {
    options.run.quiet = options.json;
    check_named_store(options.store);
    OpenStore open(options.store.store, Access::ReadOnly);
    ArtifactReferences references(options.store, options.dag_name, open);
    const ArtifactRef found = references.find(options.what);
    Reproduction finding;
    finding.recorded = header_of(found, open.files());
    if (!found.tensor.empty() && !digest_in(finding.recorded, found.tensor)) {
        std::vector<std::string> names;
        for (const TensorRecord& tensor : finding.recorded.tensors) names.push_back(tensor.path());
        throw Error(ExitCode::Usage, fmt::format("the artifact has no tensor '{}'", printable(found.tensor)),
                    did_you_mean(found.tensor, names));
    }
    const StoreLock use = StoreLock::shared(open.folder());
    const auto recorded = find_recorded_stages(open.folder(), {finding.recorded.key}, open.files());
    if (recorded.empty())
        throw Error(ExitCode::Usage, fmt::format("no run's record says how '{}' was made", printable(options.what)),
                    "records are removed by `satdl rm`, and stay behind when a file is copied out of its store");
    finding.run = recorded.begin()->second.run;
    finding.stage = recorded.begin()->second.stage;

    const ScratchFolder folder(options.scratch.empty() ? fs::temp_directory_path() : fs::path(options.scratch));
    OpenStore scratch(folder.path() / "store", Access::ReadWrite);
    const StopSignals signals;
    RecordedRunner runner(options.run, open, signals);
    const RerunResult rerun = runner.run(finding.run, {finding.stage}, scratch);
    if (const auto code = signals.exit_code()) return *code;
    check_succeeded(rerun);
    const NodeResult* const node = rerun.find(finding.stage);
    const auto reproduced = node != nullptr && node->key ? scratch.store().header(*node->key) : std::nullopt;
    if (!reproduced)
        throw Error(ExitCode::StageFailed,
                    fmt::format("{} did not run: {}", printable(finding.stage), node == nullptr ? "" : node->because));
    finding.key = node->key;
    finding.other_key = first_difference(finding.recorded.recipe, node->recipe);
    finding.compared = compared(found.tensor, finding.recorded, *reproduced);
    finding.stages = rerun.result.count(NodeState::Ran);
    finding.seconds = rerun.result.seconds;
    if (!finding.is_equal()) {
        const OpenArtifact original = open_artifact(found, open.files());
        if (const auto difference = difference_of(original.outcome, *scratch.store().load(*node->key)))
            finding.difference = difference->details();
        finding.first = first_different(rerun, open);
    }
    if (options.json)
        fmt::print("{}\n", dump_json(finding_json(finding)));
    else
        print_finding(finding);
    return finding.is_equal() ? ExitCode::Done : ExitCode::StageFailed;
}

}  // namespace

void add_reproduce_command(Command& program) {
    program.add_command<ReproduceOptions>(
        "reproduce", "compute a result again from nothing, and compare it to the last byte",
        "All stages that it needs run again as the record of its run says, in a store of their own, which is removed at the "
        "end. Exit code "
        "1: something differs.\n"
        "Examples:\n"
        "  satdl reproduce compare.p0                  a number\n"
        "  satdl reproduce m2                          everything that a stage made\n"
        "  satdl reproduce 'm1[seed=1]'                that of a point of a sweep\n"
        "  satdl reproduce 20261124T031731:compare.p   that of an earlier run",
        [](Command& command, ReproduceOptions& options) {
            command.add_option("what", options.what, "STAGE, STAGE.METRIC, RUN:STAGE, a port or a tensor, or a key")
                .required()
                .type_name("WHAT");
            command
                .add_option("--dag", options.dag_name, "the name of a DAG that ran before; default: the one that ran last")
                .type_name("NAME");
            command
                .add_option("--scratch", options.scratch,
                            "the folder in which the store of its own is made; default: $TMPDIR, or /tmp")
                .type_name("DIR");
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            command
                .add_flag("--trust", options.run.trust,
                          "trust records and programs that belong to other users (docs/trust.md)")
                .envname("SATDL_TRUST");
            add_stages_option(command, options.run.stages);
            add_store_options(command, options.store);
        },
        reproduce);
}

}  // namespace satdl
