// To JSON and back. Reading trusts nothing: the digest is checked before the JSON is parsed, and then
// every number against the file's length, so that no reader can be led outside the file.
#include "pipeline/store/artifact_header.h"

#include "pipeline/core/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace satdl {
namespace {

constexpr std::string_view kMagic = "satdl-object-1\n";
constexpr std::size_t kPrefixBytes = kMagic.size() + 64 + 1;  // magic, digest in hex, newline
constexpr std::size_t kFirstRead = 4096;
constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 20;

// What parsing throws; only the message goes into a DamagedArtifact.
struct Impossible {
    std::string what;
};

double number_from(const Json& json) {
    if (json.is_number()) return json.get<double>();
    const auto& text = json.get_ref<const std::string&>();
    if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (text != "inf" && text != "-inf") throw Impossible{"a metric is not a number"};
    return text == "inf" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}

Json tensor_json(const TensorRecord& tensor) {
    return {{"port", tensor.port},
            {"name", tensor.name},
            {"dtype", name_of(tensor.dtype)},
            {"shape", tensor.shape},
            {"digest", tensor.digest.hex()},
            {"offset", tensor.offset}};
}

Json header_json(const ArtifactHeader& header) {
    Json json;
    json["key"] = header.key.hex();
    json["recipe"] = Json::array();
    for (const auto& [name, value] : header.recipe) json["recipe"].push_back({name, value});
    json["ports"] = Json::object();
    for (const auto& [port, kind] : header.ports) {
        json["ports"][port] = {{"kind", name_of(kind)}, {"digest", header.port_digests.at(port).hex()}};
    }
    json["tensors"] = Json::array();
    for (const TensorRecord& tensor : header.tensors) json["tensors"].push_back(tensor_json(tensor));
    json["metrics"] = Json::object();
    for (const auto& [port, metrics] : header.metrics) {
        json["metrics"][port] = Json::object();
        for (const auto& [name, value] : metrics) json["metrics"][port][name] = number_to_json(value);
    }
    json["tables"] = Json::array();
    for (const Table& table : header.tables) json["tables"].push_back(table_to_json(table));
    if (!header.warnings.empty()) json["warnings"] = header.warnings;
    json["file_bytes"] = header.file_bytes;
    json["user_block_bytes"] = header.user_block_bytes;
    json["metadata"] = header.metadata;
    json["metadata_digest"] = header.metadata_digest.hex();
    return json;
}

std::uint64_t unsigned_from(const Json& json) {
    if (!json.is_number_unsigned()) throw Impossible{"a number is invalid"};
    return json.get<std::uint64_t>();
}

Digest digest_from(const Json& json) {
    const auto digest = Digest::from_hex(json.get_ref<const std::string&>());
    if (!digest) throw Impossible{"a digest is invalid"};
    return *digest;
}

PortKind port_kind_from(const Json& json) {
    for (const PortKind kind : {PortKind::Array, PortKind::Model, PortKind::Metrics, PortKind::History, PortKind::Arrays,
                                PortKind::File, PortKind::Folder}) {
        if (json == name_of(kind)) return kind;
    }
    throw Impossible{"a port has an unknown kind"};
}

TensorRecord tensor_from(const Json& json) {
    TensorRecord tensor;
    tensor.port = json.at("port").get<std::string>();
    tensor.name = json.at("name").get<std::string>();
    const auto dtype = dtype_from_name(json.at("dtype").get_ref<const std::string&>());
    if (!dtype) throw Impossible{"a tensor has an unknown element type"};
    tensor.dtype = *dtype;
    for (const Json& extent : json.at("shape")) {
        const std::uint64_t value = unsigned_from(extent);
        if (value > std::uint64_t{1} << 62) throw Impossible{"a tensor is impossibly large"};
        tensor.shape.push_back(static_cast<std::int64_t>(value));
    }
    tensor.digest = digest_from(json.at("digest"));
    tensor.offset = unsigned_from(json.at("offset"));
    return tensor;
}

ArtifactHeader header_from(const Json& json) {
    ArtifactHeader header;
    header.key = digest_from(json.at("key"));
    for (const Json& part : json.at("recipe")) {
        header.recipe.push_back({part.at(0).get<std::string>(), part.at(1).get<std::string>()});
    }
    for (const auto& [port, value] : json.at("ports").items()) {
        header.ports.emplace(port, port_kind_from(value.at("kind")));
        header.port_digests.emplace(port, digest_from(value.at("digest")));
    }
    for (const Json& tensor : json.at("tensors")) header.tensors.push_back(tensor_from(tensor));
    for (const auto& [port, metrics] : json.at("metrics").items()) {
        for (const auto& [name, value] : metrics.items()) header.metrics[port][name] = number_from(value);
    }
    for (const Json& table : json.at("tables")) header.tables.push_back(table_from_json(table));
    if (json.contains("warnings")) header.warnings = json.at("warnings").get<std::vector<std::string>>();
    header.file_bytes = unsigned_from(json.at("file_bytes"));
    header.user_block_bytes = unsigned_from(json.at("user_block_bytes"));
    for (const Json& extent : json.at("metadata")) {
        header.metadata.emplace_back(unsigned_from(extent.at(0)), unsigned_from(extent.at(1)));
    }
    header.metadata_digest = digest_from(json.at("metadata_digest"));
    return header;
}

// Every piece is in the file, after the user block, and none overlap.
void check_layout(const ArtifactHeader& header) {
    if (header.user_block_bytes < kMinUserBlock || !std::has_single_bit(header.user_block_bytes) ||
        header.text_bytes > header.user_block_bytes || header.user_block_bytes > header.file_bytes) {
        throw Impossible{"its user block has an impossible size"};
    }
    std::vector<std::pair<std::uint64_t, std::uint64_t>> pieces = header.metadata;
    for (const TensorRecord& tensor : header.tensors) {
        if (!header.ports.contains(tensor.port)) throw Impossible{"a tensor belongs to no port"};
        if (static_cast<std::uint64_t>(element_count(tensor.shape)) > header.file_bytes) {
            throw Impossible{"a tensor is larger than the file"};
        }
        if (tensor.offset % kMinUserBlock != 0) throw Impossible{"a tensor is not aligned"};
        pieces.emplace_back(tensor.offset, tensor.bytes());
    }
    std::ranges::sort(pieces);
    std::uint64_t end = header.user_block_bytes;
    for (const auto& [offset, bytes] : pieces) {
        if (offset < end || offset > header.file_bytes || bytes > header.file_bytes - offset) {
            throw Impossible{"its parts overlap or extend beyond the file"};
        }
        end = offset + bytes;
    }
}

// The header's bytes: at least up to the newline that ends its JSON, unless the file ends before.
std::string read_start(File& file) {
    std::string text = file.read(0, kFirstRead);
    const auto is_cut = [&] { return text.size() >= kFirstRead && text.find('\n', kPrefixBytes) == std::string::npos; };
    while (is_cut() && text.size() < kMaxHeaderBytes) {
        const std::string more = file.read(text.size(), text.size());
        if (more.empty()) break;
        text += more;
    }
    return text;
}

ArtifactHeader parse(std::string_view text, std::optional<std::uint64_t> file_bytes) {
    if (!text.starts_with(kMagic) || text.size() < kPrefixBytes || text[kPrefixBytes - 1] != '\n') {
        throw Impossible{"it does not begin like an artifact of satdl"};
    }
    const std::size_t end = text.find('\n', kPrefixBytes);
    if (end == std::string_view::npos) throw Impossible{"its header is incomplete"};
    const std::string_view rest = text.substr(kPrefixBytes, end + 1 - kPrefixBytes);
    if (sha256(rest).hex() != text.substr(kMagic.size(), 64)) {
        throw Impossible{"its header does not match its digest"};
    }
    ArtifactHeader header = header_from(Json::parse(rest));
    if (file_bytes && header.file_bytes != *file_bytes) {
        throw Impossible{fmt::format("it has {} bytes, but was written with {}", *file_bytes, header.file_bytes)};
    }
    header.text_bytes = end + 1;
    check_layout(header);
    if (key_of(header.recipe) != header.key) throw Impossible{"its recipe does not match its key"};
    return header;
}

}  // namespace

std::uint64_t TensorRecord::bytes() const {
    return static_cast<std::uint64_t>(element_count(shape)) * size_of(dtype);
}

std::string TensorRecord::path() const {
    return name.empty() ? port : port + "/" + name;
}

std::string header_text(const ArtifactHeader& header) {
    try {
        const std::string rest = header_json(header).dump() + "\n";
        return fmt::format("{}{}\n{}", kMagic, sha256(rest).hex(), rest);
    } catch (const Json::type_error&) {
        throw Error(ExitCode::Store, "a name or a text in the output is not UTF-8");
    }
}

ArtifactHeader header_from_text(std::string_view text, std::optional<std::uint64_t> file_bytes, const std::filesystem::path& name) {
    try {
        return parse(text, file_bytes);
    } catch (const Impossible& impossible) {
        throw DamagedArtifact(name, impossible.what);
    } catch (const Json::exception&) {
        throw DamagedArtifact(name, "its header is not the expected JSON");
    } catch (const Error&) {  // a shape that overflows
        throw DamagedArtifact(name, "its header is inconsistent");
    }
}

ArtifactHeader read_header(File& file) {
    const std::uint64_t file_bytes = file.stamp().bytes;
    return header_from_text(read_start(file), file_bytes, file.path());
}

ArtifactHeader read_header(FileSystem& files, const std::filesystem::path& path) { return read_header(*files.open(path)); }

}  // namespace satdl
