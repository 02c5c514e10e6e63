// A product of two float32 matrices, shared between workers. Every element is computed whole by one of them (gemm.h): its
// bytes depend neither on their number nor on how the product is cut, which follows that number.
#pragma once

#include <cstdint>

#include "stages/kernels/gemm.h"
#include "stages/kernels/workers.h"

namespace satdl::stages::kernels {

// [rows, depth] times [depth, columns].
struct ProductShape {
    std::int64_t rows = 0, columns = 0, depth = 0;
};

// c[i * columns + j] = sum over k of a[i, k] b[k, j], plus bias[j] unless it is null. Precondition: cpu_level() is not
// Baseline.
void product(const ProductShape& shape, const Matrix& a, const Matrix& b, const float* bias, float* c,
             const Workers& workers, const Scratch& scratch);

}  // namespace satdl::stages::kernels
