// Vectors of floats, as wide as the level that a file is compiled for (kernels/CMakeLists.txt): 16 floats with AVX-512, 8 with
// AVX2.
//
// For files that are compiled once for each level, and for nothing else: everything here is local to the file. Such a file must
// not instantiate templates of the standard library either. The linker keeps one copy of those, and it may be the one that needs
// AVX-512.
//
// The compiler must not join a product and a sum to one instruction (-ffp-contract=off): fma() does where it is written, so both
// levels and every compiler give the same bits.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace satdl::stages::kernels {
namespace {

using Index = std::int64_t;

#if defined(__AVX512F__)
constexpr Index kLanes = 16;
typedef float Vector __attribute__((vector_size(64), aligned(4), may_alias));
inline Vector all(float value) { return _mm512_set1_ps(value); }
inline Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
#else
constexpr Index kLanes = 8;
typedef float Vector __attribute__((vector_size(32), aligned(4), may_alias));
inline Vector all(float value) { return _mm256_set1_ps(value); }
inline Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
#endif

inline Vector load(const float* from) { return *reinterpret_cast<const Vector*>(from); }
inline void store(float* to, Vector vector) { *reinterpret_cast<Vector*>(to) = vector; }
inline Vector positive(Vector vector) { return vector > Vector{} ? vector : Vector{}; }

inline Index smaller(Index a, Index b) { return a < b ? a : b; }

}  // namespace
}  // namespace satdl::stages::kernels
