// The network of a trained model as Keras' summary has it: layer by layer, and the totals.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/catalog/catalog.h"
#include "pipeline/core/json.h"
#include "pipeline/network/network_summary.h"
#include "pipeline/store/recipe.h"

namespace satdl {

struct NetworkView {
    Shape input;  // of one sample
    std::vector<LayerSummary> layers;
    std::size_t frozen = 0;       // how many layers, from the first on, the stage did not train
    std::int64_t batch_size = 1;  // samples at a time, as the recipe has it

    [[nodiscard]] std::int64_t parameters() const;
    [[nodiscard]] std::int64_t trainable() const;
    [[nodiscard]] std::int64_t multiply_adds() const;  // of one sample
};

// Of the text of a model's architecture, and what its stage did with it, as far as the catalogue has its kind. nullopt if
// the text is of another program, or of layers that this version does not know.
[[nodiscard]] std::optional<NetworkView> network_view(std::string_view architecture, const std::string& port,
                                                      const Recipe& recipe, const Catalog& catalog);

[[nodiscard]] std::string network_text(const NetworkView& network, const std::string& port, std::optional<int> width);
[[nodiscard]] Json network_json(const NetworkView& network);

}  // namespace satdl
