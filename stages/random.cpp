// The normal distribution by Box and Muller, with a logarithm, sine and cosine of our own: made of +, -, * and / alone,
// which IEEE 754 rounds the same everywhere. The C library's choose their code by the processor (with or without fused
// multiply-add) and differ in the last bit, so a noise made with them would be another one on another machine. This file is
// compiled without contraction into fused operations, for the same reason.
//
// Both are free of branches: the compiler makes vectors of a loop over them, for several instruction sets, of which the
// processor's best is chosen when it runs. A vector's elements are computed as a single number is: the bits are the same.
#include "stages/random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "pipeline/core/error.h"

namespace satdl::stages {
namespace {

constexpr std::uint32_t kMaxIndex = 1u << 24;

// Inlined into the functions for each instruction set.
#define SATDL_INLINE __attribute__((always_inline)) inline

constexpr std::size_t kLanes = 64;  // blocks at a time: what is made of them stays in the first cache

// A whole number below 2^52, and one below 2^53, exactly: processors before AVX-512 convert no vectors of 64-bit integers.
SATDL_INLINE double number_of(std::uint64_t whole) { return std::bit_cast<double>(0x4330000000000000u | whole) - 0x1p52; }
SATDL_INLINE double wide_number_of(std::uint64_t whole) {
    return (std::bit_cast<double>(0x4530000000000000u | whole >> 32) - (0x1p84 + 0x1p52)) +
           std::bit_cast<double>(0x4330000000000000u | (whole & 0xFFFFFFFFu));
}

SATDL_INLINE double uniform_of(std::uint32_t high, std::uint32_t low, double shift) {
    return (wide_number_of((std::uint64_t{high} << 32 | low) >> 11) + shift) * 0x1p-53;
}

// Natural logarithm of a positive normal number. Method and coefficients: fdlibm's e_log.c; error below one ulp.
SATDL_INLINE double logarithm(double x) {
    constexpr double kLn2 = 0x1.62e42fefa39efp-1;
    constexpr std::uint64_t kOne = 0x3FF0000000000000u, kRootOfTwo = 0x3FF6A09E667F3BCDu;  // as bits
    const std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
    // x = 2^exponent (1 + f): a mantissa above sqrt(2) carries into the exponent, and is halved; so 1 + f lies in [sqrt(1/2), sqrt(2)]
    const std::uint64_t carried = (bits + (0x3FFFFFFFFFFFFFFFu - kRootOfTwo)) & 0xFFF0000000000000u;
    const double exponent = number_of(carried >> 52) - 1023.0;
    const double f = std::bit_cast<double>(bits - carried + kOne) - 1.0;
    const double s = f / (2.0 + f);
    const double z = s * s;
    const double r = z * (6.666666666666735130e-01 + z * (3.999999999940941908e-01 + z * (2.857142874366239149e-01 +
                     z * (2.222219843214978396e-01 + z * (1.818357216161805012e-01 + z * (1.531383769920937332e-01 +
                     z * 1.479819860511658591e-01))))));
    return exponent * kLn2 + (f - s * (f - r));
}

struct SineAndCosine {
    double sine, cosine;
};

// Sine and cosine of 2 pi u, 0 <= u < 1. Coefficients: fdlibm's k_sin.c and k_cos.c, for |x| <= pi / 4.
SATDL_INLINE SineAndCosine of_turns(double u) {
    constexpr double kTwoPi = 0x1.921fb54442d18p2;
    const int quarter = static_cast<int>(4.0 * u + 0.5);
    const double x = (u - 0.25 * quarter) * kTwoPi;  // the difference is exact
    const double z = x * x;
    const double sine = x + x * z * (-1.66666666666666324348e-01 + z * (8.33333333332248946124e-03 +
                        z * (-1.98412698298579493134e-04 + z * (2.75573137070700676789e-06 +
                        z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
    const double cosine = 1.0 - 0.5 * z + z * z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03 +
                          z * (2.48015872894767294178e-05 + z * (-2.75573143513906633035e-07 +
                          z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
    // (sine, cosine), (cosine, -sine), (-sine, -cosine), (-cosine, sine) in quarters 0, 1, 2, 3: exchanged, then the sign bits
    const auto turns = static_cast<std::uint64_t>(static_cast<std::int64_t>(quarter));
    const std::uint64_t sine_bits = std::bit_cast<std::uint64_t>(sine), cosine_bits = std::bit_cast<std::uint64_t>(cosine);
    const std::uint64_t exchange = (sine_bits ^ cosine_bits) & (0 - (turns & 1));
    return {std::bit_cast<double>(sine_bits ^ exchange ^ (turns & 2) << 62),
            std::bit_cast<double>(cosine_bits ^ exchange ^ ((turns + 1) & 2) << 62)};
}

SATDL_INLINE std::array<double, 2> normal_of(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
    const double radius = std::sqrt(-2.0 * logarithm(uniform_of(a, b, 0.5)));  // of a number in (0, 1)
    const auto [sine, cosine] = of_turns(uniform_of(c, d, 0.0));
    return {radius * cosine, radius * sine};
}

using BlockSource = Stream::Source;

// The words of kLanes blocks, each word of all blocks by itself.
struct BlockLanes {
    alignas(64) std::array<std::array<std::uint32_t, kLanes>, 4> words;
};

SATDL_INLINE void make_blocks(const BlockSource& source, std::uint64_t first, BlockLanes& to) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        const std::uint64_t number = first + lane;
        const PhiloxBlock made = philox(
            {static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32), source.time, source.stream}, source.key);
        for (std::size_t word = 0; word < 4; ++word) to.words[word][lane] = made[word];
    }
}

// `to`: of 4 * kLanes words.
SATDL_INLINE void words_of_lanes(const BlockSource& source, std::uint64_t first_block, std::uint32_t* __restrict to) {
    BlockLanes lanes;
    make_blocks(source, first_block, lanes);
    for (std::size_t lane = 0; lane < kLanes; ++lane)
        for (std::size_t word = 0; word < 4; ++word) to[4 * lane + word] = lanes.words[word][lane];
}

// `to`: of 2 * kLanes numbers.
SATDL_INLINE void normals_of_lanes(const BlockSource& source, std::uint64_t first_block, double* __restrict to) {
    BlockLanes lanes;
    make_blocks(source, first_block, lanes);
    const auto& [a, b, c, d] = lanes.words;
    alignas(64) std::array<double, kLanes> even, odd;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        const auto pair = normal_of(a[lane], b[lane], c[lane], d[lane]);
        even[lane] = pair[0];
        odd[lane] = pair[1];
    }
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        to[2 * lane] = even[lane];
        to[2 * lane + 1] = odd[lane];
    }
}

template <typename T>
using LaneFunction = void (*)(const BlockSource&, std::uint64_t first_block, T* to);

// Without fused multiply-add: see above.
#if defined(__x86_64__)
#define SATDL_AVX2 __attribute__((target("avx2")))
#define SATDL_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#else
#define SATDL_AVX2
#define SATDL_AVX512
#endif

void words_baseline(const BlockSource& source, std::uint64_t first_block, std::uint32_t* to) { words_of_lanes(source, first_block, to); }
SATDL_AVX2 void words_avx2(const BlockSource& source, std::uint64_t first_block, std::uint32_t* to) {
    words_of_lanes(source, first_block, to);
}
SATDL_AVX512 void words_avx512(const BlockSource& source, std::uint64_t first_block, std::uint32_t* to) {
    words_of_lanes(source, first_block, to);
}
void normals_baseline(const BlockSource& source, std::uint64_t first_block, double* to) { normals_of_lanes(source, first_block, to); }
SATDL_AVX2 void normals_avx2(const BlockSource& source, std::uint64_t first_block, double* to) {
    normals_of_lanes(source, first_block, to);
}
SATDL_AVX512 void normals_avx512(const BlockSource& source, std::uint64_t first_block, double* to) {
    normals_of_lanes(source, first_block, to);
}

constexpr std::array<LaneFunction<std::uint32_t>, 3> kWords{words_baseline, words_avx2, words_avx512};
constexpr std::array<LaneFunction<double>, 3> kNormals{normals_baseline, normals_avx2, normals_avx512};

// Whole lanes straight into `to`, the last ones through memory of their own.
template <std::size_t PerBlock, typename T>
void fill(LaneFunction<T> make, const BlockSource& source, std::uint64_t block, std::span<T> to) {
    constexpr std::size_t kChunk = PerBlock * kLanes;
    for (; to.size() >= kChunk; to = to.subspan(kChunk), block += kLanes) make(source, block, to.data());
    if (to.empty()) return;
    std::array<T, kChunk> last;
    make(source, block, last.data());
    std::copy_n(last.begin(), to.size(), to.begin());
}

}  // namespace

Stream::Stream(std::int64_t seed, Purpose purpose, std::uint32_t index, std::uint32_t time)
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(static_cast<std::uint64_t>(seed) >> 32)},
      stream_(static_cast<std::uint32_t>(purpose) << 24 | index),
      time_(time) {
    SATDL_CHECK(index < kMaxIndex, "a random stream's index needs more than 24 bits");
}

bool runs_here([[maybe_unused]] VectorCode code) {
#if defined(__x86_64__)
    if (code == VectorCode::Avx2) return __builtin_cpu_supports("avx2");
    if (code == VectorCode::Avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
#endif
    return code == VectorCode::Baseline;
}

VectorCode fastest_vector_code() {
    static const VectorCode fastest = runs_here(VectorCode::Avx512) ? VectorCode::Avx512
                                      : runs_here(VectorCode::Avx2) ? VectorCode::Avx2
                                                                    : VectorCode::Baseline;
    return fastest;
}

std::array<double, 2> Stream::normal_pair(std::uint64_t pair) const {
    const PhiloxBlock words = block(pair);
    return normal_of(words[0], words[1], words[2], words[3]);
}

void Stream::fill_normal(std::uint64_t first, std::span<double> numbers, VectorCode code) const {
    SATDL_CHECK(first % 2 == 0, "normal numbers come in pairs");
    fill<2>(kNormals[static_cast<std::size_t>(code)], {key_, time_, stream_}, first / 2, numbers);
}

void Stream::fill_words(std::uint64_t first, std::span<std::uint32_t> words, VectorCode code) const {
    SATDL_CHECK(first % 4 == 0, "words come in blocks of four");
    fill<4>(kWords[static_cast<std::size_t>(code)], {key_, time_, stream_}, first / 4, words);
}

std::vector<std::int64_t> shuffled(std::int64_t count, const Stream& stream) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    for (std::uint64_t left = order.size(); left > 1; --left) {
        // The high half of the product is uniform below `left`, but for 1 in 2^64 / left.
        __extension__ using Wide = unsigned __int128;
        const auto chosen = static_cast<std::uint64_t>(Wide{stream.bits(left)} * left >> 64);
        std::swap(order[left - 1], order[chosen]);
    }
    return order;
}

std::uint32_t word_of(std::string_view text) {
    std::uint32_t word = 2166136261u;
    for (const char letter : text) word = (word ^ static_cast<unsigned char>(letter)) * 16777619u;
    return word;
}

}  // namespace satdl::stages
