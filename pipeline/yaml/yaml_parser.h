// Strict YAML: text to ConfigValue, over yaml-cpp's events.
//
// yaml-cpp accepts much that a user cannot have meant. This layer refuses it, with the place: a second document, anything after
// the end of the document, duplicate keys, tags, merge keys, recursion through anchors, control characters and
// invalid UTF-8, lines of over 1 MiB, a key without ':', an unclosed quote, and more than the budget of nodes
// (aliases count as what they expand to) or depth.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "pipeline/core/config_value.h"

namespace satdl {

struct YamlLimits {
    std::size_t nodes = 1'000'000;  // scalars, keys, lists and maps, aliases expanded
    std::size_t depth = 64;
    std::size_t bytes = 16u << 20;
};

// The one document in `source`. Throws Error{Usage} with the place of what it refuses; an empty document is refused too.
[[nodiscard]] ConfigValue parse_yaml(std::shared_ptr<const SourceText> source, const YamlLimits& limits = {});

// The same of a part of a source that begins at `start`: all places, of values and of mistakes, are in that source.
[[nodiscard]] ConfigValue parse_yaml(std::string_view part, const Place& start, const YamlLimits& limits = {});

// The file's text. Throws Error{Usage} naming the path where it cannot be read.
[[nodiscard]] std::shared_ptr<const SourceText> read_yaml_source(const std::string& path, const YamlLimits& limits = {});

// Reads the file first.
[[nodiscard]] ConfigValue parse_yaml_file(const std::string& path, const YamlLimits& limits = {});

}  // namespace satdl
