// What the stages train and fine_tune share: their ports, their parameters and what they return.
#pragma once

#include <optional>
#include <vector>

#include "stages/initialise.h"
#include "stages/trainer.h"

namespace satdl::stages {

// Beyond the inputs and the network: LibTorch itself, with what its kernels need.
inline constexpr std::int64_t kTrainingMemory = 256 << 20;

[[nodiscard]] std::vector<PortDescription> training_inputs();
[[nodiscard]] std::vector<PortDescription> training_outputs(PortDescription::ModelRule rule);
[[nodiscard]] std::vector<ParamDescription> training_params();
[[nodiscard]] LossRule training_loss();

[[nodiscard]] TrainingOptions training_options(const Params& params);
[[nodiscard]] Initialiser initialiser_of(const Params& params);
// Where no validation data are connected, `validation_fraction` of the training data are held out.
[[nodiscard]] TrainingData training_data(const StageInputs& inputs, const Params& params);
// Trains `net` from `weights` and returns the kept epoch's model, the history and the metrics.
[[nodiscard]] StageOutput train(const Net& net, Weights weights, TrainingOptions options, const StageInputs& inputs,
                            StageContext& context);

}  // namespace satdl::stages
