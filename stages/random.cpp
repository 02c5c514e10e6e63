// The normal distribution by Box and Muller, with a logarithm, sine and cosine of our own: made of +, -, * and / alone,
// which IEEE 754 rounds the same everywhere. The C library's choose their code by the processor (with or without fused
// multiply-add) and differ in the last bit, so a noise made with them would be another one on another machine. This file is
// compiled without contraction into fused operations, for the same reason.
#include "stages/random.h"

#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "pipeline/core/error.h"

namespace satdl::stages {
namespace {

constexpr std::uint32_t kMaxIndex = 1u << 24;

// Natural logarithm of a positive normal number. Method and coefficients: fdlibm's e_log.c; error below one ulp.
double logarithm(double x) {
    constexpr double kLn2 = 0x1.62e42fefa39efp-1;
    const std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
    int exponent = static_cast<int>(bits >> 52) - 1023;
    double mantissa = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
    if (mantissa > 0x1.6a09e667f3bcdp0) {  // sqrt(2): then 1 + f lies in [sqrt(1/2), sqrt(2)]
        mantissa *= 0.5;
        ++exponent;
    }
    const double f = mantissa - 1.0;
    const double s = f / (2.0 + f);
    const double z = s * s;
    const double r = z * (6.666666666666735130e-01 + z * (3.999999999940941908e-01 + z * (2.857142874366239149e-01 +
                     z * (2.222219843214978396e-01 + z * (1.818357216161805012e-01 + z * (1.531383769920937332e-01 +
                     z * 1.479819860511658591e-01))))));
    return exponent * kLn2 + (f - s * (f - r));
}

// Sine and cosine of 2 pi u, 0 <= u < 1. Coefficients: fdlibm's k_sin.c and k_cos.c, for |x| <= pi / 4.
std::pair<double, double> sine_and_cosine_of_turns(double u) {
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
    switch (quarter & 3) {
        case 0: return {sine, cosine};
        case 1: return {cosine, -sine};
        case 2: return {-sine, -cosine};
        default: return {-cosine, sine};
    }
}

}  // namespace

Stream::Stream(std::int64_t seed, Purpose purpose, std::uint32_t index, std::uint32_t time)
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(static_cast<std::uint64_t>(seed) >> 32)},
      stream_(static_cast<std::uint32_t>(purpose) << 24 | index),
      time_(time) {
    SATDL_CHECK(index < kMaxIndex, "a random stream's index needs more than 24 bits");
}

std::array<double, 2> Stream::normal_pair(std::uint64_t pair) const {
    const PhiloxBlock words = block(pair);
    const double first = (static_cast<double>(join(words[0], words[1]) >> 11) + 0.5) * 0x1p-53;  // in (0, 1)
    const double second = static_cast<double>(join(words[2], words[3]) >> 11) * 0x1p-53;
    const double radius = std::sqrt(-2.0 * logarithm(first));
    const auto [sine, cosine] = sine_and_cosine_of_turns(second);
    return {radius * cosine, radius * sine};
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
