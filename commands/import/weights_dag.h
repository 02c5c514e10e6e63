// A file of weights as a stage of a DAG: what `satdl import x.safetensors` writes.
#pragma once

#include <filesystem>
#include <string>

namespace satdl {

// A DAG file, as text, with one stage of kind `model` that reads the file. Of weights that satdl exported it is complete. Of
// others it has the layers that have weights, under the file's names where satdl can have them, and its comments say what
// the file does not tell. `folder`: where the DAG file will lie. Throws Error{Store} if the file is not .safetensors or
// .npz, Error{Usage} for a tensor that no layer of satdl's has.
[[nodiscard]] std::string weights_dag(const std::filesystem::path& file, const std::filesystem::path& folder);

}  // namespace satdl
