// What a stage is: its description (ports, parameters), what it gets, what it returns. The one header that the author
// of a stage library needs; see docs/stages.md for a walk-through.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "pipeline/core/array.h"
#include "pipeline/core/error.h"
#include "pipeline/core/fresh_array.h"
#include "pipeline/core/table.h"
#include "pipeline/network/network.h"

namespace satdl {

// ---- description: everything that planning needs, written to the library's manifest by the build --------------------

enum class ParamType {
    Integer,
    Number,
    Boolean,
    Text,
    Choice,   // one of `choices`
    Network,  // a list of layers, or the name of one under `networks:`
    Dataset,  // the name of a dataset's manifest (data/NAME.yaml); the files that the stage reads are part of its key
    File,     // a path; the file's content is part of the key
    Threads,  // 1..256 or `auto`: resolved when the plan is made
    Numbers,  // a list of numbers, or one of the words in `choices`
    Precision,  // fp32, tf32, bf16 or `auto`: resolved when the plan is made
    Device,     // cpu, cuda or `auto`: resolved when the plan is made
    Folder,     // a path; names and contents of all files in it are part of the key, but of those that begin with '.'
};

[[nodiscard]] std::string_view name_of(ParamType type);  // "integer"

// What convolutions and dense layers compute in. Weights, the optimiser's state and metrics are float32 in each case.
// Tf32: on a GPU, whose units round each factor of a product to 10 bits of mantissa; a CPU has no such units.
enum class Precision { Fp32, Tf32, Bf16 };
[[nodiscard]] std::string_view name_of(Precision precision);  // "fp32"

// Where networks are computed. Cuda: on one of the GPUs that CUDA shows (StageContext::gpu).
enum class Device { Cpu, Cuda };
[[nodiscard]] std::string_view name_of(Device device);  // "cpu"

class Params;

struct ParamDescription {
    std::string name{};
    ParamType type = ParamType::Text;
    // The default, as YAML text; none: the parameter must be given ("null": may be left out).
    std::optional<std::string> fallback{};
    std::optional<double> min{}, max{};  // inclusive range of numbers
    std::vector<std::string> choices{};
    std::string unit{};
    std::string help{};                     // one line
    bool changes_result = true;             // false: not in the key. Of a Threads parameter it counts only if the stage is numeric
    bool in_key_at_default = true;          // false: its default is not in the key: added later, it leaves the keys of results as they are
    // When the parameter applies. Otherwise a value other than its default is rejected before anything runs.
    struct Condition {
        std::string param{};                // another parameter, which must have ...
        std::vector<std::string> values{};  // ... one of these values; none: any but null, false and 0
        [[nodiscard]] bool is_met(const Params& params) const;
        bool operator==(const Condition&) const = default;
    };
    std::vector<Condition> needs{};            // all of them
    std::vector<std::string> excludes{};  // parameters that are then left at their defaults, inputs that are not connected
    std::string below{};                  // a number that is less than that of this parameter
    std::string at_most_rows_of{};        // an integer that is at most the first extent of this input
    // Ports, inputs or outputs, with metrics: it names a metric of each of them, or is `auto` if that is its default.
    std::vector<std::string> metric_of{};
    // A number below 1 that takes this fraction of an input's rows out of what the fractions declared before it left (row_fraction.h): above
    // 0, it takes at least one and leaves at least one.
    struct RowFraction {
        std::string of{};
        bool rounded_up = false;
        bool operator==(const RowFraction&) const = default;
    };
    std::optional<RowFraction> row_fraction{};
    // Input ports: it is the name, for people, of what they read ("M2").
    std::vector<std::string> label_of{};
    // A smoke run (`satdl run --smoke`) clamps a number to these, so that the stage is done in a moment; null counts as
    // the greatest.
    std::optional<double> smoke_min{}, smoke_max{};
    // An integer that sets only the length of the stage's work: its state after n of them is the same however many are
    // to come (epochs). A longer stage then starts where a shorter one ended: see StageContext::keep_final_checkpoint().
    bool continues = false;
    std::vector<Condition> continues_unless{};  // if one of these holds, the state depends on it all the same (a cosine schedule)
    bool operator==(const ParamDescription&) const = default;
};

enum class PortKind {
    Array,    // one tensor
    Model,    // weights by name and the architecture: NamedArrays {"architecture": uint8 JSON text, "conv_1.weight": ..., ...}
    Metrics,  // numbers by name: NamedArrays of float64 [1]
    History,  // columns by name, one row an epoch: NamedArrays of float64 [epochs]
    Arrays,   // tensors by name
    File,     // the bytes of one file, named as Folder names them
    Folder,   // the bytes of files: NamedArrays of uint8 [bytes], {"files/sub/a.txt": ..., "executables/run.sh": ...}
};

[[nodiscard]] std::string_view name_of(PortKind kind);  // "array"

// What the names within File and Folder begin with; the file's path follows, parts separated by '/'.
inline constexpr std::string_view kPlainFiles = "files/", kExecutableFiles = "executables/";

// What a port carries, for programs that show it: `satdl report` knows no kind of stage by its name. A role changes no result and is not
// part of any key. At most one port of a stage has a given role.
enum class PortRole {
    None,
    Images,             // array input: samples; shown if they are [N, H, W] or [N, 1, H, W]
    Labels,             // array input: the right class of each sample, whole numbers [N]
    Predictions,        // array output: [N, classes], the greatest is the answer. With Labels: a confusion matrix; with Images: the errors
    NoisyImages,        // array output: the stage's Images with noise
    DenoisedImages,     // array output: what the stage made of its Images; shown beside them if they are another stage's NoisyImages
    Baseline,           // metrics input: of a model, on test data, ...
    Candidate,          // ... and of another, which is compared with it
    BaselineTraining,   // metrics input: of the baseline, on training data
    CandidateTraining,  // likewise of the candidate
};

[[nodiscard]] std::string_view name_of(PortRole role);  // "noisy_images"

struct PortDescription {
    std::string name{};
    PortKind kind = PortKind::Array;
    // Array ports. Inputs: the accepted element types (none: any), and in `dtype_of` another input that must have the same. Outputs: one
    // type, or none if `dtype_of` names an input whose type it takes (or, if that is "" too, the type is known only after running).
    std::vector<DType> dtypes{};
    std::string dtype_of{};
    // Array inputs of float32: a parameter that, if it is given, says how uint8 becomes float32; then the input must be uint8.
    std::string uint8_scale{};
    // Array ports: the rule of the shape.
    //   [N, 1, 28, 28]          extents: numbers, names bound by the inputs, _ for any
    //   [N, ...]                a last `...` is any rest; in an output: that of the first input with `...`
    //   [N, ...S]               a named rest, the same wherever it occurs
    //   network(NET, X)         what the network in parameter or model port NET gives for port X;
    //   network(NET, X, LAYER)  ... at the layer named by parameter LAYER (null: the last)
    //   dataset(ROLE)           of the dataset in parameter `dataset`, split in parameter `split`; first extent at most
    //                           parameter `limit`
    //   file(FILE)              of the array in the file in parameter FILE, or of the images in the folder in it, shape and element type;
    //                           if the stage has parameters `array`, `columns`, `limit`, `dtype`, `reshape`, `layout`: as these say
    //                           (stages/read.cpp)
    //   rows(FILE)              [N], as many as file(FILE) has
    //   any
    std::string shape = "any";
    // Model outputs: how the network is built: {net} or {base, until, net} as names of parameters and ports, and the
    // port of its input; or {net, file, sample, names}: its weights are arrays of a file (network/weight_match.h).
    struct ModelRule {
        std::string net{};    // parameter: the layers (after those of the base)
        std::string input{};  // port: what the network reads; "" with a file
        std::string base{};   // port of kind Model, or ""
        std::string until{};  // parameter: the last layer taken from the base, or ""
        std::string freeze{}; // parameter: true if the layers of the base are not trained, or ""
        std::string file{};   // parameter: a file with its weights, or ""; then ...
        std::string sample{}; // ... a parameter, numbers: the shape of a sample that the network reads
        std::string names{};  // ... and a parameter, a text: what the file calls the layers
        bool operator==(const ModelRule&) const = default;
    };
    std::optional<ModelRule> model{};
    bool optional = false;  // inputs [M, ...]: all with this M are connected, or none. Output with dtype_of: there if that input is.
    std::string help{};
    PortRole role = PortRole::None;
    // Metrics and History outputs: the names that they will have (a History's besides epoch, step and lr), so that whatever
    // names a metric is checked before anything runs.
    struct MetricsRule {
        std::vector<std::string> names{};      // always there
        std::vector<std::pair<std::string, std::string>> if_connected{};  // (input, name): present if the input is connected
        bool of_loss = false;                  // also those that follow from the stage's loss; see metric_names.h
        bool training = false;                 // these are under train/, and under val/ ...
        std::string validation{};              // ... if this port is connected
        std::string fraction{};                // ... or this parameter is above 0
        std::vector<std::string> also_under{}; // each is also under these prefixes: "best/", "last/"
        // Metrics outputs: pairs of `names` or `if_connected` that are compared point by point: a sweep reports second - first, with its
        // interval over the repetitions. In a stage with Baseline and Candidate, the first pair has the results of these two.
        std::vector<std::pair<std::string, std::string>> pairs{};
        bool operator==(const MetricsRule&) const = default;
    };
    std::optional<MetricsRule> metrics{};
    bool operator==(const PortDescription&) const = default;
};

// A loss that a stage computes from what a network gives and from targets: checked before anything runs (loss_rules.h).
struct LossRule {
    std::string loss{};                  // parameter: mse, cross_entropy, binary_cross_entropy
    std::string model{};                 // port, input or output: the network; or an input array: what a network gave
    std::string target{};                // input: what the network should give
    std::string validation_target{};     // input: the same of the validation data, or ""
    std::string class_weights{};         // parameter, numbers: one for each class, or ""
    bool operator==(const LossRule&) const = default;
};

// How many samples a source returns in a smoke run: one batch, in which every class of a usual dataset occurs.
inline constexpr int kSmokeSamples = 128;

struct StageDescription {
    std::string kind{};  // snake_case
    int version = 1;   // raise it when its results change
    std::string help{};
    std::vector<PortDescription> inputs{};
    std::vector<PortDescription> outputs{};
    std::vector<ParamDescription> params{};
    std::optional<LossRule> loss{};
    // Its last bits depend on LibTorch, the CPU's instructions and (unless `threads` has changes_result = false) the threads.
    bool numeric = false;
    // Memory while it runs, beyond its inputs: fixed + per_input_byte * bytes of inputs + per_output_byte * bytes of outputs, as far as
    // the plan knows them; and what the network needs that it trains or applies, if a parameter says to how many samples at a time.
    std::int64_t memory_fixed_bytes = 16 << 20;
    double memory_per_input_byte = 1.0;
    double memory_per_output_byte = 0;
    // All that grows with its data are outputs, each made as a FreshArray: large ones lie in files (fresh_array.h), and take no memory.
    bool large_outputs_in_files = false;
    std::string batch_size{};  // parameter, an integer; or ""

    [[nodiscard]] const PortDescription* input(std::string_view name) const;
    [[nodiscard]] const PortDescription* output(std::string_view name) const;
    [[nodiscard]] const ParamDescription* param(std::string_view name) const;
    [[nodiscard]] const ParamDescription* param(ParamType type) const;  // the first of this type
    bool operator==(const StageDescription&) const = default;
};

// ---- running ----------------------------------------------------------------------------------------------------

// A parameter's value, checked and typed by its description, and where it was written. Made once, by the reader of DAG files.
class ParamValue {
public:
    // null                            std::monostate
    // Integer, Number, Boolean        std::int64_t, double, bool
    // Text, Choice, Dataset, File,
    // Precision, Device               std::string
    // Threads                         std::int64_t, or the text `auto`
    // Numbers                         std::vector<double>, or one of the `choices` as text
    // Network                         never a null pointer
    using Data = std::variant<std::monostate, std::int64_t, double, bool, std::string, std::vector<double>, std::shared_ptr<const Network>>;

    ParamValue() = default;  // null
    template <typename T>
        requires(!std::same_as<std::remove_cvref_t<T>, ParamValue> && std::constructible_from<Data, T>)
    ParamValue(T&& data, Place place = {}) : data_(std::forward<T>(data)), place_(std::move(place)) {}

    [[nodiscard]] const Data& data() const { return data_; }
    [[nodiscard]] const Place& place() const { return place_; }
    [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
    template <typename T>
    [[nodiscard]] const T* get_if() const {  // nullptr if it is of another type
        return std::get_if<T>(&data_);
    }
    [[nodiscard]] std::optional<double> as_number() const;  // of an integer or a number

    // The one form in which values are compared, stand in keys and are recorded: JSON, numbers as the shortest text that reads back to
    // the same double, every option of a network's layers. Keys depend on every byte of it.
    [[nodiscard]] std::string canonical() const;
    // The same for people: a text without quotes.
    [[nodiscard]] std::string text() const;

private:
    Data data_;
    Place place_;
};

// A node's parameters, checked and with defaults filled in. Reading one that the description lacks, or as another type than it
// has, is a bug (SATDL_CHECK).
class Params {
public:
    Params() = default;
    explicit Params(std::map<std::string, ParamValue> values) : values_(std::move(values)) {}
    [[nodiscard]] const std::map<std::string, ParamValue>& values() const { return values_; }
    [[nodiscard]] const ParamValue& value(std::string_view name) const;
    [[nodiscard]] bool given(std::string_view name) const;  // present and not null
    [[nodiscard]] std::int64_t integer(std::string_view name) const;
    [[nodiscard]] double number(std::string_view name) const;  // also of integers
    [[nodiscard]] bool boolean(std::string_view name) const;
    [[nodiscard]] const std::string& text(std::string_view name) const;  // also of choices
    [[nodiscard]] const std::vector<double>& numbers(std::string_view name) const;
    [[nodiscard]] const Network& network(std::string_view name) const;

private:
    std::map<std::string, ParamValue> values_;
};

using StageInputs = std::map<std::string, NamedArrays>;  // by port; optional ports that are not connected are absent

struct StageOutput {
    std::map<std::string, NamedArrays> outputs;  // every declared output, by port
    std::vector<Table> tables;
    std::vector<std::string> warnings{};  // added by the engine: what the stage logged as LogLevel::Warning
};

// What is wrong with the names within an output: an Array port has one array, named ""; in all others every array has a name, which
// is a path in the artifact's HDF5 file ("conv_1.weight", "train/loss"). nullopt if they are fine.
[[nodiscard]] std::optional<std::string> fault_of_names(std::string_view port, PortKind kind, const NamedArrays& arrays);

// Where a training is. Epochs and steps count from 1; 0 epochs: a stage without epochs.
struct Progress {
    std::int64_t epoch = 0, epochs = 0;
    std::int64_t step = 0, steps = 0;  // within the epoch
    bool epoch_ended = false;
    std::vector<std::pair<std::string, double>> metrics;  // so far in this epoch; all of them if it ended
};

enum class LogLevel { Debug, Info, Warning };

// A file that a stage reads: part of its key by content.
struct SourceFile {
    std::string role;  // "images", or the parameter's name
    std::filesystem::path path;
    std::string member{};  // of files that share a role: its name among them; they count as one, by names and contents
    DType dtype = DType::UInt8;  // datasets: what the manifest says
    Shape shape;
    std::optional<ArrayType> header;  // of an output's shape rule file(...): what the file itself says
    std::optional<std::map<std::string, ArrayType>> arrays{};  // of a model's weights: likewise, by name
    std::optional<Digest> expected;  // datasets: SHA-256 in the manifest
    std::string dataset;             // datasets: its name, for the message if the file does not match
    Place place;                     // of the parameter, likewise
    bool is_folder = false;          // it stands for all files in it (os/file_tree.h)
};

// Thrown by a stage that stopped because stop_requested() returned true.
struct Stopped {};

// What the engine offers a stage while it runs. Every call is safe from the thread that runs the stage.
class StageContext {
public:
    virtual ~StageContext() = default;
    [[nodiscard]] virtual const Params& params() const = 0;
    [[nodiscard]] virtual int threads() const = 0;  // how many the stage may use (must, if its results depend on them)
    [[nodiscard]] virtual Precision precision() const { return Precision::Fp32; }  // of a stage with a parameter of this type
    [[nodiscard]] virtual Device device() const { return Device::Cpu; }            // likewise
    [[nodiscard]] virtual int gpu() const { return 0; }  // with Device::Cuda: CUDA's number of the GPU that is this stage's alone
    [[nodiscard]] virtual const std::vector<SourceFile>& files() const = 0;
    [[nodiscard]] virtual bool stop_requested() const = 0;  // then: throw Stopped, soon
    virtual void progress(const Progress& progress) = 0;
    virtual void log(LogLevel level, std::string_view message) = 0;

    // Checkpoints, for long stages: an interrupted stage resumes from the last one, and must return the same bytes as one
    // that was never interrupted. A stage without checkpoints starts over.
    // The last checkpoint of an earlier attempt under this key, or the final one of a shorter training; nullptr: begin at the
    // start. Valid while the stage runs.
    [[nodiscard]] virtual const NamedArrays* checkpoint() { return nullptr; }
    // Whether a checkpoint is worth its time now: called between two steps, and (`epoch_ended`) between two epochs. If
    // stop_requested(), one is always worth it: save it, then throw Stopped.
    [[nodiscard]] virtual bool checkpoint_due(bool /*epoch_ended*/) { return false; }
    // Saves `state`: all that is needed to resume from `at`. Returns when it is durable; if it cannot be written, the engine logs
    // a warning, and the stage continues.
    virtual void keep_checkpoint(const NamedArrays& /*state*/, const Progress& /*at*/) {}
    // For a stage with a parameter that `continues`, called last: `state` is a checkpoint at the end, `at.epoch` how
    // far it got, in that parameter's unit. A longer one starts there.
    virtual void keep_final_checkpoint(const NamedArrays& /*state*/, const Progress& /*at*/) {}
};

// Does the work. For errors that a user can fix, throw satdl::Error; anything else thrown is reported as the stage's fault.
using StageFunction = StageOutput (*)(const StageInputs& inputs, StageContext& context);

struct StageEntry {
    StageDescription description;
    StageFunction run = nullptr;
};

// Whether a library's stages find a GPU on this machine.
struct Gpu {
    std::string name;      // "NVIDIA H100 PCIe"
    std::string numerics;  // what else affects the last bits of results: "compute capability 9.0, 114 multiprocessors, cuDNN 9.1.0"
    bool bf16 = false;     // it has instructions for it, and for TF32
    int count = 1;         // how many of this machine give the same bits: CUDA's numbers 0 to count - 1
    bool operator==(const Gpu&) const = default;
};
struct NoGpu {
    std::string because;
    bool operator==(const NoGpu&) const = default;
};
using GpuAnswer = std::variant<NoGpu, Gpu>;

// What a stage library exports (see SATDL_STAGE_LIBRARY).
struct StageLibraryInfo {
    std::string name;  // "satdl", "mine"
    // {"libtorch", "2.13.0+cpu"}: in the key of its numeric stages.
    std::vector<std::pair<std::string, std::string>> numerics;
    std::vector<StageEntry> stages;
    // Called when a plan is made, if a stage of the library may compute on a GPU. Null: they compute only on the CPU.
    GpuAnswer (*find_gpu)() = nullptr;
};

// Raised whenever this header changes in a way that breaks old libraries.
inline constexpr int kStageAbi = 11;

}  // namespace satdl

// Makes the shared library that contains this a stage library: `make_info` returns its StageLibraryInfo. The ABI mark is
// data, read before any code of the library runs.
#define SATDL_STAGE_LIBRARY(make_info)                                                      \
    extern "C" __attribute__((visibility("default"))) const int satdl_stage_abi;             \
    extern "C" const int satdl_stage_abi = ::satdl::kStageAbi;                               \
    extern "C" __attribute__((visibility("default"))) const ::satdl::StageLibraryInfo* satdl_stage_library() { \
        static const ::satdl::StageLibraryInfo info = make_info();                           \
        return &info;                                                                        \
    }                                                                                        \
    extern "C" __attribute__((visibility("default"))) void satdl_use_array_memory(::satdl::ArrayMemory* memory) { \
        ::satdl::use_array_memory(memory);                                                   \
    }
