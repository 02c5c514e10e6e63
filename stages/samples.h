// Samples of a training or an evaluation, and their way into a batch.
//
// Images of uint8 become float32 there, where `scale` says what to divide them by: a quarter of the bytes of normalised ones, which need
// not be made or kept. The division is that of the stage `normalise`, so what is computed from them has the same bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "pipeline/stage.h"
#include "stages/torch_network.h"

namespace satdl::stages {

struct Samples {
    at::Tensor x;       // float32 [N, ...], or uint8 with `scale`
    at::Tensor target;  // class numbers [N], or float32 of the shape of the output
    std::optional<float> scale{};
};

// Of the stages that read samples; and an input port of such samples, with the rest of its description.
[[nodiscard]] ParamDescription scale_param();
[[nodiscard]] PortDescription samples_port(PortDescription port);

// The samples at two array ports.
[[nodiscard]] Samples samples_at(const StageInputs& inputs, const std::string& x, const std::string& target, const Params& params);
[[nodiscard]] Samples samples_at(const StageInputs& inputs, const std::string& x, const Params& params);  // without a target

// Throws Error{StageFailed} where samples and targets fit neither each other nor the network; the names are for its text.
void check_samples(const Net& net, const Samples& samples, const std::string& x, const std::string& target);

// The samples where the network computes, if that is a GPU of whose memory they take at most a quarter: batches are then made there.
[[nodiscard]] Samples placed_near(at::Device device, Samples samples);

// Fills `batch`, float32 where the samples are, with those of these numbers (int64 [batch]), or with as many as it holds from `first` on. It is
// memory of its own, whose alignment does not depend on where the samples came from.
void gather(const Samples& samples, const at::Tensor& chosen, at::Tensor& batch);
void gather(const Samples& samples, std::int64_t first, const at::Tensor& batch);

// Of samples that are too many for memory, and only of those: the disk begins to read what a later batch takes; the memory of what a batch
// has taken is given back.
void will_gather(const Samples& samples, std::span<const std::int64_t> chosen);
void will_gather(const Samples& samples, std::int64_t first, std::int64_t count);
void was_gathered(const Samples& samples, std::span<const std::int64_t> chosen);
void was_gathered(const Samples& samples, std::int64_t first, std::int64_t count);

}  // namespace satdl::stages
