// One artifact as bytes: an HDF5 file whose user block carries satdl's own header.
//
//   [0, user block)   "satdl-object-1\n" ++ SHA-256 of the rest of the header in hex ++ "\n" ++ JSON ++ "\n", then zeros
//   [user block, ..)  a plain HDF5 file: h5ls, h5dump and h5py read it, they skip the user block by themselves
//
// The header holds what satdl needs: key, recipe, each tensor's place, type, shape and digest, the metrics, the tables, and
// the SHA-256 of HDF5's own metadata. So planning and reading never parse HDF5 (whose parser has a long list of CVEs and
// takes 5 ms to load): a reader checks the header's digest, maps the file, and checks each tensor's. Every byte of the file
// is covered: header, metadata, tensors by digests; gaps must be zero.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pipeline/file_system.h"
#include "pipeline/fingerprint.h"
#include "pipeline/hdf5_layout.h"

namespace satdl {

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

struct ObjectHeader {
    Digest key;
    Recipe recipe;
    std::map<std::string, PortKind> ports;
    std::vector<TensorRecord> tensors;                        // by port, then name
    PortDigests port_digests;
    std::map<std::string, std::map<std::string, double>> metrics;  // of Metrics ports: port -> name -> value
    std::vector<Table> tables;
    std::uint64_t file_bytes = 0;
    std::uint64_t user_block_bytes = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> metadata;  // offset, bytes of HDF5's own extents
    Digest metadata_digest;                                         // SHA-256 over them, in order
};

// The header as it stands at the file's start, without the zeros that fill the user block.
[[nodiscard]] std::string header_text(const ObjectHeader& header);

// All that is known of an outcome before HDF5 has placed anything: no offsets, no sizes, no metadata. The arrays' digests
// are taken here. Precondition: the outcome fits the description. Throws Error{Store} for names that HDF5 cannot hold.
[[nodiscard]] ObjectHeader describe_object(const Recipe& recipe, const StageDescription& description,
                                           const Outcome& outcome);

// An artifact ready to be written: a pure function of its content.
struct ObjectImage {
    ObjectImage() = default;
    ObjectImage(ObjectImage&&) = default;  // no copies: `extents` would still look into the original
    ObjectImage& operator=(ObjectImage&&) = default;

    ObjectHeader header;
    std::string header_bytes;
    Hdf5Layout layout;
    std::vector<Extent> extents;  // header, metadata and tensors: views into this image and into the outcome's arrays
};

// As describe_object, and for texts that are not UTF-8. The outcome must outlive the image.
[[nodiscard]] ObjectImage make_object(const Recipe& recipe, const StageDescription& description, const Outcome& outcome,
                                      Hdf5LayoutFunction layout);

// What is wrong with an artifact's bytes.
class DamagedObject : public Error {
public:
    DamagedObject(const std::filesystem::path& path, const std::string& what);
};

// The header alone, from the file's first bytes: it has the digest that it says, it is the header of its own key, and what
// it says is possible. Throws DamagedObject; FileError where the file cannot be read.
[[nodiscard]] ObjectHeader read_header(FileSystem& files, const std::filesystem::path& path);
// Every byte against its digest, gaps against zero. Throws DamagedObject naming the tensor.
void verify_object(const ObjectHeader& header, std::span<const std::byte> file, const std::filesystem::path& path);
// The outcome, its arrays views into `file`.
[[nodiscard]] Outcome view_object(const ObjectHeader& header, const MappedFile& file);

}  // namespace satdl
