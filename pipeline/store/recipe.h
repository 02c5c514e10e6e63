// Recipes and keys: what a result depends on, as named parts, and the SHA-256 over their canonical bytes.
//
// key = SHA-256("satdl-key-1\n" ++ for each part, in the recipe's order: "<bytes of name>:<name>=<bytes of value>:<value>\n").
// A recipe is stored with its artifact, as text: that lets `explain` say which part of a key differs, where a bare hash could only
// say that it does.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/core/digest.h"
#include "pipeline/stage.h"

namespace satdl {

struct KeyPart {
    std::string name;   // "kind", "version", "param epochs", "input images", "file labels", "threads", "precision", "device",
                        // "libtorch", "cpu", "gpu"
    std::string value;  // canonical text, or a digest in hex
    bool operator==(const KeyPart&) const = default;
};
// kind and version first, then the rest by name: one order, whatever the order of the YAML.
using Recipe = std::vector<KeyPart>;

[[nodiscard]] Digest key_of(const Recipe& recipe);
[[nodiscard]] const KeyPart* find_part(const Recipe& recipe, std::string_view name);  // nullptr if there is none

// The digest of what a port carries: over the names, element types, shapes and bytes of its arrays.
[[nodiscard]] Digest port_digest(const NamedArrays& group);
[[nodiscard]] Digest port_digest(const std::map<std::string, Digest>& arrays);  // the same, from each Array::digest()
using PortDigests = std::map<std::string, Digest>;  // by output port
[[nodiscard]] PortDigests port_digests(const StageOutput& outcome);

}  // namespace satdl
