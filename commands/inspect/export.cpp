// satdl export: what is in an artifact as a file for other programs.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <fstream>

#include "commands/inspect/export_share.h"
#include "commands/inspect/keras_weights.h"
#include "commands/inspect/onnx_model.h"
#include "commands/inspect/show_images.h"
#include "commands/shared/artifact_reference.h"
#include "commands/shared/session.h"
#include "pipeline/array_files/named_arrays_file.h"
#include "pipeline/core/ascii.h"
#include "pipeline/display/text_format.h"
#include "pipeline/network/architecture.h"
#include "pipeline/os/file_error.h"
#include "pipeline/os/paths.h"
#include "pipeline/store/store_lock.h"
#include "report/png.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

struct ExportOptions {
    StoreOptions store;
    std::string what, file, dag_name, names = "torch";
    std::int64_t images = 64;
    bool force = false;
};

// What is to be exported, under the names that the file has.
struct Chosen {
    NamedArrays arrays;
    bool has_named_columns = false;  // metrics or a history: a table keeps their names, even of one
    std::string architecture;        // of a model: its network as JSON

    // The only one; throws Error{Usage} if there are several.
    [[nodiscard]] const Array& only(const std::string& what, std::string_view format) const {
        if (arrays.size() == 1) return arrays.begin()->second;
        std::vector<std::string> names;
        for (const auto& [name, array] : arrays) names.push_back(name);
        throw Error(ExitCode::Usage,
                    fmt::format("'{}' is {} arrays, and {} holds one", printable(what), arrays.size(), format),
                    fmt::format("name one of them ({}), or write .npz or .safetensors", fmt::join(names, ", ")));
    }
};

// Of a port or tensor under the names within the port: those of a model are PyTorch's ("conv_1.weight"). Of several ports
// with the port's name before them.
Chosen chosen_of(const ArtifactRef& found, const OpenArtifact& artifact) {
    Chosen chosen;
    std::vector<std::string> paths;
    const bool is_whole = found.tensor.empty() && artifact.header.ports.size() > 1;
    for (const TensorRecord& record : artifact.header.tensors) {
        paths.push_back(record.path());
        if (!found.tensor.empty() && record.port != found.tensor && record.path() != found.tensor) continue;
        const Array& array = artifact.outcome.outputs.at(record.port).at(record.name);
        const PortKind kind = artifact.header.ports.at(record.port);
        if (kind == PortKind::Model && record.name == kArchitecture) {
            const auto text = array.values<std::uint8_t>();
            chosen.architecture.assign(text.begin(), text.end());
            continue;
        }
        if (kind == PortKind::History || kind == PortKind::Metrics) chosen.has_named_columns = true;
        const std::string name = is_whole ? record.path() : record.name.empty() ? record.port : record.name;
        chosen.arrays.emplace(name, array);
    }
    if (chosen.arrays.empty())
        throw Error(ExitCode::Usage, fmt::format("the artifact has no tensor '{}'", printable(found.tensor)),
                    did_you_mean(found.tensor, paths));
    return chosen;
}

// "" if there is no model, or more than one.
std::string model_port(const OpenArtifact& artifact) {
    std::vector<std::string> ports;
    for (const auto& [port, kind] : artifact.header.ports)
        if (kind == PortKind::Model) ports.push_back(port);
    return ports.size() == 1 ? ports.front() : "";
}

// Images as one picture, in rows and columns of as many, with a line of black between two.
std::string png_of_images(const Array& array, const std::string& what, std::int64_t count) {
    if (!has_images(array.shape()))
        throw Error(ExitCode::Usage,
                    fmt::format("'{}' is {} {}, which does not hold images", printable(what), name_of(array.dtype()),
                                shape_text(array.shape())),
                    "images are [N, H, W] or [N, C, H, W]");
    const ImageSet images = images_of(array, count);
    const Picture& one = images.pictures.front();
    const auto number = static_cast<int>(images.pictures.size());
    const auto columns = static_cast<int>(std::ceil(std::sqrt(number))), rows = (number + columns - 1) / columns;
    const int width = columns * (one.width + 1) - 1, height = rows * (one.height + 1) - 1;
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                                     static_cast<std::size_t>(one.channels));
    for (int i = 0; i < number; ++i) {
        const Picture& picture = images.pictures[static_cast<std::size_t>(i)];
        const int left = i % columns * (one.width + 1), top = i / columns * (one.height + 1);
        for (int channel = 0; channel < one.channels; ++channel) {
            for (int y = 0; y < one.height; ++y) {
                for (int x = 0; x < one.width; ++x) {
                    const float value = picture.values[static_cast<std::size_t>((channel * one.height + y) * one.width + x)];
                    pixels[static_cast<std::size_t>(((top + y) * width + left + x) * one.channels + channel)] =
                        static_cast<std::uint8_t>(std::lround(value * 255));
                }
            }
        }
    }
    return png_of(pixels, static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height),
                  static_cast<std::uint32_t>(one.channels));
}

void write_bytes(const fs::path& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary);
    file << bytes;
    file.close();
    if (!file) throw FileError(errno, "write to", path);
}

void write_columns(const fs::path& path, const Chosen& chosen, const std::string& what) {
    const bool are_columns =
        (chosen.has_named_columns || chosen.arrays.size() > 1) && std::ranges::all_of(chosen.arrays, [&](const auto& one) {
            return one.second.shape().size() == 1 && one.second.shape() == chosen.arrays.begin()->second.shape();
        });
    if (are_columns) return write_csv(path, chosen.arrays);
    const Array& array = chosen.only(what, "CSV");
    if (array.shape().size() > 2)
        throw Error(ExitCode::Usage,
                    fmt::format("'{}' is {} {}, and a table has two dimensions", printable(what), name_of(array.dtype()),
                                shape_text(array.shape())),
                    "write .npy, .npz or .safetensors");
    write_csv(path, array);
}

// The network of what must be one model, whole; else throws Error{Usage}: "..., and `needs`".
Architecture architecture_of(const Chosen& chosen, const std::string& what, std::string_view needs, const char* hint) {
    Diagnostics diagnostics;
    auto architecture = parse_architecture(chosen.architecture, diagnostics);
    if (!architecture || !diagnostics.empty())
        throw Error(ExitCode::Usage, fmt::format("'{}' is not a model, and {}", printable(what), needs), hint);
    return *std::move(architecture);
}

std::string onnx_of(const Chosen& chosen, const std::string& what) {
    return onnx_model(architecture_of(chosen, what, "ONNX holds networks", "name the model, for instance m1/model, or write .npz or .safetensors"),
                      chosen.arrays);
}

// Under other names, in other layouts. The network stays out: its names are those of PyTorch's layouts.
Chosen with_keras_names(Chosen chosen, const std::string& what) {
    const Architecture architecture =
        architecture_of(chosen, what, "Keras has names for the weights of one", "name the model, for instance m1/model, or leave --names out");
    chosen.arrays = keras_weights(architecture, chosen.arrays);
    chosen.architecture.clear();
    return chosen;
}

constexpr std::string_view kShareEnding = ".tar";

std::string counted(std::size_t number, std::string_view what) { return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s"); }

enum class Holds { Arrays, Model };  // Model: of an artifact with one model and more, the model is meant

struct Format {
    std::string_view ending;
    void (*write)(const fs::path& path, const Chosen& chosen, const ExportOptions& options);
    Holds holds = Holds::Arrays;
};
constexpr std::array kFormats{
    Format{".npy", [](const fs::path& path, const Chosen& chosen,
                      const ExportOptions& options) { write_npy(path, chosen.only(options.what, "npy")); }},
    Format{".npz", [](const fs::path& path, const Chosen& chosen, const ExportOptions&) { write_npz(path, chosen.arrays); }},
    Format{".csv", [](const fs::path& path, const Chosen& chosen,
                      const ExportOptions& options) { write_columns(path, chosen, options.what); }},
    Format{".safetensors",
           [](const fs::path& path, const Chosen& chosen, const ExportOptions&) {
               std::map<std::string, std::string> metadata;
               if (!chosen.architecture.empty()) metadata.emplace(kArchitecture, chosen.architecture);
               write_safetensors(path, chosen.arrays, metadata);
           },
           Holds::Model},
    Format{".onnx",
           [](const fs::path& path, const Chosen& chosen, const ExportOptions& options) {
               write_bytes(path, onnx_of(chosen, options.what));
           },
           Holds::Model},
    Format{".png",
           [](const fs::path& path, const Chosen& chosen, const ExportOptions& options) {
               write_bytes(path, png_of_images(chosen.only(options.what, "png"), options.what, options.images));
           }},
};

const Format& format_of(const fs::path& file) {
    const std::string ending = lower(file.extension().string());
    const auto found = std::ranges::find(kFormats, ending, &Format::ending);
    if (found != kFormats.end()) return *found;
    std::vector<std::string_view> endings;
    for (const Format& format : kFormats) endings.push_back(format.ending);
    endings.push_back(kShareEnding);
    throw Error(ExitCode::Usage, fmt::format("'{}' has no ending of a format", printable(file.string())),
                fmt::format("one of {}", fmt::join(endings, ", ")));
}

void check_target(const ExportOptions& options) {
    std::error_code error;
    const fs::path target = fs::weakly_canonical(options.file, error);
    if (is_within(target, fs::weakly_canonical(options.store.store, error)))
        throw Error(ExitCode::Usage, fmt::format("'{}' lies in the store", printable(options.file)),
                    "name a file outside of it");
    if (fs::is_directory(target, error))
        throw Error(ExitCode::Usage, fmt::format("'{}' is a folder", printable(options.file)), "name a file");
    if (fs::exists(fs::symlink_status(options.file, error)) && !options.force)
        throw Error(ExitCode::Usage, fmt::format("'{}' exists already", printable(options.file)), "-f replaces it");
}

// `write` gets the path of a new file, which then gets the name that the user gave.
template <typename Write>
void write_then_rename(const std::string& file, Write write) {
    const fs::path partial = fmt::format("{}.partial-{}", file, ::getpid());
    std::error_code error;
    try {
        write(partial);
        fs::rename(partial, file);
    } catch (const FileError& failed) {
        fs::remove(partial, error);
        throw FileError(failed.number(), "write", file);
    } catch (const fs::filesystem_error& failed) {
        fs::remove(partial, error);
        throw FileError(failed.code().value(), "write", file);
    } catch (...) {
        fs::remove(partial, error);
        throw;
    }
}

ExitCode export_share(const ExportOptions& options) {
    check_is_store(options.store.store);
    check_target(options);
    OpenStore open(options.store.store, Access::ReadOnly);
    const StoreLock lock = StoreLock::shared(open.folder());
    const Share share = share_of(options.what, options.dag_name, options.store, open);
    write_then_rename(options.file, [&](const fs::path& partial) { write_share(partial, open, share); });
    std::error_code error;
    fmt::print("{}: {} and {}, {}\n", printable(options.file), counted(share.artifacts.size(), "artifact"),
               counted(share.runs.size(), "run record"), bytes_text(fs::file_size(options.file, error)));
    return ExitCode::Done;
}

ExitCode export_artifact(const ExportOptions& options) {
    if (lower(fs::path(options.file).extension().string()) == kShareEnding) return export_share(options);
    const Format& format = format_of(options.file);
    check_named_store(options.store);
    check_target(options);
    OpenStore open(options.store.store, Access::ReadOnly);
    ArtifactReferences references(options.store, options.dag_name, open);
    ArtifactRef found = references.find(options.what);
    const OpenArtifact artifact = open_artifact(found, open.files());
    const bool for_keras = options.names == "keras";
    if (for_keras && format.ending != ".npz" && format.ending != ".safetensors")
        throw Error(ExitCode::Usage, fmt::format("--names keras is for .npz and .safetensors, not for {}", format.ending), "leave it out");
    if ((for_keras || format.holds == Holds::Model) && found.tensor.empty()) found.tensor = model_port(artifact);
    const Chosen chosen = for_keras ? with_keras_names(chosen_of(found, artifact), options.what) : chosen_of(found, artifact);
    write_then_rename(options.file, [&](const fs::path& partial) { format.write(partial, chosen, options); });
    std::error_code error;
    fmt::print("{}: {} of {}, {}\n", printable(options.file),
               chosen.arrays.size() == 1 ? "one array" : fmt::format("{} arrays", chosen.arrays.size()),
               printable(options.what), bytes_text(fs::file_size(options.file, error)));
    return ExitCode::Done;
}

}  // namespace

void add_export_command(Command& program) {
    program.add_command<ExportOptions>(
        "export", "write what is in an artifact as a file for other programs",
        "Examples:\n"
        "  satdl export noisy@train/images images.npy\n"
        "  satdl export m1 m1.safetensors             its model, for PyTorch: "
        "module.load_state_dict(safetensors.torch.load_file(...))\n"
        "  satdl export m1 m1.onnx                    for onnxruntime, Netron, ...: the network with its weights\n"
        "  satdl export m1 m1.npz --names keras       for Keras: layer.set_weights([file[f\"{layer.name}/{w.name}\"] for w in layer.weights])\n"
        "  satdl export m1/history history.csv        a column each\n"
        "  satdl export evaluate_m2 all.npz           every array\n"
        "  satdl export noisy@train/images grid.png --images 16\n"
        "  satdl export m1 m1.tar                     with all that it was made of, for another store: satdl import m1.tar\n"
        "The ending says the format: .npy (one array), .npz, .csv (a table, or columns), .safetensors, .onnx (a model), .png "
        "(images, as a grid), .tar (a stage, a DAG by its name, or a run by its id, to be imported into another store).",
        [](Command& command, ExportOptions& options) {
            command.add_option("what", options.what, kArtifactReference).required().type_name("WHAT");
            command.add_option("file", options.file, "the file to write").required().type_name("FILE");
            command.add_option("--images", options.images, "how many images of a tensor a .png has, at most")
                .in_range(1, 10000)
                .show_default();
            command.add_option("--names", options.names, "whose names and layouts the weights of a model have, in .npz and .safetensors")
                .one_of({"torch", "keras"})
                .show_default();
            command
                .add_option("--dag", options.dag_name, "the name of a DAG that ran before; default: the one that ran last")
                .type_name("NAME");
            command.add_flag("-f,--force", options.force, "replace the file if there is one");
            add_store_options(command, options.store);
        },
        export_artifact);
}

}  // namespace satdl
