// satdl show: an artifact or one of its tensors: what it is, its metrics, what it was made of; layers, numbers, pictures,
// provenance.
//
// Of a large artifact only what is asked for is read: the header says types and shapes, and a part of a tensor is read from
// the mapped file.
#include "commands/inspect/show.h"

#include <fmt/format.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/inspect/show_images.h"
#include "commands/inspect/show_wrong.h"
#include "commands/shared/artifact_reference.h"
#include "commands/shared/result_links.h"
#include "commands/shared/session.h"
#include "commands/shared/warnings.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"
#include "pipeline/network/architecture.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/records/link_results.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

struct ShowOptions {
    StoreOptions store;
    std::string what;
    std::string dag_name;
    std::vector<std::string> libraries;
    std::int64_t images = 0;  // how many to draw; 0: none
    std::int64_t wrong = 0;   // likewise
    bool tensors = false, stats = false, recipe = false, provenance = false, json = false;
};

constexpr std::uint64_t kReadUnasked = 256'000'000;  // bytes

// "conv_2" before "conv_10".
bool is_before(const TensorRecord& a, const TensorRecord& b) {
    return ::strverscmp(a.path().c_str(), b.path().c_str()) < 0;
}

bool is_numbers(PortKind kind) {
    return kind == PortKind::Metrics || kind == PortKind::History;
}

// The requested tensors. Without a request, those of metrics and histories are left out: their numbers are shown by
// themselves.
std::vector<TensorRecord> chosen_tensors(const ArtifactHeader& header, const std::string& wanted) {
    std::vector<TensorRecord> chosen;
    std::vector<std::string> paths;
    for (const auto& tensor : header.tensors) {
        paths.push_back(tensor.path());
        const PortKind kind = header.ports.at(tensor.port);
        if (wanted.empty() ? !is_numbers(kind) : tensor.path() == wanted || tensor.port == wanted) chosen.push_back(tensor);
    }
    if (chosen.empty() && !wanted.empty() && !header.ports.contains(wanted)) {
        throw Error(ExitCode::Usage, fmt::format("the artifact has no tensor '{}'", printable(wanted)),
                    did_you_mean(wanted, paths));
    }
    std::ranges::stable_sort(chosen, is_before);
    return chosen;
}

// An artifact whose bytes are read as far as they are needed.
class MappedArtifact {
public:
    MappedArtifact(const ArtifactRef& found, FileSystem& files, bool read_all)
        : path_(found.path), artifact_{header_of(found, files), {}}, mapped_(files.map(found.path)) {
        const bool is_large = artifact_.header.file_bytes > kReadUnasked;
        if (read_all && is_large)
            print_on_stderr(fmt::format("checking {} against their digests", bytes_text(artifact_.header.file_bytes)));
        if (read_all || !is_large) {
            verify_artifact(artifact_.header, mapped_.bytes, path_);
            is_verified_ = true;
        } else if (mapped_.bytes.size() != artifact_.header.file_bytes) {
            throw DamagedArtifact(path_, fmt::format("it has {} bytes, but was written with {}", mapped_.bytes.size(),
                                                     artifact_.header.file_bytes));
        }
        artifact_.outcome = view_artifact(artifact_.header, mapped_);
    }

    [[nodiscard]] const OpenArtifact& get() const { return artifact_; }
    [[nodiscard]] const ArtifactHeader& header() const { return artifact_.header; }
    [[nodiscard]] bool is_verified() const { return is_verified_; }
    [[nodiscard]] const Array& array(const TensorRecord& record) const {
        return artifact_.outcome.outputs.at(record.port).at(record.name);
    }

private:
    const fs::path path_;
    OpenArtifact artifact_;
    const MappedFile mapped_;
    bool is_verified_ = false;
};

// Says on the terminal how far the reading of large tensors is.
class ReadingProgress {
public:
    explicit ReadingProgress(std::uint64_t bytes) : bytes_(bytes), is_shown_(bytes > kReadUnasked) {
        if (!is_shown_ || redraws_) return;
        print_on_stderr(fmt::format("reading {} for their statistics, twice", bytes_text(bytes)));
    }
    ~ReadingProgress() {
        if (is_shown_ && redraws_) fmt::print(stderr, "\r\x1b[K");
    }
    ReadingProgress(const ReadingProgress&) = delete;
    ReadingProgress& operator=(const ReadingProgress&) = delete;

    // `read`: bytes of this tensor, of twice its own; `before`: bytes of earlier ones.
    void update(std::uint64_t before, std::uint64_t read) {
        if (!is_shown_ || !redraws_) return;
        const auto percent = static_cast<int>((before + read / 2) * 100 / bytes_);
        if (percent == std::exchange(percent_, percent)) return;
        fmt::print(stderr, "\rreading {}: {} %", bytes_text(bytes_), percent);
        std::fflush(stderr);
    }

private:
    const std::uint64_t bytes_;
    const bool is_shown_;
    const bool redraws_ = can_redraw(STDERR_FILENO);
    int percent_ = -1;
};

// A matrix [classes, classes] of counts beside a stage's predictions [N, classes].
bool is_confusion(const TensorRecord& record, const ArtifactHeader& header, const StageDescription* stage) {
    if (stage == nullptr || record.dtype != DType::Int64 || record.shape.size() != 2) return false;
    const auto port = std::ranges::find(stage->outputs, PortRole::Predictions, &PortDescription::role);
    if (port == stage->outputs.end()) return false;
    const auto predictions = std::ranges::find(header.tensors, port->name, &TensorRecord::port);
    return predictions != header.tensors.end() && predictions->shape.size() == 2 && record.shape[0] > 0 &&
           record.shape == Shape{predictions->shape[1], predictions->shape[1]};
}

struct TensorsToRead {
    bool of_networks = false;  // the weights of models, too, whose layers are shown
    bool stats = false;        // however large they are
};

void add_tensors(ArtifactView& view, const MappedArtifact& artifact, const std::string& wanted, const std::optional<SliceText>& slice,
                 TensorsToRead what) {
    std::vector<TensorRecord> records = chosen_tensors(view.header, wanted);
    if (slice && records.size() != 1) {
        std::vector<std::string> paths;
        for (const TensorRecord& record : records) paths.push_back(record.path());
        throw Error(ExitCode::Usage, fmt::format("a slice is of one tensor, but this is {}", records.size()),
                    fmt::format("one of {}", fmt::join(paths, ", ")));
    }
    if (view.part != ShownPart::Tensor && !what.of_networks)
        std::erase_if(records, [&](const TensorRecord& record) { return view.networks.contains(record.port); });
    std::uint64_t bytes = 0, before = 0;
    for (const TensorRecord& record : records) {
        ArraySlice part = slice ? ArraySlice(artifact.array(record), *slice) : ArraySlice(artifact.array(record));
        bytes += static_cast<std::uint64_t>(part.count()) * size_of(record.dtype);
        view.tensors.push_back({.record = record, .slice = std::move(part), .statistics = {}, .class_names = {}});
    }
    if (bytes > kReadUnasked && !what.stats) return;
    ReadingProgress progress(bytes);
    for (TensorView& tensor : view.tensors) {
        const std::uint64_t size = size_of(tensor.record.dtype);
        tensor.statistics = statistics_of(
            *tensor.slice, [&](std::int64_t read) { progress.update(before, static_cast<std::uint64_t>(read) * size); });
        before += static_cast<std::uint64_t>(tensor.slice->count()) * size;
    }
}

void add_networks(ArtifactView& view, const MappedArtifact& artifact, const std::string& wanted, const Catalog& catalog) {
    for (const TensorRecord& record : view.header.tensors) {
        if (view.header.ports.at(record.port) != PortKind::Model || record.name != kArchitecture) continue;
        if (!wanted.empty() && record.port != wanted) continue;
        const auto bytes = artifact.array(record).bytes();
        const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        if (auto network = network_view(text, record.port, view.header.recipe, catalog))
            view.networks.emplace(record.port, *network);
    }
}

void add_history(ArtifactView& view, const StageOutput& outcome) {
    for (const auto& [port, kind] : view.header.ports) {
        if (kind != PortKind::History) continue;
        for (const auto& [name, column] : outcome.outputs.at(port)) view.history[port][name] = numbers_of(column);
    }
}

// As the links say; of an artifact that was named otherwise as the record of its run says.
void add_origins(ArtifactView& view, const std::vector<LinkedStage>& stages, ProvenanceReader& provenance) {
    const auto shown = std::ranges::find_if(stages, [&](const LinkedStage& one) {
        return one.name == view.stage && one.header && one.header->key == view.header.key;
    });
    if (shown != stages.end()) {
        for (const auto& [port, origin] : shown->origins) view.origins["input " + port] = origin;
        view.freshness = shown->freshness;
        view.stale_inputs = shown->stale_inputs;
    } else if (const StageFacts* const facts = provenance.recorded(view.header.key)) {
        for (const Reads& input : facts->inputs)
            view.origins["input " + input.port] = fmt::format("{}.{}", input.from, input.from_port);
    }
}

// A slice of images, of one too: [28, 28], or [1, 28, 28] of [N, 1, 28, 28].
Array images_in(const TensorView& tensor) {
    const Array part = tensor.slice->array();
    Shape shape = part.shape();
    if (shape.size() == 2 || (shape.size() == 3 && tensor.record.shape.size() == 4)) shape.insert(shape.begin(), 1);
    return Array(part.dtype(), shape, part.bytes(), part.owner());
}

// Draws the requested tensors; without a request, those of array ports.
std::string drawn_tensors(const ArtifactView& view, bool is_named, bool is_sliced, std::int64_t count) {
    const std::string hint = "images are [N, H, W] or [N, C, H, W]; `satdl show` without --images prints the shapes";
    const Drawing drawing = drawing_on_stdout();
    std::string text;
    for (const TensorView& tensor : view.tensors) {
        const TensorRecord& record = tensor.record;
        const Array array = is_sliced ? images_in(tensor) : tensor.slice->array();
        if (!has_images(array.shape())) {
            if (is_named) {
                throw Error(ExitCode::Usage,
                            fmt::format("'{}' is {} {}, which does not hold images", printable(record.path()),
                                        name_of(record.dtype), shape_text(array.shape())),
                            hint);
            }
        } else if (is_named || view.header.ports.at(record.port) == PortKind::Array) {
            if (!text.empty()) text += '\n';
            text += images_text(record.path(), array, count, drawing, terminal_size(STDOUT_FILENO).columns);
        }
    }
    if (text.empty())
        throw Error(ExitCode::Usage, fmt::format("no tensor of {} holds images", printable(view.path.filename().string())),
                    hint);
    return text;
}

void check_options(const ShowOptions& options, bool is_sliced) {
    const std::string_view chosen = options.images > 0   ? "--images"
                                    : options.wrong > 0  ? "--wrong"
                                    : options.provenance ? "--provenance"
                                                         : "";
    const int number = (options.images > 0 ? 1 : 0) + (options.wrong > 0 ? 1 : 0) + (options.provenance ? 1 : 0);
    if (number > 1)
        throw Error(ExitCode::Usage, "--images, --wrong and --provenance cannot be combined", "leave all but one out");
    if (options.json && options.images > 0)
        throw Error(ExitCode::Usage, "--images cannot be combined with --json", "leave one of them out");
    if (is_sliced && (options.wrong > 0 || options.provenance))
        throw Error(ExitCode::Usage, fmt::format("{} is about an artifact, not about a slice", chosen),
                    "leave the slice out");
}

void print(const ShowOptions& options, const Json& json, const std::string& text) {
    if (options.json)
        fmt::print("{}\n", dump_json(json));
    else
        fmt::print("{}", text);
}

ExitCode show(const ShowOptions& options) {
    const auto [what, slice] =
        fs::is_regular_file(options.what) ? std::pair(options.what, std::optional<SliceText>()) : split_slice(options.what);
    check_options(options, slice.has_value());
    check_named_store(options.store);
    const Catalog catalog = load_catalog(program_folder(), options.libraries);
    OpenStore open(options.store.store, Access::ReadOnly);
    FileSystem& files = open.files();
    ArtifactReferences references(options.store, options.dag_name, open);
    const ArtifactRef found = references.find(what);
    const MappedArtifact artifact(found, files, options.stats);
    const ArtifactHeader& header = artifact.header();
    const std::vector<LinkedStage> linked =
        references.results() ? references.results()->stages() : std::vector<LinkedStage>();
    ProvenanceReader provenance(open, catalog, linked);
    if (options.wrong > 0) {
        const WrongAnswers wrong = wrong_answers(artifact.get(), options.wrong, catalog, open, provenance);
        print(options, wrong_json(wrong), options.json ? "" : wrong_text(wrong, drawing_on_stdout(), stdout_columns()));
        return ExitCode::Done;
    }
    if (options.provenance) {
        const Provenance whole = provenance.of(header);
        print(options, provenance_json(whole), provenance_text(whole, stdout_columns()));
        return ExitCode::Done;
    }

    ArtifactView view;
    view.stage = found.stage;
    view.path = found.path;
    view.header = header;
    view.is_verified = artifact.is_verified();
    view.tensors_of_models = options.tensors;
    view.whole_recipe = options.recipe;
    view.name = found.tensor + (slice ? fmt::format("[{}]", slice->indices) : "");
    const auto port = header.ports.find(found.tensor);
    if (!found.tensor.empty())
        view.part = port == header.ports.end() || port->second == PortKind::Array ? ShownPart::Tensor : ShownPart::Port;
    add_networks(view, artifact, found.tensor, catalog);
    add_tensors(view, artifact, found.tensor, slice, {.of_networks = options.json || options.tensors, .stats = options.stats});
    if (options.images > 0) {
        fmt::print("{}", drawn_tensors(view, !found.tensor.empty(), slice.has_value(), options.images));
        return ExitCode::Done;
    }
    const KeyPart* const kind = find_part(header.recipe, "kind");
    const CatalogEntry* const entry = kind != nullptr ? catalog.find(kind->value) : nullptr;
    for (TensorView& tensor : view.tensors) {
        tensor.is_confusion =
            !slice && is_confusion(tensor.record, header, entry != nullptr ? &entry->description : nullptr);
        if (tensor.is_confusion) tensor.class_names = class_names(provenance.of(header), tensor.record.shape.front());
    }
    add_history(view, artifact.get().outcome);
    add_origins(view, linked, provenance);
    view.settings = settings_of(header.recipe, catalog, provenance.recorded(header.key));
    std::vector<std::string> damaged;
    view.made = find_producer(open.folder(), header.key, files, damaged);
    for (const std::string& one : damaged) print_warning(one + "; ignored");
    print(options, artifact_json(view), artifact_text(view));
    return ExitCode::Done;
}

}  // namespace

void add_show_command(Command& program) {
    program.add_command<ShowOptions>(
        "show", "show an artifact or a tensor: metrics, layers, numbers, provenance",
        "Examples:\n"
        "  satdl show m1                       the artifact of a stage of the last DAG\n"
        "  satdl show m1 --tensors             ... with each tensor of its model\n"
        "  satdl show m2.model                 one port: the layers\n"
        "  satdl show m1/model/conv_1.weight   one tensor: statistics, a histogram\n"
        "  satdl show 'm1/model/conv_1.weight[0:3, :, 1]'   a part of it, as NumPy writes it\n"
        "  satdl show noisy@train --images 8   draw its first images in the terminal\n"
        "  satdl show 'noisy@train.images[5]' --images 1\n"
        "  satdl show evaluate_m2@test --wrong 20   draw what it got wrong\n"
        "  satdl show m3 --provenance          what it was made of, back to the source files\n"
        "  satdl show 20261124T031731:m1       that of an earlier run (satdl log)\n"
        "  satdl show results/full/m1.h5       an artifact by its path\n"
        "  satdl show 3f9a52c0                 ... or by the first digits of its key",
        [](Command& command, ShowOptions& options) {
            command.add_option("what", options.what, kArtifactReference).required().type_name("WHAT");
            command
                .add_option("--dag", options.dag_name, "the name of a DAG that ran before; default: the one that ran last")
                .type_name("NAME");
            command.add_flag("--tensors", options.tensors, "list the tensors of models");
            command.add_flag("--stats", options.stats,
                             "statistics of tensors that are larger than 256 MB, too: all of them is read");
            command.add_flag("--recipe", options.recipe, "every part of its key, also what is at its default");
            command.add_flag("--provenance", options.provenance, "what it was made of, as a tree back to the source files");
            command.add_option("--images", options.images, "draw the first N images of a tensor [N, H, W] or [N, C, H, W]")
                .in_range(1, 10000)
                .type_name("N");
            command
                .add_option("--wrong", options.wrong,
                            "draw N of the samples that it got wrong, with their true and predicted class")
                .in_range(1, 10000)
                .type_name("N");
            command.add_flag("--json", options.json, "print the result as JSON (docs/json.md)");
            add_stages_option(command, options.libraries);
            add_store_options(command, options.store);
        },
        show);
}

}  // namespace satdl
