// Several arrays by name in one file: .npz, .safetensors and HDF5, read; .npz, .safetensors, .npy and CSV, written.
//
// Safetensors: 8 bytes of length, a JSON header that gives each tensor's type, shape and place, then the bytes.
// (github.com/huggingface/safetensors, README, "Format")
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "pipeline/core/array.h"

namespace satdl {

// All arrays of a .npz, .safetensors or HDF5 file, told apart by content; half and bfloat16 numbers as float32. Throws Error{Store} naming
// the file, whatever is in it.
[[nodiscard]] NamedArrays read_named_arrays(const std::filesystem::path& path);

// What the headers of a .npz or .safetensors file say of its arrays, by name. Throws what read_named_arrays() throws by then; Error{Store}
// for any other file.
[[nodiscard]] std::map<std::string, ArrayType> named_array_types(const std::filesystem::path& path);

// The texts that a .safetensors file has besides its tensors; none for another file.
[[nodiscard]] std::map<std::string, std::string> safetensors_metadata(const std::filesystem::path& path);

// Each writes a new file, and throws FileError if it cannot.
void write_npy(const std::filesystem::path& path, const Array& array);
void write_npz(const std::filesystem::path& path, const NamedArrays& arrays);
// `metadata`: texts that are no tensors.
void write_safetensors(const std::filesystem::path& path, const NamedArrays& arrays,
                       const std::map<std::string, std::string>& metadata = {});
// A row for each entry of the first dimension. Throws Error{StageFailed} for an array of more than two dimensions.
void write_csv(const std::filesystem::path& path, const Array& array);
// Columns of equal length under their names.
void write_csv(const std::filesystem::path& path, const NamedArrays& columns);

}  // namespace satdl
