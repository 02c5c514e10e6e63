// satdl show: an artifact or one of its tensors: shapes, statistics, provenance.
#include "commands/inspect/show.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/inspect/show_images.h"
#include "commands/shared/result_links.h"
#include "commands/shared/session.h"
#include "commands/shared/warnings.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/records/link_results.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

struct ShowOptions {
    StoreOptions store;
    std::string what;
    std::string dag_name;
    std::int64_t images = 0;  // how many to draw; 0: none
    bool json = false;
};

constexpr std::int64_t kFewValues = 10;
constexpr std::size_t kShortestKey = 6;

// What the argument of the command refers to.
struct ArtifactRef {
    std::string stage;  // "" if it was found by its path or key
    std::filesystem::path path;
    std::string tensor;  // "" = all; else a port or port/name
};

std::optional<ArtifactRef> found_by_key(const std::string& what, OpenStore& open) {
    if (what.size() < kShortestKey || what.find_first_not_of("0123456789abcdef") != std::string::npos) return std::nullopt;
    std::vector<Digest> keys;
    for (const auto& key : open.store().keys()) {
        if (key.hex().starts_with(what)) keys.push_back(key);
    }
    if (keys.empty()) return std::nullopt;
    if (keys.size() > 1)
        throw Error(ExitCode::Usage, fmt::format("{} keys begin with {}", keys.size(), what), "give more digits");
    return ArtifactRef{{}, open.store().path_of(keys.front()), {}};
}

Error leads_nowhere(const fs::path& link) {
    return Error(ExitCode::Usage, fmt::format("'{}' leads nowhere: its artifact is gone from the store", printable(link.string())),
                 "a run of the DAG makes it again");
}

ArtifactRef found_by_stage(const std::string& what, const ResultLinks& results, FileSystem& files) {
    const std::size_t slash = what.find('/');
    ArtifactRef found{what.substr(0, slash), {}, slash == std::string::npos ? "" : what.substr(slash + 1)};
    found.path = results.path_of(found.stage);
    const bool is_named = fs::exists(fs::symlink_status(found.path));
    if (is_named && !is_artifact_link(found.path))
        throw Error(ExitCode::Usage, fmt::format("'{}' is not a link that satdl made, so there is none to the artifact of {}",
                                                 printable(found.path.string()), printable(found.stage)),
                    "move it away and run the DAG, or show the file by its path");
    if (files.stamp(found.path)) return found;
    if (is_named) throw leads_nowhere(found.path);
    const auto names = results.names();
    throw Error(
        ExitCode::Usage,
        fmt::format("the last run of {} has no artifact of a stage '{}'", printable(results.dag()), printable(found.stage)),
        did_you_mean(found.stage, names));
}

// The requested tensors.
std::vector<TensorRecord> chosen_tensors(const ArtifactHeader& header, const std::string& wanted) {
    std::vector<TensorRecord> chosen;
    std::vector<std::string> paths;
    for (const auto& tensor : header.tensors) {
        paths.push_back(tensor.path());
        const bool array_column =
            header.ports.at(tensor.port) == PortKind::Array || header.ports.at(tensor.port) == PortKind::Model;
        if (wanted.empty() ? array_column : tensor.path() == wanted || tensor.port == wanted) chosen.push_back(tensor);
    }
    if (chosen.empty() && !wanted.empty()) {
        throw Error(ExitCode::Usage, fmt::format("the artifact has no tensor '{}'", printable(wanted)), did_you_mean(wanted, paths));
    }
    return chosen;
}

TensorView tensor_view(const TensorRecord& record, const ArtifactHeader& header, const StageOutput& outcome) {
    const Array& array = outcome.outputs.at(record.port).at(record.name);
    TensorView view{record, statistics_of(array), {}, {}};
    if (header.ports.at(record.port) == PortKind::Model && array.dtype() == DType::UInt8) {
        const auto bytes = array.bytes();
        view.text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    } else if (array.count() <= kFewValues) {
        view.values = numbers_of(array);
    }
    return view;
}

void add_history(ArtifactView& view, const StageOutput& outcome) {
    for (const auto& [port, kind] : view.header.ports) {
        if (kind != PortKind::History) continue;
        for (const auto& [name, column] : outcome.outputs.at(port)) view.history[port][name] = numbers_of(column);
    }
}

void add_origins(ArtifactView& view, const std::vector<LinkedStage>& stages) {
    const auto shown = std::ranges::find(stages, view.stage, &LinkedStage::name);
    if (shown == stages.end()) return;
    for (const auto& [port, origin] : shown->origins) view.origins["input " + port] = origin;
    view.freshness = shown->freshness;
    view.stale_inputs = shown->stale_inputs;
}

// Draws the requested tensors; without a request, those of array ports.
std::string drawn_tensors(const ArtifactHeader& header, const StageOutput& outcome, const ArtifactRef& found, std::int64_t count) {
    const std::string hint = "images are [N, H, W] or [N, C, H, W]; `satdl show` without --images prints the shapes";
    const Drawing drawing = drawing_on_stdout();
    std::string text;
    for (const auto& record : chosen_tensors(header, found.tensor)) {
        const bool is_named = !found.tensor.empty();
        if (!has_images(record.shape)) {
            if (is_named) {
                throw Error(ExitCode::Usage, fmt::format("'{}' is {} {}, which does not hold images", printable(record.path()),
                                                         name_of(record.dtype), shape_text(record.shape)), hint);
            }
        } else if (is_named || header.ports.at(record.port) == PortKind::Array) {
            const Array& array = outcome.outputs.at(record.port).at(record.name);
            if (!text.empty()) text += '\n';
            text += images_text(record.path(), array, count, drawing, terminal_size(STDOUT_FILENO).columns);
        }
    }
    if (text.empty()) throw Error(ExitCode::Usage, fmt::format("no tensor of {} holds images", printable(found.path.filename().string())), hint);
    return text;
}

// A file that the user named may never have been an artifact, and no run recomputes it: then the hint is another one.
ArtifactHeader header_of(const ArtifactRef& found, bool by_path, FileSystem& files) {
    try {
        return read_header(files, found.path);
    } catch (const DamagedArtifact& error) {
        if (!by_path) throw;
        throw Error(ExitCode::Store, error.diagnostics().front().message,
                    "if satdl did not write this HDF5 file, show it with h5dump, and read it into a DAG with `kind: read`");
    }
}

ExitCode show(const ShowOptions& options) {
    if (options.json && options.images > 0)
        throw Error(ExitCode::Usage, "--images cannot be combined with --json", "leave one of them out");
    check_named_store(options.store);
    OpenStore open(options.store.store, Access::ReadOnly);
    FileSystem& files = open.files();
    std::optional<ResultLinks> results;
    ArtifactRef found;
    const bool by_path = fs::is_regular_file(options.what);
    if (!by_path && is_artifact_link(options.what)) throw leads_nowhere(options.what);
    if (by_path) {
        found.path = options.what;
    } else if (const auto by_key = found_by_key(options.what, open)) {
        found = *by_key;
    } else {
        results.emplace(options.store.results_folder(), options.dag_name, files);
        found = found_by_stage(options.what, *results, files);
    }

    ArtifactView view;
    view.stage = found.stage;
    view.path = found.path;
    view.header = header_of(found, by_path, files);
    const MappedFile mapped = files.map(found.path);
    verify_artifact(view.header, mapped.bytes, found.path);
    const StageOutput outcome = view_artifact(view.header, mapped);
    if (options.images > 0) {
        fmt::print("{}", drawn_tensors(view.header, outcome, found, options.images));
        return ExitCode::Done;
    }
    for (const auto& record : chosen_tensors(view.header, found.tensor)) {
        view.tensors.push_back(tensor_view(record, view.header, outcome));
    }
    add_history(view, outcome);
    if (results) add_origins(view, results->stages());
    std::vector<std::string> damaged;
    view.made = find_producer(open.folder(), view.header.key, files, damaged);
    for (const std::string& one : damaged) print_warning(one + "; ignored");
    if (options.json) {
        fmt::print("{}\n", dump_json(artifact_json(view)));
    } else {
        fmt::print("{}", artifact_text(view));
    }
    return ExitCode::Done;
}

}  // namespace

void add_show_command(Command& program) {
    program.add_command<ShowOptions>(
        "show", "show an artifact or a tensor: shape, statistics, provenance",
        "Examples:\n"
        "  satdl show m1                       the artifact of a stage of the last DAG\n"
        "  satdl show m1/model/conv_1.weight   one tensor\n"
        "  satdl show noisy@train --images 8   draw its first images in the terminal\n"
        "  satdl show results/full/m1.h5       an artifact by its path\n"
        "  satdl show 3f9a52c0                 ... or by the first digits of its key",
        [](Command& command, ShowOptions& options) {
            command.add_option("what", options.what, "STAGE, STAGE/PORT, STAGE/PORT/NAME, a file, or a key").required().type_name("WHAT");
            command.add_option("--dag", options.dag_name, "the name of a DAG that ran before; default: the one that ran last")
                .type_name("NAME");
            command.add_option("--images", options.images, "draw the first N images of a tensor [N, H, W] or [N, C, H, W]")
                .in_range(1, 10000)
                .type_name("N");
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_store_options(command, options.store);
        },
        show);
}

}  // namespace satdl
