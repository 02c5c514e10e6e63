// A DAG file together with the files that it includes, as one document.
//
// `include:` lists files, with paths relative to the folder of the including file. Their stages and networks join those of the
// file: a name that two files define is a mistake, reported with both places. `params`, `profiles`, `executors`,
// `defaults` and `numerics` of an included file may be overridden by the file that includes it (directly or through others); two files of which
// neither includes the other may not set the same one. `name`, `about` and `sweep` count only in the file that is run.
//
// Values keep their places, so every later mistake is reported in its own file. A file that is reached in several ways is
// included once, also by a link or by a path that is written differently: what counts is the file, not the text of its path. Rejected:
// includes as text, and YAML's merge keys: neither can distinguish an override from a mistake.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <vector>

#include "pipeline/core/config_value.h"

namespace satdl {

struct DagDocument {
    ConfigValue root;                                                  // a map of the sections of all files, without `include`
    std::map<const SourceText*, std::filesystem::path> folders;  // by file: the folder of its relative paths
    Diagnostics mistakes;                                        // in the sections, and between files
};

using DocumentReader = std::function<ConfigValue(const std::filesystem::path&)>;  // throws Error{Usage}

// Equal for two paths if and only if they lead to the same file.
using FileIdentity = std::function<std::string(const std::filesystem::path&)>;
[[nodiscard]] std::string identity_on_disk(const std::filesystem::path& path);  // device and inode; of a missing file its path

struct IncludeLimits {
    std::size_t files = 100;
    std::size_t bytes = 16u << 20;  // of all of them
};

// `file`: the path of `document`. Throws Error{Usage} if a file is missing or not YAML, if the includes form a cycle, or if a limit
// is exceeded.
[[nodiscard]] DagDocument join_includes(const std::filesystem::path& file, ConfigValue document, const DocumentReader& read,
                                        const FileIdentity& identity = identity_on_disk, const IncludeLimits& limits = {});

}  // namespace satdl
