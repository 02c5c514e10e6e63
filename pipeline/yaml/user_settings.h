// The settings file of the user's: what belongs to a person or a site and not to a DAG, so that a DAG file can be shared.
//
//   executors: {gpu: {type: slurm, partition: a100, ...}}   # docs/cluster.md
//   remote:    {url: ..., ...}                              # docs/remote.md
//
// This reads the file and knows the names of its sections; each section is read by whoever it is for. Nothing in it is part of a key.
#pragma once

#include <filesystem>

#include "pipeline/core/config_value.h"

namespace satdl {

// $XDG_CONFIG_HOME/satdl/settings.yaml, or ~/.config/satdl/settings.yaml; "" if neither variable is set.
[[nodiscard]] std::filesystem::path user_settings_file();

// The file as a map of its sections; null if there is no file. Throws Error{Usage} with all mistakes: a file that cannot be read or is not
// YAML, a section that does not exist.
[[nodiscard]] ConfigValue read_user_settings(const std::filesystem::path& file = user_settings_file());

}  // namespace satdl
