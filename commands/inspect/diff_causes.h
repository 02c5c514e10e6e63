// Why two artifacts differ: the parameters, files and versions in which their recipes, and those of what they were made of, differ.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/store/open_store.h"

namespace satdl {

// Which artifacts of a store have a port of a given content; looked through once, when that is first asked.
class ContentMakers {
public:
    using Maker = std::pair<Digest, std::string>;  // key, port

    explicit ContentMakers(OpenStore& open) : open_(open) {}
    [[nodiscard]] const std::vector<Maker>& of(const Digest& content);

private:
    OpenStore& open_;
    std::map<Digest, std::vector<Maker>> makers_;
    bool is_filled_ = false;
};

struct DiffCause {
    Digest key;         // of the second artifact of the pair that differs in itself
    std::string stage;  // its name in a record, else its kind
    std::string part;   // of its recipe: "param noise_factor"
    std::string text;   // "noise_factor: 0.4 -> 0.2"
};

// From the roots on: an input that differs is followed back to the artifact that has it, as far as the store has one. Empty if the recipes
// are equal.
[[nodiscard]] std::vector<DiffCause> causes_of(const Recipe& first, const Recipe& second, OpenStore& open, ContentMakers& makers);

}  // namespace satdl
