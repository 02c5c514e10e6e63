#include "pipeline/executors/worker_protocol.h"

#include <algorithm>
#include <new>
#include <stdexcept>

namespace satdl {
namespace {

Cbor to_cbor(const ConfigValue& value) {
    switch (value.kind()) {
        case ConfigValue::Kind::Null: return nullptr;
        case ConfigValue::Kind::Scalar: return {{"text", value.text()}, {"quoted", value.quoted()}};
        case ConfigValue::Kind::List: {
            Cbor items = Cbor::array();
            for (const ConfigValue& item : value.items()) items.push_back(to_cbor(item));
            return {{"items", std::move(items)}};
        }
        case ConfigValue::Kind::Map: break;
    }
    Cbor entries = Cbor::array();
    for (const ConfigValue::Entry& entry : value.entries()) entries.push_back(Cbor::array({entry.key, to_cbor(entry.value)}));
    return {{"entries", std::move(entries)}};
}

ConfigValue value_from(const Cbor& json) {
    if (json.is_null()) return ConfigValue::null();
    if (json.contains("text")) return ConfigValue::scalar(json.at("text"), json.at("quoted"));
    if (json.contains("items")) {
        std::vector<ConfigValue> items;
        for (const Cbor& item : json.at("items")) items.push_back(value_from(item));
        return ConfigValue::list(std::move(items));
    }
    std::vector<ConfigValue::Entry> entries;
    for (const Cbor& entry : json.at("entries")) entries.push_back({entry.at(0), {}, value_from(entry.at(1))});
    return ConfigValue::map(std::move(entries));
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

// The description goes as a manifest of one stage.
Cbor to_cbor(const CatalogEntry& stage) {
    const StageLibraryInfo info{"one", stage.numerics, {{stage.description, nullptr}}};
    Cbor json = {{"library", stage.library.string()}, {"manifest", manifest_json(info, stage.library_digest)}, {"identity", nullptr}};
    if (const auto& id = stage.identity)
        json["identity"] = {id->device, id->inode, id->bytes, id->modified_nanoseconds, id->changed_nanoseconds};
    return json;
}

CatalogEntry stage_from(const Cbor& json) {
    LibraryManifest manifest = parse_manifest(json.at("manifest"), "the job");
    CatalogEntry stage;
    stage.description = std::move(manifest.stages.at(0));
    stage.library = json.at("library").get<std::string>();
    stage.numerics = std::move(manifest.numerics);
    stage.library_digest = manifest.library_digest;
    if (const Cbor& id = json.at("identity"); !id.is_null()) stage.identity = FileStamp{id.at(0), id.at(1), id.at(2), id.at(3), id.at(4)};
    return stage;
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
    for (const auto& [name, value] : job.params.values()) params[name] = to_cbor(value);
    Cbor files = Cbor::array();
    for (const SourceFile& file : job.files) files.push_back(to_cbor(file));
    return {{"stage", to_cbor(job.stage)},
            {"params", std::move(params)},
            {"threads", job.threads},
            {"bf16", job.precision == Precision::Bf16},
            {"cuda", job.device == Device::Cuda},
            {"files", std::move(files)},
            {"inputs", to_cbor(job.inputs)}};
}

NodeJob job_from(const Cbor& json, UniqueFd file) {
    std::map<std::string, ConfigValue> params;
    for (const auto& [name, value] : json.at("params").items()) params.emplace(name, value_from(value));
    NodeJob job{stage_from(json.at("stage")), Params(std::move(params)), json.at("threads"),
                json.at("bf16").get<bool>() ? Precision::Bf16 : Precision::Fp32,
                json.at("cuda").get<bool>() ? Device::Cuda : Device::Cpu, {}, groups_from(json.at("inputs"), std::move(file))};
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

void throw_again(const Cbor& json) {
    const std::string type = json.at("type");
    if (type == "stopped") throw Stopped{};
    if (type == "error") throw error_from(json);
    if (type == "bad_alloc") throw std::bad_alloc();
    if (type == "exception") throw std::runtime_error(json.at("words").get<std::string>());
    throw NoException{};
}

}  // namespace satdl
