// One artifact as bytes: an HDF5 file whose user block carries satdl's own header.
//
//   [0, user block)   "satdl-object-1\n" ++ SHA-256 of the rest of the header in hex ++ "\n" ++ JSON ++ "\n", then zeros
//   [user block, ..)  a plain HDF5 file: h5ls, h5dump and h5py read it, they skip the user block by themselves
//
// The header holds what satdl needs: key, recipe, each tensor's place, type, shape and digest, the metrics, the tables, the
// warnings, and the SHA-256 of HDF5's own metadata. So planning and reading never parse HDF5 (whose parser has a long list of CVEs and
// takes 5 ms to load): a reader checks the header's digest, maps the file, and checks each tensor's. Every byte of the file
// is covered: header, metadata, tensors by digests; gaps must be zero.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pipeline/hdf5/hdf5_layout.h"
#include "pipeline/os/file_system.h"
#include "pipeline/stage.h"
#include "pipeline/store/artifact_header.h"
#include "pipeline/store/recipe.h"

namespace satdl {

// All that is known of an output before HDF5 has placed anything: no offsets, no sizes, no metadata. The arrays' digests
// are computed here. Precondition: the output matches the description. Throws Error{Store} for names that HDF5 cannot hold.
[[nodiscard]] ArtifactHeader describe_artifact(const Recipe& recipe, const StageDescription& description,
                                           const StageOutput& outcome);

// An artifact ready to be written: a pure function of its content.
struct ArtifactImage {
    ArtifactImage() = default;
    ArtifactImage(ArtifactImage&&) = default;  // no copies: `extents` would still look into the original
    ArtifactImage& operator=(ArtifactImage&&) = default;

    ArtifactHeader header;
    std::string header_bytes;
    Hdf5Layout layout;
    std::vector<Extent> extents;  // header, metadata and tensors: views into this image and into the outcome's arrays
};

// As describe_artifact, and for texts that are not UTF-8. The outcome must outlive the image.
[[nodiscard]] ArtifactImage make_artifact(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome,
                                      Hdf5LayoutFunction layout);

// Every byte against its digest, gaps against zero; but for the header itself, whose digest read_header() has checked: printing it again
// to compare the bytes would tell no more, and would take a header for damaged that another version of the JSON library has written.
// Throws DamagedArtifact naming the tensor.
void verify_artifact(const ArtifactHeader& header, std::span<const std::byte> file, const std::filesystem::path& path);
// The outcome, its arrays views into `file`.
[[nodiscard]] StageOutput view_artifact(const ArtifactHeader& header, const MappedFile& file);

}  // namespace satdl
