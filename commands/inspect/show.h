// Everything that `satdl show` prints of an artifact, as text or as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands/shared/result_links.h"
#include "commands/shared/tensor_statistics.h"
#include "pipeline/core/json.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/artifact.h"

namespace satdl {

struct TensorView {
    TensorRecord record;
    Statistics statistics;
    std::vector<double> values;  // where there are few
    std::string text;            // of a model's architecture
};

struct ArtifactView {
    std::string stage;  // "" if it was requested by its path or key
    std::filesystem::path path;
    ArtifactHeader header;
    std::optional<Producer> made;
    std::map<std::string, std::string> origins;  // key part "input images" -> "noisy@train.images"
    Freshness freshness = Freshness::Current;   // it and its stale inputs as in LinkedStage
    std::vector<std::string> stale_inputs{};
    std::vector<TensorView> tensors;            // the requested ones
    std::map<std::string, std::map<std::string, std::vector<double>>> history;  // of History ports: port -> column -> values
};

[[nodiscard]] Json artifact_json(const ArtifactView& view);
[[nodiscard]] std::string artifact_text(const ArtifactView& view);

}  // namespace satdl
