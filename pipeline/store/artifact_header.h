// The header of an artifact: all that satdl needs to know of it without parsing HDF5.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/os/file_system.h"
#include "pipeline/stage.h"
#include "pipeline/store/recipe.h"

namespace satdl {

inline constexpr std::uint64_t kMinUserBlock = 4096;  // bytes; also what the tensors are aligned to

struct TensorRecord {
    std::string port;
    std::string name;  // within the port's group; "" for an array port
    DType dtype = DType::UInt8;
    Shape shape;
    Digest digest;     // Array::digest()
    std::uint64_t offset = 0;
    [[nodiscard]] std::uint64_t bytes() const;
    [[nodiscard]] std::string path() const;  // in HDF5: "images", "model/conv_1.weight"
};

struct ArtifactHeader {
    Digest key;
    Recipe recipe;
    std::map<std::string, PortKind> ports;
    std::vector<TensorRecord> tensors;                        // by port, then name
    PortDigests port_digests;
    std::map<std::string, std::map<std::string, double>> metrics;  // of Metrics ports: port -> name -> value
    std::vector<Table> tables;
    std::vector<std::string> warnings;
    std::uint64_t text_bytes = 0;  // of header_text(): from there to the user block's end all is zero. Not part of the text
    std::uint64_t file_bytes = 0;
    std::uint64_t user_block_bytes = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> metadata;  // offset, bytes of HDF5's own extents
    Digest metadata_digest;                                         // SHA-256 over them, in order
};

// The header as at the file's start, without the zeros that fill the user block.
[[nodiscard]] std::string header_text(const ArtifactHeader& header);

// What is wrong with an artifact's bytes.
class DamagedArtifact : public Error {
public:
    DamagedArtifact(const std::filesystem::path& path, const std::string& what);
};

// The header alone, from the file's first bytes: it matches its digest, it is the header of its own key, and what
// it says is possible. Throws DamagedArtifact; FileError where the file cannot be read.
[[nodiscard]] ArtifactHeader read_header(File& file);
[[nodiscard]] ArtifactHeader read_header(FileSystem& files, const std::filesystem::path& path);  // for callers that need no more of the file
// The same from the text of a file that lies elsewhere and has `file_bytes`, if that is known; what follows the header is not looked at.
// `name`: for messages.
[[nodiscard]] ArtifactHeader header_from_text(std::string_view text, std::optional<std::uint64_t> file_bytes,
                                              const std::filesystem::path& name);

}  // namespace satdl
