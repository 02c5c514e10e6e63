// The random numbers of random.h, computed where a network is: a mask that the CPU draws for a GPU takes longer than the layers around it.
#pragma once

#include <cstdint>

#include "stages/random.h"
#include "stages/torch.h"

namespace satdl::stages {

// The first `count` words of a stream, as Stream::fill_words gives them: int64 [count] in [0, 2^32), on `device`.
[[nodiscard]] at::Tensor words_on(at::Device device, const Stream& stream, std::int64_t count);

}  // namespace satdl::stages
