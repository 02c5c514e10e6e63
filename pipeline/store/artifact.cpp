#include "pipeline/store/artifact.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "pipeline/os/sigbus_guard.h"

namespace satdl {
namespace {

using Attributes = std::vector<std::pair<std::string, std::string>>;

std::map<std::string, double> metrics_of(const NamedArrays& group) {
    std::map<std::string, double> metrics;
    for (const auto& [name, array] : group) {
        if (array.dtype() == DType::Float64 && array.count() == 1) metrics.emplace(name, array.values<double>()[0]);
    }
    return metrics;
}

// For people who open the file with h5py or h5dump; satdl reads only its own header.
Attributes root_attributes(const ArtifactHeader& header, const StageDescription& description) {
    nlohmann::ordered_json recipe = nlohmann::ordered_json::object();
    for (const auto& [name, value] : header.recipe) recipe[name] = value;
    return {{"satdl_key", header.key.hex()}, {"satdl_kind", description.kind}, {"satdl_recipe", recipe.dump()}};
}

std::vector<Hdf5Tensor> hdf5_tensors(const ArtifactHeader& header) {
    std::vector<Hdf5Tensor> tensors;
    for (const TensorRecord& tensor : header.tensors) {
        tensors.push_back({tensor.path(), tensor.dtype, tensor.shape, {{"sha256", tensor.digest.hex()}}});
    }
    return tensors;
}

void apply_layout(ArtifactHeader& header, const Hdf5Layout& layout) {
    for (std::size_t i = 0; i < header.tensors.size(); ++i) header.tensors[i].offset = layout.offsets[i];
    header.file_bytes = layout.file_bytes;
    header.metadata.clear();
    Sha256 digest;
    for (const auto& [offset, bytes] : layout.metadata) {
        header.metadata.emplace_back(offset, bytes.size());
        digest.update(bytes);
    }
    header.metadata_digest = digest.finish();
}

// Enough for the header whatever the offsets are, unless HDF5's metadata is in very many pieces.
std::uint64_t first_user_block(ArtifactHeader header) {
    constexpr std::uint64_t kWidest = ~std::uint64_t{0};
    for (TensorRecord& tensor : header.tensors) tensor.offset = kWidest;
    header.file_bytes = header.user_block_bytes = kWidest;
    header.metadata.assign(header.tensors.size() + 8, {kWidest, kWidest});
    return std::max(kMinUserBlock, std::bit_ceil(header_text(header).size()));
}

std::vector<Extent> extents_of(const ArtifactImage& image, const StageOutput& outcome) {
    std::vector<Extent> extents{{0, std::as_bytes(std::span(image.header_bytes))}};
    for (const auto& [offset, bytes] : image.layout.metadata) extents.push_back({offset, std::as_bytes(std::span(bytes))});
    for (const TensorRecord& tensor : image.header.tensors) {
        extents.push_back({tensor.offset, outcome.outputs.at(tensor.port).at(tensor.name).bytes()});
    }
    std::ranges::sort(extents, {}, &Extent::offset);
    return extents;
}

// The first byte is zero, and each equals the one before it.
bool all_zero(std::span<const std::byte> bytes) {
    if (bytes.empty()) return true;
    return bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

std::span<const std::byte> tensor_bytes(const TensorRecord& tensor, std::span<const std::byte> file) {
    return file.subspan(tensor.offset, tensor.bytes());
}

}  // namespace

ArtifactHeader describe_artifact(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) {
    ArtifactHeader header;
    header.key = key_of(recipe);
    header.recipe = recipe;
    header.tables = outcome.tables;
    header.warnings = outcome.warnings;
    for (const auto& [port, group] : outcome.outputs) {
        const PortDescription* const described = description.output(port);
        SATDL_CHECK(described != nullptr, "the outcome has a port that its description lacks: " + port);
        if (auto fault = fault_of_names(port, described->kind, group)) throw Error(ExitCode::Store, std::move(*fault));
        header.ports.emplace(port, described->kind);
        std::map<std::string, Digest> digests;
        for (const auto& [name, array] : group) {
            const Digest digest = array.digest();
            digests.emplace(name, digest);
            header.tensors.push_back({port, name, array.dtype(), array.shape(), digest, 0});
        }
        header.port_digests.emplace(port, port_digest(digests));
        if (described->kind == PortKind::Metrics) header.metrics.emplace(port, metrics_of(group));
    }
    return header;
}

ArtifactImage make_artifact(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome,
                        Hdf5LayoutFunction layout) {
    ArtifactImage image;
    image.header = describe_artifact(recipe, description, outcome);
    const auto tensors = hdf5_tensors(image.header);
    const auto attributes = root_attributes(image.header, description);
    for (std::uint64_t block = first_user_block(image.header);; block *= 2) {
        image.layout = layout(block, tensors, attributes);
        image.header.user_block_bytes = block;
        apply_layout(image.header, image.layout);
        image.header_bytes = header_text(image.header);
        image.header.text_bytes = image.header_bytes.size();
        if (image.header.text_bytes <= block) break;
    }
    image.extents = extents_of(image, outcome);
    return image;
}

DamagedArtifact::DamagedArtifact(const std::filesystem::path& path, const std::string& what)
    : Error(ExitCode::Store, fmt::format("the artifact '{}' is damaged: {}", printable(path.string()), what),
            "it is not used; the next run rebuilds it") {}

void verify_artifact(const ArtifactHeader& header, std::span<const std::byte> file, const std::filesystem::path& path) {
    const MappingWatch use(file);  // what is truncated now reads as zeros
    if (file.size() != header.file_bytes) {
        throw DamagedArtifact(path, fmt::format("it has {} bytes, but was written with {}", file.size(), header.file_bytes));
    }
    std::vector<std::pair<std::uint64_t, std::uint64_t>> pieces = header.metadata;
    pieces.emplace_back(0, header.text_bytes);

    Sha256 metadata;
    for (const auto& [offset, bytes] : header.metadata) metadata.update(file.subspan(offset, bytes));
    if (metadata.finish() != header.metadata_digest) {
        throw DamagedArtifact(path, "its HDF5 metadata does not match its digest");
    }
    for (const TensorRecord& tensor : header.tensors) {
        if (Array(tensor.dtype, tensor.shape, tensor_bytes(tensor, file), nullptr).digest() != tensor.digest) {
            throw DamagedArtifact(path, fmt::format("the tensor '{}' does not match its digest",
                                                  printable(tensor.path())));
        }
        pieces.emplace_back(tensor.offset, tensor.bytes());
    }

    std::ranges::sort(pieces);
    std::uint64_t end = 0;
    pieces.emplace_back(header.file_bytes, 0);
    for (const auto& [offset, bytes] : pieces) {
        const bool is_gap = all_zero(file.subspan(end, offset - end));
        if (!is_gap) throw DamagedArtifact(path, "the gaps between its parts are not zero");
        end = offset + bytes;
    }
}

StageOutput view_artifact(const ArtifactHeader& header, const MappedFile& file) {
    StageOutput outcome;
    outcome.tables = header.tables;
    outcome.warnings = header.warnings;
    for (const auto& [port, kind] : header.ports) outcome.outputs[port];
    for (const TensorRecord& tensor : header.tensors) {
        outcome.outputs.at(tensor.port)
            .emplace(tensor.name, Array(tensor.dtype, tensor.shape, tensor_bytes(tensor, file.bytes), file.owner));
    }
    return outcome;
}

}  // namespace satdl
