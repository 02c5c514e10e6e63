// What a description holds is listed once (visit), for writing and reading alike. The JSON is
// compact, and what equals its default is left out, since every run reads the built-in manifest; it is read strictly, so
// that one of another version is rejected as such and never half understood.
#include "pipeline/catalog/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>
#include <utility>

#include "pipeline/catalog/stage_rules.h"
#include "pipeline/os/special_file.h"

namespace satdl {
namespace {

using Json = nlohmann::json;

constexpr int kManifestFormat = 2;
constexpr ParamType kParamTypes[] = {ParamType::Integer, ParamType::Number, ParamType::Boolean,
                                     ParamType::Text,    ParamType::Choice, ParamType::Network,
                                     ParamType::Dataset, ParamType::File,   ParamType::Threads,
                                     ParamType::Numbers, ParamType::Precision, ParamType::Device,
                                     ParamType::Folder};
constexpr PortKind kPortKinds[] = {PortKind::Array, PortKind::Model, PortKind::Metrics, PortKind::History,
                                    PortKind::Arrays, PortKind::File, PortKind::Folder};
constexpr PortRole kPortRoles[] = {PortRole::Images,         PortRole::Labels,   PortRole::Predictions, PortRole::NoisyImages,
                                   PortRole::DenoisedImages, PortRole::Baseline, PortRole::Candidate,   PortRole::BaselineTraining,
                                   PortRole::CandidateTraining};
constexpr DType kDTypes[] = {DType::UInt8, DType::Int32, DType::Int64, DType::Float32, DType::Float64};

using NameAndVersion = std::pair<std::string, std::string>;

struct Manifest {
    int format = kManifestFormat;
    int abi = kStageAbi;
    std::string library_sha256;  // in hex
    std::string name;
    std::vector<NameAndVersion> numerics;
    bool finds_gpus = false;
    std::vector<StageDescription> stages;
};

// required(key, field): always written; optional(key, field, fallback): omitted if it equals the fallback.

template <typename Archive>
void visit(Archive& archive, ParamDescription::Condition& need) {
    archive.required("param", need.param);
    archive.optional("values", need.values);
}

template <typename Archive>
void visit(Archive& archive, ParamDescription::RowFraction& fraction) {
    archive.required("of", fraction.of);
    archive.optional("rounded_up", fraction.rounded_up);
}

template <typename Archive>
void visit(Archive& archive, ParamDescription& param) {
    archive.required("name", param.name);
    archive.required("type", param.type);
    archive.optional("default", param.fallback);
    archive.optional("min", param.min);
    archive.optional("max", param.max);
    archive.optional("choices", param.choices);
    archive.optional("unit", param.unit);
    archive.optional("help", param.help);
    archive.optional("changes_result", param.changes_result, true);
    archive.optional("in_key_at_default", param.in_key_at_default, true);
    archive.optional("needs", param.needs);
    archive.optional("excludes", param.excludes);
    archive.optional("below", param.below);
    archive.optional("at_most_rows_of", param.at_most_rows_of);
    archive.optional("row_fraction", param.row_fraction);
    archive.optional("metric_of", param.metric_of);
    archive.optional("label_of", param.label_of);
    archive.optional("smoke_min", param.smoke_min);
    archive.optional("smoke_max", param.smoke_max);
    archive.optional("continues", param.continues);
    archive.optional("continues_unless", param.continues_unless);
}

template <typename Archive>
void visit(Archive& archive, PortDescription::ModelRule& rule) {
    archive.required("net", rule.net);
    archive.optional("input", rule.input);
    archive.optional("base", rule.base);
    archive.optional("until", rule.until);
    archive.optional("freeze", rule.freeze);
    archive.optional("file", rule.file);
    archive.optional("sample", rule.sample);
    archive.optional("names", rule.names);
}

template <typename Archive>
void visit(Archive& archive, PortDescription::MetricsRule& rule) {
    archive.optional("names", rule.names);
    archive.optional("if_connected", rule.if_connected);
    archive.optional("of_loss", rule.of_loss);
    archive.optional("training", rule.training);
    archive.optional("validation", rule.validation);
    archive.optional("fraction", rule.fraction);
    archive.optional("also_under", rule.also_under);
    archive.optional("pairs", rule.pairs);
}

template <typename Archive>
void visit(Archive& archive, PortDescription& port) {
    const PortDescription fallback;
    archive.required("name", port.name);
    archive.optional("kind", port.kind, fallback.kind);
    archive.optional("dtypes", port.dtypes);
    archive.optional("dtype_of", port.dtype_of);
    archive.optional("uint8_scale", port.uint8_scale);
    archive.optional("shape", port.shape, fallback.shape);
    archive.optional("model", port.model);
    archive.optional("metrics", port.metrics);
    archive.optional("optional", port.optional);
    archive.optional("help", port.help);
    archive.optional("role", port.role, fallback.role);
}

template <typename Archive>
void visit(Archive& archive, LossRule& rule) {
    archive.required("loss", rule.loss);
    archive.required("model", rule.model);
    archive.required("target", rule.target);
    archive.optional("validation_target", rule.validation_target);
    archive.optional("class_weights", rule.class_weights);
}

template <typename Archive>
void visit(Archive& archive, StageDescription& stage) {
    const StageDescription fallback;
    archive.required("kind", stage.kind);
    archive.required("version", stage.version);
    archive.optional("help", stage.help);
    archive.optional("inputs", stage.inputs);
    archive.optional("outputs", stage.outputs);
    archive.optional("params", stage.params);
    archive.optional("loss", stage.loss);
    archive.optional("numeric", stage.numeric);
    archive.optional("memory_fixed_bytes", stage.memory_fixed_bytes, fallback.memory_fixed_bytes);
    archive.optional("memory_per_input_byte", stage.memory_per_input_byte, fallback.memory_per_input_byte);
    archive.optional("memory_per_output_byte", stage.memory_per_output_byte, fallback.memory_per_output_byte);
    archive.optional("large_outputs_in_files", stage.large_outputs_in_files, fallback.large_outputs_in_files);
    archive.optional("batch_size", stage.batch_size);
}

template <typename Archive>
void visit(Archive& archive, Manifest& manifest) {
    archive.required("satdl_manifest", manifest.format);
    archive.required("abi", manifest.abi);
    archive.required("library_sha256", manifest.library_sha256);
    archive.required("name", manifest.name);
    archive.optional("numerics", manifest.numerics);
    archive.optional("finds_gpus", manifest.finds_gpus);
    archive.required("stages", manifest.stages);
}

class Writer {
public:
    template <typename T>
    [[nodiscard]] static Json json(T& item) {
        Writer writer;
        visit(writer, item);
        return std::move(writer.object_);
    }

    template <typename T>
    void required(const char* key, T& field) {
        object_[key] = of(field);
    }
    template <typename T>
    void optional(const char* key, T& field, const T& fallback = {}) {
        if (field != fallback) required(key, field);
    }

private:
    template <typename T>
    static Json of(T& field) {
        if constexpr (std::is_enum_v<T>) return name_of(field);
        else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string> || std::is_same_v<T, NameAndVersion>)
            return field;
        else return json(field);
    }
    template <typename T>
    static Json of(std::optional<T>& field) {
        return of(*field);
    }
    template <typename T>
    static Json of(std::vector<T>& field) {
        Json list = Json::array();
        for (T& item : field) list.push_back(of(item));
        return list;
    }

    Json object_ = Json::object();
};

// What is wrong with a manifest's JSON; grows from the inside out: "stages[2].params[0]: unknown key 'tpye'".
struct Fault {
    std::string where;
    std::string what;
};

// The keys that an object may have.
class KnownKeys {
public:
    template <typename T>
    void required(std::string_view key, T&) {
        keys_.push_back(key);
    }
    template <typename T>
    void optional(std::string_view key, T&, const T& = {}) {
        keys_.push_back(key);
    }
    [[nodiscard]] bool contains(std::string_view key) const { return std::ranges::find(keys_, key) != keys_.end(); }

private:
    std::vector<std::string_view> keys_;
};

class Reader {
public:
    template <typename T>
    static void object(const Json& json, T& item) {
        if (!json.is_object()) throw Fault{"", "expected an object"};
        Reader reader(json);
        visit(reader, item);
        if (reader.found_ != json.size()) throw Fault{"", fmt::format("unknown key '{}'", printable(unknown_key(json, item)))};
    }

    template <typename T>
    void required(std::string_view key, T& field) {
        if (!read_if_there(key, field)) throw Fault{"", fmt::format("'{}' is missing", key)};
    }
    template <typename T>
    void optional(std::string_view key, T& field, const T& = {}) {
        (void)read_if_there(key, field);
    }

private:
    explicit Reader(const Json& object) : object_(object) {}

    template <typename T>
    static std::string unknown_key(const Json& json, T& item) {
        KnownKeys known;
        visit(known, item);
        for (const auto& [key, value] : json.items())
            if (!known.contains(key)) return key;
        return {};
    }

    template <typename T>
    bool read_if_there(std::string_view key, T& field) {
        const auto found = object_.find(key);
        if (found == object_.end()) return false;
        ++found_;
        try {
            read(*found, field);
        } catch (const Fault& fault) {
            throw Fault{fmt::format(".{}{}", key, fault.where), fault.what};
        }
        return true;
    }
    template <typename T>
    static void read_element(const Json& list, std::size_t i, T& field) {
        try {
            read(list[i], field);
        } catch (const Fault& fault) {
            throw Fault{fmt::format("[{}]{}", i, fault.where), fault.what};
        }
    }
    template <typename T>
    static void read(const Json& json, T& field) {
        if constexpr (std::is_enum_v<T>) read_name(json, field);
        else object(json, field);
    }
    template <typename T>
    static void read(const Json& json, std::optional<T>& field) {
        T value{};
        read(json, value);
        field = std::move(value);
    }
    template <typename T>
    static void read(const Json& json, std::vector<T>& field) {
        if (!json.is_array()) throw Fault{"", "expected a list"};
        field.resize(json.size());
        for (std::size_t i = 0; i < json.size(); ++i) read_element(json, i, field[i]);
    }
    static void read(const Json& json, NameAndVersion& field) {
        if (!json.is_array() || json.size() != 2) throw Fault{"", "expected a pair"};
        read_element(json, 0, field.first);
        read_element(json, 1, field.second);
    }
    static void read(const Json& json, std::string& field) {
        if (!json.is_string()) throw Fault{"", "expected a text"};
        field = json.get_ref<const std::string&>();
    }
    static void read(const Json& json, bool& field) {
        if (!json.is_boolean()) throw Fault{"", "expected true or false"};
        field = json.get<bool>();
    }
    static void read(const Json& json, double& field) {
        if (!json.is_number()) throw Fault{"", "expected a number"};
        field = json.get<double>();
    }
    static void read(const Json& json, std::int64_t& field) {
        if (!json.is_number_integer()) throw Fault{"", "expected an integer"};
        field = json.get<std::int64_t>();
    }
    static void read(const Json& json, int& field) {
        std::int64_t number = 0;
        read(json, number);
        if (number < 0 || number > 1'000'000'000) throw Fault{"", "is out of range"};
        field = static_cast<int>(number);
    }
    template <typename T>
    static void read_name(const Json& json, T& field) {
        std::string name;
        read(json, name);
        const auto pick = [&](const auto& all) {
            const auto found = std::ranges::find(all, name, [](T one) { return name_of(one); });
            if (found == std::end(all)) throw Fault{"", fmt::format("'{}' is unknown", printable(name))};
            field = *found;
        };
        if constexpr (std::is_same_v<T, ParamType>) pick(kParamTypes);
        else if constexpr (std::is_same_v<T, PortKind>) pick(kPortKinds);
        else if constexpr (std::is_same_v<T, PortRole>) pick(kPortRoles);
        else pick(kDTypes);
    }

    const Json& object_;
    std::size_t found_ = 0;  // how many of its keys are known
};

Error bad_manifest(const std::filesystem::path& file, const std::string& what) {
    return Error(ExitCode::Store, fmt::format("{} is not a valid manifest of a stage library: {}", printable(file.string()), printable(what)),
                 "rebuild the library: this also rewrites its manifest");
}

std::string text_of(const std::filesystem::path& file) {
    check_is_regular(file);
    std::ifstream stream(file, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(stream), {});
    if (stream.bad() || !stream.is_open()) {
        throw Error(ExitCode::Store, fmt::format("cannot read the manifest {}: {}", printable(file.string()), std::strerror(errno)),
                    "run `satdl-manifest LIBRARY.so` to write it next to the library");
    }
    return text;
}

}  // namespace

std::string manifest_json(const StageLibraryInfo& info, const Digest& library) {
    Manifest manifest;
    manifest.library_sha256 = library.hex();
    manifest.name = info.name;
    manifest.numerics = info.numerics;
    manifest.finds_gpus = info.find_gpu != nullptr;
    for (const StageEntry& stage : info.stages) {
        const StageDescription& description = stage.description;
        if (const auto fault = fault_of(description))
            throw Error(ExitCode::Store, fmt::format("stage '{}' of library '{}': {}", description.kind, info.name, *fault));
        manifest.stages.push_back(description);
    }
    try {
        return Writer::json(manifest).dump() + "\n";
    } catch (const Json::exception& error) {  // a text that is not UTF-8
        throw Error(ExitCode::Store, fmt::format("library '{}' cannot be described as JSON: {}", info.name, error.what()));
    }
}

std::filesystem::path manifest_of(std::filesystem::path library) { return library.replace_extension(".json"); }

LibraryManifest read_manifest(const std::filesystem::path& json_file) {
    const auto identity = real_file_system()->stamp(json_file);
    LibraryManifest read = parse_manifest(text_of(json_file), json_file);
    read.manifest_identity = identity;
    read.identity = real_file_system()->stamp(read.library);
    return read;
}

LibraryManifest parse_manifest(const std::string& json_text, const std::filesystem::path& json_file) {
    Manifest manifest;
    try {
        const Json json = Json::parse(json_text);
        const Json format = json.is_object() ? json.value("satdl_manifest", Json()) : Json();
        if (format != kManifestFormat)
            throw Fault{"", fmt::format("expected format {}, found {}", kManifestFormat, format.dump())};
        Reader::object(json, manifest);
    } catch (const Json::exception& error) {
        throw bad_manifest(json_file, error.what());
    } catch (const Fault& fault) {
        throw bad_manifest(json_file, fault.where.empty() ? fault.what : fault.where.substr(1) + ": " + fault.what);
    }
    if (manifest.abi != kStageAbi)
        throw bad_manifest(json_file, fmt::format("it was built for stage ABI {}, but this satdl needs {}", manifest.abi, kStageAbi));
    const auto digest = Digest::from_hex(manifest.library_sha256);
    if (!digest) throw bad_manifest(json_file, "'library_sha256' is not a SHA-256");
    LibraryManifest read;
    read.library_digest = *digest;
    read.library = json_file;
    read.library.replace_extension(".so");
    read.name = std::move(manifest.name);
    read.numerics = std::move(manifest.numerics);
    read.finds_gpus = manifest.finds_gpus;
    read.stages = std::move(manifest.stages);
    return read;
}

}  // namespace satdl
