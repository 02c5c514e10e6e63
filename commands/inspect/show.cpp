// satdl show: an artifact or one of its tensors: shapes, statistics, provenance.
#include "commands/inspect/show.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/inspect/artifact_reference.h"
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

ExitCode show(const ShowOptions& options) {
    if (options.json && options.images > 0)
        throw Error(ExitCode::Usage, "--images cannot be combined with --json", "leave one of them out");
    check_named_store(options.store);
    OpenStore open(options.store.store, Access::ReadOnly);
    FileSystem& files = open.files();
    ArtifactReferences references(options.store, options.dag_name, open);
    const ArtifactRef found = references.find(options.what);

    ArtifactView view;
    view.stage = found.stage;
    view.path = found.path;
    const auto [header, outcome] = open_artifact(found, files);
    view.header = header;
    if (options.images > 0) {
        fmt::print("{}", drawn_tensors(view.header, outcome, found, options.images));
        return ExitCode::Done;
    }
    for (const auto& record : chosen_tensors(view.header, found.tensor)) {
        view.tensors.push_back(tensor_view(record, view.header, outcome));
    }
    add_history(view, outcome);
    if (const auto& results = references.results()) add_origins(view, results->stages());
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
        "  satdl show 20261124T031731:m1       that of an earlier run (satdl log)\n"
        "  satdl show results/full/m1.h5       an artifact by its path\n"
        "  satdl show 3f9a52c0                 ... or by the first digits of its key",
        [](Command& command, ShowOptions& options) {
            command.add_option("what", options.what, kArtifactReference).required().type_name("WHAT");
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
