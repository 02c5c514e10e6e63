// Pictures from tensors: images before and after noise and denoising, the most confident wrong answers, and the images on
// which two classifiers differ.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "report/evidence.h"
#include "pipeline/core/mcnemar.h"

namespace satdl {

// A classifier's answers on images with labels: the Predictions of a stage and the Labels and Images that it reads (PortRole).
struct Graded {
    std::string stage;
    Answers answers;
    std::vector<std::int64_t> labels;
    std::optional<Array> images;  // its input, if that is images
    std::vector<Source> sources;  // predictions, labels, images
};
// nullopt if the stage is not such a one, or its artifacts are missing.
[[nodiscard]] std::optional<Graded> graded(const StageFacts& stage, Evidence& evidence);

// {"stage","port","key","digest"}
[[nodiscard]] nlohmann::ordered_json source_json(const Source& source);

// Is it [N, H, W] or [N, 1, H, W], of bytes or floats, and small enough to be drawn?
[[nodiscard]] bool is_pictures(const Array& array);
// One of them as a data: URI of a PNG. Floats are taken as 0 (black) to 1, and clipped.
[[nodiscard]] std::string picture(const Array& images, std::int64_t index);

// Of a stage with NoisyImages: {"stage","columns":[{"title","source"}],"rows":[[uri, ...]]}; the denoised images are the DenoisedImages
// of stages that read the noisy ones. null if there is nothing to show.
[[nodiscard]] nlohmann::ordered_json noise_gallery(const StageFacts& noise, const RunFacts& run, Evidence& evidence);
// The wrong answers with the greatest output: [{"index","label","answer","output","picture"}]
[[nodiscard]] nlohmann::ordered_json most_wrong(const Graded& graded);
// Samples on which exactly one of the two is right, in their order, some of each kind:
// [{"index","label","first","second","picture"}]
[[nodiscard]] nlohmann::ordered_json differing(const Graded& first, const Graded& second);

}  // namespace satdl
