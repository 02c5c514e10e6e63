#include "stages/kernels/gemm.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace satdl::stages::kernels {

#if defined(__x86_64__)
namespace {

#define SATDL_AVX2 __attribute__((target("avx2,fma")))
#define SATDL_AVX512 __attribute__((target("avx512f")))

// As many rows of a product as registers hold, one to kRows512 of them, and one panel of columns.
using Tile = void (*)(std::int64_t depth, std::int64_t columns, const float* a, const Matrix& like, const float* panel,
                      std::int64_t step, float* c, std::int64_t stride, std::uintptr_t ahead, std::intptr_t ahead_step);
constexpr std::intptr_t kFloat = sizeof(float);
constexpr std::int64_t kRows512 = 12, kRows256 = 6;

// `Vectors` of 16 columns.
template <int Rows, int Vectors>
SATDL_AVX512 void tile512(std::int64_t depth, std::int64_t columns, const float* a, const Matrix& like, const float* panel,
                          std::int64_t step, float* c, std::int64_t stride, std::uintptr_t ahead, std::intptr_t ahead_step) {
    const std::int64_t row = like.row, column = like.column;
    __m512 sums[Rows][Vectors];
    for (int i = 0; i < Rows; ++i)
        for (int v = 0; v < Vectors; ++v) sums[i][v] = _mm512_setzero_ps();
    for (std::int64_t k = 0; k < depth; ++k, a += column, panel += step, ahead += ahead_step) {
        _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
        __m512 b[Vectors];
        for (int v = 0; v < Vectors; ++v) b[v] = _mm512_loadu_ps(panel + 16 * v);
#pragma GCC unroll 12
        for (int i = 0; i < Rows; ++i) {
            const __m512 factor = _mm512_set1_ps(a[i * row]);
            for (int v = 0; v < Vectors; ++v) sums[i][v] = _mm512_fmadd_ps(factor, b[v], sums[i][v]);
        }
    }
    const std::int64_t last = columns - 16 * (Vectors - 1);  // columns of the last vector
    const auto mask = static_cast<__mmask16>((1u << last) - 1);
    for (int i = 0; i < Rows; ++i, c += stride) {
        for (int v = 0; v + 1 < Vectors; ++v) _mm512_storeu_ps(c + 16 * v, sums[i][v]);
        _mm512_mask_storeu_ps(c + 16 * (Vectors - 1), mask, sums[i][Vectors - 1]);
    }
}

// `Vectors` of 8 columns.
template <int Rows, int Vectors>
SATDL_AVX2 void tile256(std::int64_t depth, std::int64_t columns, const float* a, const Matrix& like, const float* panel,
                        std::int64_t step, float* c, std::int64_t stride, std::uintptr_t ahead, std::intptr_t ahead_step) {
    const std::int64_t row = like.row, column = like.column;
    __m256 sums[Rows][Vectors];
    for (int i = 0; i < Rows; ++i)
        for (int v = 0; v < Vectors; ++v) sums[i][v] = _mm256_setzero_ps();
    for (std::int64_t k = 0; k < depth; ++k, a += column, panel += step, ahead += ahead_step) {
        _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
        __m256 b[Vectors];
        for (int v = 0; v < Vectors; ++v) b[v] = _mm256_loadu_ps(panel + 8 * v);
#pragma GCC unroll 6
        for (int i = 0; i < Rows; ++i) {
            const __m256 factor = _mm256_set1_ps(a[i * row]);
            for (int v = 0; v < Vectors; ++v) sums[i][v] = _mm256_fmadd_ps(factor, b[v], sums[i][v]);
        }
    }
    const std::int64_t last = columns - 8 * (Vectors - 1);
    const __m256i mask =
        _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(last)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    for (int i = 0; i < Rows; ++i, c += stride) {
        for (int v = 0; v + 1 < Vectors; ++v) _mm256_storeu_ps(c + 8 * v, sums[i][v]);
        _mm256_maskstore_ps(c + 8 * (Vectors - 1), mask, sums[i][Vectors - 1]);
    }
}

template <int Vectors>
constexpr Tile kTiles512[] = {tile512<1, Vectors>, tile512<2, Vectors>,  tile512<3, Vectors>,  tile512<4, Vectors>,
                              tile512<5, Vectors>, tile512<6, Vectors>,  tile512<7, Vectors>,  tile512<8, Vectors>,
                              tile512<9, Vectors>, tile512<10, Vectors>, tile512<11, Vectors>, tile512<12, Vectors>};
template <int Vectors>
constexpr Tile kTiles256[] = {tile256<1, Vectors>, tile256<2, Vectors>, tile256<3, Vectors>,
                              tile256<4, Vectors>, tile256<5, Vectors>, tile256<6, Vectors>};

// All rows of a product, in tiles of nearly the same number of rows.
void in_tiles(const Tile* tiles, std::int64_t greatest, std::int64_t rows, std::int64_t columns, std::int64_t depth,
              const Matrix& a, const float* panel, std::int64_t step, float* c, std::int64_t stride, const Ahead& ahead) {
    const std::int64_t count = (rows + greatest - 1) / greatest;
    for (std::int64_t t = 0; t < count; ++t) {
        const std::int64_t first = rows * t / count, last = rows * (t + 1) / count;
        tiles[last - first - 1](depth, columns, a.data + first * a.row, a, panel, step, c + first * stride, stride,
                                reinterpret_cast<std::uintptr_t>(ahead.first) + t * ahead.tile * kFloat,
                                ahead.step * kFloat);
    }
}

// to[j * kPanel + i] = from[i * stride + j] for i, j below 8
SATDL_AVX2 void transpose(const float* from, std::int64_t stride, float* to) {
    __m256 rows[8], pairs[8], fours[8];
    for (int i = 0; i < 8; ++i) rows[i] = _mm256_loadu_ps(from + i * stride);
    for (int i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        fours[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
        fours[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xEE);
        fours[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
        fours[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xEE);
    }
    for (int i = 0; i < 4; ++i) {
        _mm256_storeu_ps(to + i * kPanel, _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20));
        _mm256_storeu_ps(to + (i + 4) * kPanel, _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31));
    }
}

}  // namespace

void pack(std::int64_t depth, std::int64_t columns, const Matrix& b, float* panel) {
    if (columns < kPanel) std::memset(panel, 0, static_cast<std::size_t>(depth * kPanel) * sizeof(float));
    if (b.column == 1) {
        for (std::int64_t k = 0; k < depth; ++k)
            std::memcpy(panel + k * kPanel, b.data + k * b.row, static_cast<std::size_t>(columns) * sizeof(float));
        return;
    }
    const auto copy = [&](std::int64_t first, std::int64_t last, std::int64_t from) {
        for (std::int64_t k = from; k < depth; ++k)
            for (std::int64_t j = first; j < last; ++j) panel[k * kPanel + j] = b.data[k * b.row + j * b.column];
    };
    const std::int64_t eights = b.row == 1 ? columns / 8 * 8 : 0, whole = depth / 8 * 8;
    for (std::int64_t j = 0; j < eights; j += 8)
        for (std::int64_t k = 0; k < whole; k += 8) transpose(b.data + k + j * b.column, b.column, panel + k * kPanel + j);
    copy(0, eights, whole);
    copy(eights, columns, 0);
}

Ahead ahead(const float* first, std::int64_t count, std::int64_t rows, std::int64_t depth) {
    const std::int64_t height = cpu_level() == CpuLevel::Avx512 ? kRows512 : kRows256,
                       tiles = (rows + height - 1) / height;
    const std::int64_t step = (count + tiles * depth - 1) / (tiles * depth);
    return {first, step, step * depth};
}

void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Matrix& a, const float* panel,
              std::int64_t step, float* c, std::int64_t stride, const Ahead& ahead, CpuLevel with) {
    if (with == CpuLevel::Avx512) {
        in_tiles(columns > 16 ? kTiles512<2> : kTiles512<1>, kRows512, rows, columns, depth, a, panel, step, c, stride,
                 ahead);
        return;
    }
    for (std::int64_t first = 0; first < columns; first += 16) {
        const std::int64_t width = columns - first < 16 ? columns - first : 16;
        in_tiles(width > 8 ? kTiles256<2> : kTiles256<1>, kRows256, rows, width, depth, a, panel + first, step, c + first,
                 stride, ahead);
    }
}

#else  // cpu_level() is Baseline: they are never called

void pack(std::int64_t, std::int64_t, const Matrix&, float*) {}
void multiply(std::int64_t, std::int64_t, std::int64_t, const Matrix&, const float*, std::int64_t, float*, std::int64_t,
              const Ahead&, CpuLevel) {}
Ahead ahead(const float*, std::int64_t, std::int64_t, std::int64_t) {
    return {};
}

#endif

}  // namespace satdl::stages::kernels
