#include "pipeline/store/recipe.h"

#include <fmt/format.h>

#include <algorithm>

namespace satdl {

Digest key_of(const Recipe& recipe) {
    std::string text = "satdl-key-1\n";
    const auto add = [&text](const std::string& field, char end) { text.append(std::to_string(field.size())).append(":").append(field) += end; };
    for (const KeyPart& part : recipe) {
        add(part.name, '=');
        add(part.value, '\n');
    }
    return sha256(text);
}

const KeyPart* find_part(const Recipe& recipe, std::string_view name) {
    const auto found = std::ranges::find(recipe, name, &KeyPart::name);
    return found == recipe.end() ? nullptr : &*found;
}

Digest port_digest(const NamedArrays& group) {
    std::map<std::string, Digest> digests;
    for (const auto& [name, array] : group) digests.emplace(name, array.digest());
    return port_digest(digests);
}

Digest port_digest(const std::map<std::string, Digest>& arrays) {
    std::string text = "satdl-port-1\n";
    for (const auto& [name, digest] : arrays) {
        text += fmt::format("{}:{}={}\n", name.size(), name, digest.hex());
    }
    return sha256(text);
}

PortDigests port_digests(const StageOutput& outcome) {
    PortDigests digests;
    for (const auto& [port, group] : outcome.outputs) digests.emplace(port, port_digest(group));
    return digests;
}

}  // namespace satdl
