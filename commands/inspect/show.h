// What there is to say of one artifact, gathered before it is printed as text or as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands/shared/tensor_statistics.h"
#include "pipeline/core/json.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/artifact.h"

namespace satdl {

struct ShownTensor {
    TensorRecord record;
    Statistics statistics;
    std::vector<double> values;  // where there are few
    std::string text;            // of a model's architecture
};

struct Shown {
    std::string stage;  // "" where it was asked for by its path or key
    std::filesystem::path path;
    ArtifactHeader header;
    std::optional<MadeIn> made;
    std::map<std::string, std::string> origins;  // key part "input images" -> "noisy@train.images"
    std::vector<ShownTensor> tensors;            // those that were asked for
    std::map<std::string, std::map<std::string, std::vector<double>>> history;  // of History ports: port -> column -> values
};

[[nodiscard]] Json shown_json(const Shown& shown);
[[nodiscard]] std::string shown_text(const Shown& shown);

}  // namespace satdl
