// Products of float32 matrices, on the calling thread: the pieces of which a kernel puts a large product together.
//
// Every element of a product is one chain of fused multiply-adds over the depth, in order and from zero. So its bytes depend
// on the numbers alone: not on how the product is cut into panels, on who computes them, on alignment, nor on AVX2 or
// AVX-512. A BLAS promises none of that, and LibTorch exports no call of its own (at::native::cpublas::gemm is hidden); at
// these sizes MKL's sgemm is no faster.
#pragma once

#include <cstdint>

#include "stages/kernels/cpu_level.h"

namespace satdl::stages::kernels {

// The greatest number of columns that multiply() computes at once.
inline constexpr std::int64_t kPanel = 32;

struct Matrix {
    const float* data;
    std::int64_t row, column;  // the element of row i and column j is data[i * row + j * column]
};

// Memory that is needed soon, fetched into the second cache while a product is computed: a cache line for each step of the
// depth and tile of rows. Addresses may lie beyond it.
struct Ahead {
    const float* first = nullptr;
    std::int64_t step = 0;  // from one step of the depth to the next
    std::int64_t tile = 0;  // from one tile of rows to the next
};
// All of `count` floats, evenly, during a product of this size.
[[nodiscard]] Ahead ahead(const float* first, std::int64_t count, std::int64_t rows, std::int64_t depth);

// [depth, kPanel]: the first `columns` columns of b, zeros beside them. `columns` is at most kPanel.
void pack(std::int64_t depth, std::int64_t columns, const Matrix& b, float* panel);

// c[i * stride + j] = sum over k of a[i, k] * panel[k * step + j], for i below `rows` and j below `columns`, at most kPanel.
// Precondition: this CPU has the instructions `with`.
// Reads kPanel numbers of each row of `panel`; those beyond `columns` may be anything.
void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Matrix& a, const float* panel,
              std::int64_t step, float* c, std::int64_t stride, const Ahead& ahead = {}, CpuLevel with = cpu_level());

}  // namespace satdl::stages::kernels
