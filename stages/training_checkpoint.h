// A training's state as arrays by name, and back: what its checkpoints hold, and all that the rest of it depends on.
//
//   weights/<tensor>, best/<tensor>             of the network; best: of the best epoch so far
//   first/<tensor>, second/<tensor>             the optimiser's moments, of the tensors that are trained
//   gradients/<tensor>                          summed since the last update, where gradients are accumulated
//   history/rows [epochs, metrics], /steps, /rates, /names (UTF-8, a name a line)
//   epoch, step, ...                            numbers, each of shape [1]
#pragma once

#include <vector>

#include "stages/trainer.h"

namespace satdl::stages {

// `trained`: the positions of the tensors that are trained. The arrays share the bytes of the state's tensors where they can.
[[nodiscard]] NamedArrays checkpoint_of(const Net& net, const std::vector<std::size_t>& trained, const TrainingState& state);
// `state`: as at the start of the same training. The training then continues with the same bytes as one that was never interrupted.
void restore(const Net& net, const std::vector<std::size_t>& trained, const NamedArrays& checkpoint, TrainingState& state);

}  // namespace satdl::stages
