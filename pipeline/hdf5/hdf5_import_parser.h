// The child's side of hdf5_import.h: parses the arrays of an untrusted HDF5 file. Runs in satdl-read-hdf5
// alone, within a sandbox.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "pipeline/core/array.h"

namespace satdl {

struct ImportSink {
    // Before the first byte; `stored_as_bytes`: what must be unpacked for the whole array, a measure of the work.
    std::function<void(DType dtype, const Shape& shape, std::uint64_t stored_as_bytes)> begin;
    std::function<void(std::span<const std::byte>)> bytes;  // empty: the elements are not wanted
};

// Refused, by Error{Store}: whatever leads to another file (external storage, external links, virtual datasets), filters that are neither
// HDF5's own nor h5py's lzf (they would be loaded as plug-ins), elements that are not numbers, and sizes that the file's own size does not
// justify. Values that were never written are the fill value, as in h5py.
void read_hdf5(const std::filesystem::path& file, std::uint64_t file_bytes, const std::string& name,
               std::optional<std::int64_t> limit, const ImportSink& sink);

// Every array of the file, in the order of its groups; `begin_name` before each. All are weighed before the first is read. Refused as well:
// links other than hard ones, which would lead to what is elsewhere or there already.
void read_every_hdf5(const std::filesystem::path& file, std::uint64_t file_bytes,
                     const std::function<void(const std::string& name)>& begin_name, const ImportSink& sink);

}  // namespace satdl
