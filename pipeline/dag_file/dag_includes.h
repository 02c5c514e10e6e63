// A DAG file together with the files that it includes, as one document.
//
// `include:` names files, by paths that begin at the folder of the file in which they stand. Their stages and networks join
// those of the file: a name that two files define is a mistake that names both places. `params`, `profiles`, `defaults`
// and `numerics` of an included file may be overridden by the file that includes it (also by way of others); two files of which
// neither includes the other may not set the same one. `name`, `about` and `sweep` count in the file that is run alone.
//
// Values keep their places, so every later mistake is told in the file that it stands in. A file that is reached in several
// ways is taken once. Rejected: includes as text, and YAML's merge keys: neither can tell a default from a mistake.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <vector>

#include "pipeline/core/config_value.h"

namespace satdl {

struct DagDocument {
    ConfigValue root;                                                  // a map of the sections of all files, but `include`
    std::map<const SourceText*, std::filesystem::path> folders;  // by file: where its relative paths begin
    Diagnostics mistakes;                                        // in the sections, and in how the files go together
};

using DocumentReader = std::function<ConfigValue(const std::filesystem::path&)>;  // throws Error{Usage}

struct IncludeLimits {
    std::size_t files = 100;
    std::size_t bytes = 16u << 20;  // of all of them
};

// `file`: where `document` was read. Throws Error{Usage} where a file cannot be had: one that is missing or is no YAML, a
// circle of includes, more than the limits admit.
[[nodiscard]] DagDocument join_includes(const std::filesystem::path& file, ConfigValue document, const DocumentReader& read,
                                        const IncludeLimits& limits = {});

}  // namespace satdl
