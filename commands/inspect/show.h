// Everything that `satdl show` prints of an artifact, as text or as JSON.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "commands/inspect/provenance.h"
#include "commands/inspect/show_network.h"
#include "commands/shared/array_slice.h"
#include "commands/shared/result_links.h"
#include "commands/shared/tensor_statistics.h"
#include "pipeline/core/json.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/artifact.h"

namespace satdl {

struct TensorView {
    TensorRecord record;
    std::optional<ArraySlice> slice;       // what is shown of it; nullopt: nothing of its content
    std::optional<Statistics> statistics;  // of that part; nullopt: it is too large to be read unasked
    std::vector<std::string> class_names;  // of a confusion matrix
    bool is_confusion = false;
};

// What of the artifact is shown.
enum class ShownPart { Whole, Port, Tensor };

struct ArtifactView {
    std::string stage;  // "" if it was requested by its path or key
    std::filesystem::path path;
    ArtifactHeader header;
    ShownPart part = ShownPart::Whole;
    std::string name;  // of the port or tensor, with its slice: "model/conv_1.weight[0:3]"
    bool tensors_of_models = false, whole_recipe = false;
    bool is_verified = true;  // else it is too large to be read unasked
    std::optional<Producer> made;
    StageSettings settings;
    std::map<std::string, std::string> origins;  // key part "input images" -> "noisy@train.images"
    Freshness freshness = Freshness::Current;    // it and its stale inputs as in LinkedStage
    std::vector<std::string> stale_inputs{};
    std::vector<TensorView> tensors;                                            // the requested ones, in natural order
    std::map<std::string, NetworkView> networks;                                // of Model ports
    std::map<std::string, std::map<std::string, std::vector<double>>> history;  // of History ports: port -> column -> values
};

[[nodiscard]] Json artifact_json(const ArtifactView& view);
[[nodiscard]] std::string artifact_text(const ArtifactView& view);

}  // namespace satdl
