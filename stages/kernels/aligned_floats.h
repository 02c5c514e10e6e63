// Float32 memory that begins at a cache line.
#pragma once

#include <cstdint>
#include <memory>
#include <new>

namespace satdl::stages::kernels {

struct AlignedDelete {
    void operator()(float* floats) const { ::operator delete[](floats, std::align_val_t{64}); }
};
using AlignedFloats = std::unique_ptr<float[], AlignedDelete>;

// Zeros.
[[nodiscard]] inline AlignedFloats aligned_floats(std::int64_t count) {
    return AlignedFloats(new (std::align_val_t{64}) float[static_cast<std::size_t>(count)]());
}

}  // namespace satdl::stages::kernels
