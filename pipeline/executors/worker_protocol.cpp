#include "pipeline/executors/worker_protocol.h"

#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>
#include <variant>

#include "pipeline/core/config_value.h"

namespace satdl {
namespace {

// A layer as [kind, name, {option: its text}].
Cbor to_cbor(const Network& network) {
    Cbor layers = Cbor::array();
    for (const Layer& layer : network.layers) {
        const LayerDescription& description = description_of(layer.spec);
        Cbor options = Cbor::object();
        for (const LayerOption& option : description.options) options[option.name] = option.get(layer.spec).text();
        layers.push_back(Cbor::array({description.kind, layer.name, std::move(options)}));
    }
    return layers;
}

Network network_from(const Cbor& json) {
    Network network;
    for (const Cbor& one : json) {
        const LayerDescription* description = find_layer_description(one.at(0).get<std::string>());
        if (description == nullptr) throw std::runtime_error("an unknown layer");
        Layer& layer = network.layers.emplace_back(Layer{one.at(1).get<std::string>(), description->defaults, {}});
        for (const LayerOption& option : description->options) {
            const auto text = one.at(2).at(option.name).get<std::string>();
            if (!option.set(layer.spec, ConfigValue::scalar(text))) throw std::runtime_error("a malformed option of a layer");
        }
    }
    return network;
}

// CBOR has the types of parameters itself, but for networks: a network is an object, and the only one.
struct ToCbor {
    Cbor operator()(std::monostate) const { return nullptr; }
    Cbor operator()(const std::shared_ptr<const Network>& network) const { return {{"layers", to_cbor(*network)}}; }
    Cbor operator()(const auto& plain) const { return plain; }
};

ParamValue param_from(const Cbor& json) {
    if (json.is_null()) return {};
    if (json.is_boolean()) return json.get<bool>();
    if (json.is_number_integer()) return json.get<std::int64_t>();
    if (json.is_number()) return json.get<double>();
    if (json.is_string()) return json.get<std::string>();
    if (json.is_array()) return json.get<std::vector<double>>();
    return std::make_shared<const Network>(network_from(json.at("layers")));
}

DType dtype_from(const Cbor& json) {
    const auto dtype = dtype_from_name(json.get<std::string>());
    if (!dtype) throw std::runtime_error("an unknown element type");
    return *dtype;
}

Digest digest_from(const Cbor& json) {
    const auto digest = Digest::from_hex(json.get<std::string>());
    if (!digest) throw std::runtime_error("a malformed digest");
    return *digest;
}

Cbor to_cbor(const SourceFile& file) {
    return {{"role", file.role},
            {"path", file.path.string()},
            {"dtype", name_of(file.dtype)},
            {"shape", file.shape},
            {"expected", file.expected ? Cbor(file.expected->hex()) : Cbor(nullptr)},
            {"dataset", file.dataset}};
}

SourceFile file_from(const Cbor& json) {
    SourceFile file;
    file.role = json.at("role");
    file.path = json.at("path").get<std::string>();
    file.dtype = dtype_from(json.at("dtype"));
    file.shape = json.at("shape").get<Shape>();
    if (!json.at("expected").is_null()) file.expected = digest_from(json.at("expected"));
    file.dataset = json.at("dataset");
    return file;
}

Cbor to_cbor(const std::optional<FileStamp>& stamp) {
    if (!stamp) return nullptr;
    return Cbor::array({stamp->device, stamp->inode, stamp->bytes, stamp->modified_nanoseconds, stamp->changed_nanoseconds});
}

std::optional<FileStamp> stamp_from(const Cbor& json) {
    if (json.is_null()) return std::nullopt;
    return FileStamp{json.at(0), json.at(1), json.at(2), json.at(3), json.at(4)};
}

// The line that a place is in is all of the text that an error shows.
Cbor to_cbor(const Place& place) {
    if (!place) return nullptr;
    return {{"name", place.source->name}, {"line", place.line}, {"column", place.column}, {"text", place.source->line(place.line)},
            {"origin", place.origin ? to_cbor(*place.origin) : Cbor(nullptr)}};
}

Place place_from(const Cbor& json) {
    if (json.is_null()) return {};
    const int line = std::clamp(json.at("line").get<int>(), 0, 1'000'000);
    const std::string before(static_cast<std::size_t>(std::max(line - 1, 0)), '\n');
    Place place{std::make_shared<const SourceText>(SourceText{json.at("name"), before + json.at("text").get<std::string>()}), line,
                json.at("column")};
    if (!json.at("origin").is_null()) place.origin = std::make_shared<const Place>(place_from(json.at("origin")));
    return place;
}

Cbor to_cbor(const Error& error) {
    Cbor found = Cbor::array();
    for (const Diagnostic& one : error.diagnostics())
        found.push_back({{"place", to_cbor(one.place)}, {"message", one.message}, {"hint", one.hint}});
    return {{"type", "error"}, {"code", static_cast<int>(error.code())}, {"found", std::move(found)}};
}

Error error_from(const Cbor& json) {
    std::vector<Diagnostic> found;
    for (const Cbor& one : json.at("found")) found.push_back({place_from(one.at("place")), one.at("message"), one.at("hint")});
    return Error(static_cast<ExitCode>(json.at("code").get<int>()), std::move(found));
}

struct NoException {};

}  // namespace

std::string packed(const Cbor& message) {
    std::string bytes;
    Cbor::to_cbor(message, bytes);
    return bytes;
}

Cbor unpacked(const std::string& bytes) { return Cbor::from_cbor(bytes); }

Cbor to_cbor(const NodeJob& job) {
    Cbor params = Cbor::object();
    for (const auto& [name, value] : job.params.values()) params[name] = std::visit(ToCbor(), value.data());
    Cbor files = Cbor::array();
    for (const SourceFile& file : job.files) files.push_back(to_cbor(file));
    return {{"kind", job.kind},
            {"library", job.library.string()},
            {"identity", to_cbor(job.identity)},
            {"manifest_identity", to_cbor(job.manifest_identity)},
            {"params", std::move(params)},
            {"threads", job.threads},
            {"precision", static_cast<int>(job.precision)},
            {"cuda", job.device == Device::Cuda},
            {"gpu", job.gpu},
            {"files", std::move(files)},
            {"inputs", to_cbor(job.inputs)}};
}

NodeJob job_from(const Cbor& json, UniqueFd file) {
    std::map<std::string, ParamValue> params;
    for (const auto& [name, value] : json.at("params").items()) params.emplace(name, param_from(value));
    NodeJob job;
    job.kind = json.at("kind");
    job.library = json.at("library").get<std::string>();
    job.identity = stamp_from(json.at("identity"));
    job.manifest_identity = stamp_from(json.at("manifest_identity"));
    job.params = Params(std::move(params));
    job.threads = json.at("threads");
    job.precision = static_cast<Precision>(json.at("precision").get<int>());
    job.device = json.at("cuda").get<bool>() ? Device::Cuda : Device::Cpu;
    job.gpu = json.at("gpu");
    job.inputs = groups_from(json.at("inputs"), std::move(file));
    for (const Cbor& one : json.at("files")) job.files.push_back(file_from(one));
    return job;
}

Cbor to_cbor(const SharedGroups& shared) {
    Cbor arrays = Cbor::array();
    for (const SharedArray& one : shared.arrays)
        arrays.push_back({{"port", one.port}, {"name", one.name}, {"dtype", name_of(one.dtype)}, {"shape", one.shape},
                          {"offset", one.offset}, {"digest", one.digest.hex()}});
    return {{"ports", shared.ports}, {"arrays", std::move(arrays)}};
}

SharedGroups groups_from(const Cbor& json, UniqueFd file) {
    SharedGroups shared{json.at("ports").get<std::vector<std::string>>(), {}, std::move(file)};
    for (const Cbor& one : json.at("arrays"))
        shared.arrays.push_back({one.at("port"), one.at("name"), dtype_from(one.at("dtype")), one.at("shape").get<Shape>(),
                                 one.at("offset"), digest_from(one.at("digest"))});
    return shared;
}

Cbor to_cbor(const std::vector<Table>& tables) {
    Cbor json = Cbor::array();
    for (const Table& table : tables)
        json.push_back({{"title", table.title}, {"columns", table.columns}, {"rows", table.rows}, {"notes", table.notes}});
    return json;
}

std::vector<Table> tables_from(const Cbor& json) {
    std::vector<Table> tables;
    for (const Cbor& one : json)
        tables.push_back({one.at("title"), one.at("columns").get<std::vector<std::string>>(),
                          one.at("rows").get<std::vector<std::vector<std::string>>>(), one.at("notes").get<std::vector<std::string>>()});
    return tables;
}

Cbor to_cbor(const Progress& progress) {
    return {{"epoch", progress.epoch}, {"epochs", progress.epochs},           {"step", progress.step},
            {"steps", progress.steps}, {"epoch_ended", progress.epoch_ended}, {"metrics", progress.metrics}};
}

Progress progress_from(const Cbor& json) {
    return {json.at("epoch"), json.at("epochs"), json.at("step"), json.at("steps"), json.at("epoch_ended"),
            json.at("metrics").get<std::vector<std::pair<std::string, double>>>()};
}

Cbor to_cbor(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const Stopped&) {
        return {{"type", "stopped"}};
    } catch (const Error& error) {
        return to_cbor(error);
    } catch (const std::bad_alloc&) {
        return {{"type", "bad_alloc"}};
    } catch (const std::exception& error) {
        return {{"type", "exception"}, {"words", error.what()}};
    } catch (...) {
        return {{"type", "other"}};
    }
}

void rethrow(const Cbor& json) {
    const std::string type = json.at("type");
    if (type == "stopped") throw Stopped{};
    if (type == "error") throw error_from(json);
    if (type == "bad_alloc") throw std::bad_alloc();
    if (type == "exception") throw std::runtime_error(json.at("words").get<std::string>());
    throw NoException{};
}

}  // namespace satdl
