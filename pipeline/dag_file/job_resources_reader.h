// What a job asks for, out of the map `resources:`.
#pragma once

#include <span>
#include <string>

#include "pipeline/core/config_value.h"
#include "pipeline/dag/job_settings.h"

namespace satdl {

[[nodiscard]] std::span<const std::string> job_resource_keys();  // "cpus", "memory", ...

// Mistakes are added to `diagnostics`; a key with a mistake keeps its default. Precondition: a map; what is none of the keys is a mistake.
[[nodiscard]] JobResources read_job_resources(const ConfigValue& resources, Diagnostics& diagnostics);

}  // namespace satdl
