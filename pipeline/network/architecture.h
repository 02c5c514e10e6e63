// What a trained model is besides its weights, as text in its artifact: what it reads, and its layers.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pipeline/network/network.h"

namespace satdl {

// The name of this text among a model's arrays.
inline constexpr const char* kArchitecture = "architecture";

struct Architecture {
    Shape input;  // of one sample
    Network network;
};

// JSON with `input` and `layers`, in one normal form.
[[nodiscard]] std::string to_text(const Architecture& architecture);
// nullopt if it is not such a text. Mistakes within the layers are added to `diagnostics`.
[[nodiscard]] std::optional<Architecture> parse_architecture(std::string_view text, Diagnostics& diagnostics);

}  // namespace satdl
