#include "stages/kernels/elementwise.h"

#include <bit>
#include <cstring>

namespace satdl::stages::kernels {

#if defined(__x86_64__)
// Loops over what these inline are compiled to vector instructions; -ffp-contract=off keeps every multiply-add that is not
// written as one apart.
#define SATDL_AVX2 __attribute__((target("avx2,fma")))
#define SATDL_INLINE __attribute__((target("avx2,fma"), always_inline)) inline
#define SATDL_INLINE_LAMBDA __attribute__((target("avx2,fma"), always_inline))
#else
#define SATDL_AVX2
#define SATDL_INLINE __attribute__((always_inline)) inline
#define SATDL_INLINE_LAMBDA __attribute__((always_inline))
#endif

namespace {

constexpr int kLanes = 8;
constexpr std::int64_t kBlock = 1024;  // numbers whose losses are kept until they are summed

SATDL_INLINE float multiply_add(float a, float b, float c) {
    return __builtin_fmaf(a, b, c);
}

// 2^n for n from -126 to 127.
SATDL_INLINE float power_of_two(std::int32_t n) {
    return std::bit_cast<float>((n + 127) << 23);
}

SATDL_INLINE float exp_of(float x) {
    x = x > 89.0f ? 89.0f : x;  // e^89 is infinite; NaN stays
    x = x < -104.0f ? -104.0f : x;
    constexpr float kRound = 0x1.8p23f;
    const float shifted = multiply_add(x, 0x1.715476p0f, kRound);  // its last bits: x / ln 2, rounded
    const float n = shifted - kRound;
    float r = multiply_add(n, -0.693359375f, x);
    r = multiply_add(n, 2.12194440e-4f, r);
    float p = 1.9875691500e-4f;
    p = multiply_add(p, r, 1.3981999507e-3f);
    p = multiply_add(p, r, 8.3334519073e-3f);
    p = multiply_add(p, r, 4.1665795894e-2f);
    p = multiply_add(p, r, 1.6666665459e-1f);
    p = multiply_add(p, r, 5.0000001201e-1f);
    p = multiply_add(p, r * r, r) + 1.0f;
    const std::int32_t whole = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound);
    const std::int32_t half = whole >> 1;  // 2^whole alone may be no normal number
    return p * power_of_two(half) * power_of_two(whole - half);
}

// Of a positive, normal number; infinity and NaN stay.
SATDL_INLINE float log_of(float x) {
    const std::int32_t bits = std::bit_cast<std::int32_t>(x);
    const std::int32_t exponent =
        (bits - std::bit_cast<std::int32_t>(0x1.6a09e6p-1f)) >> 23;  // x = m 2^exponent, m from sqrt(1/2) to sqrt(2)
    const float m = std::bit_cast<float>(bits - (exponent << 23)) - 1.0f;
    const auto e = static_cast<float>(exponent);
    const float z = m * m;
    float p = 7.0376836292e-2f;
    p = multiply_add(p, m, -1.1514610310e-1f);
    p = multiply_add(p, m, 1.1676998740e-1f);
    p = multiply_add(p, m, -1.2420140846e-1f);
    p = multiply_add(p, m, 1.4249322787e-1f);
    p = multiply_add(p, m, -1.6668057665e-1f);
    p = multiply_add(p, m, 2.0000714765e-1f);
    p = multiply_add(p, m, -2.4999993993e-1f);
    p = multiply_add(p, m, 3.3333331174e-1f);
    float y = p * m * z;
    y = multiply_add(e, -2.12194440e-4f, y);
    y = multiply_add(z, -0.5f, y);
    y = multiply_add(e, 0.693359375f, m + y);
    return x - x == 0.0f ? y : x;
}

// log(1 + x) of x from 0 to 1: log(u) x / (u - 1) with u = 1 + x as it was rounded (Kahan).
SATDL_INLINE float log_of_one_and(float x) {
    const float u = 1.0f + x, over = u - 1.0f;
    const float divisor = over == 0.0f ? 1.0f : over;
    return over == 0.0f ? x : log_of(u) * (x / divisor);
}

SATDL_INLINE float absolute(float x) {
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0x7FFFFFFFu);
}

SATDL_INLINE float sigmoid_of(float x) {
    return 1.0f / (1.0f + exp_of(-x));
}

SATDL_INLINE float tanh_of(float x) {
    const float size = absolute(x), z = x * x;
    float p = -5.70498872745e-3f;
    p = multiply_add(p, z, 2.06390887954e-2f);
    p = multiply_add(p, z, -5.37397155531e-2f);
    p = multiply_add(p, z, 1.33314422036e-1f);
    p = multiply_add(p, z, -3.33332819422e-1f);
    const float small = multiply_add(p * z, x, x);
    const float large = 1.0f - 2.0f / (exp_of(size + size) + 1.0f);
    const float signed_large =
        std::bit_cast<float>(std::bit_cast<std::uint32_t>(large) | (std::bit_cast<std::uint32_t>(x) & 0x80000000u));
    return size < 0.625f ? small : signed_large;
}

SATDL_INLINE float leaky_of(float x, float slope) {
    return x > 0.0f ? x : x * slope;
}
SATDL_INLINE float relu_of(float x) {
    return x < 0.0f ? 0.0f : x;
}  // NaN stays

// Derivatives, given what the function gives.
SATDL_INLINE float sigmoid_slope(float y) {
    return y * (1.0f - y);
}
SATDL_INLINE float tanh_slope(float y) {
    return multiply_add(-y, y, 1.0f);
}

struct Sum {
    double lanes[kLanes] = {};

    SATDL_INLINE double total() const {
        return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
    }
};

SATDL_INLINE void add_to(Sum& sum, std::int64_t count, const float* values) {
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        for (int lane = 0; lane < kLanes; ++lane) sum.lanes[lane] += static_cast<double>(values[i + lane]);
    for (int lane = 0; i < count; ++i, ++lane) sum.lanes[lane] += static_cast<double>(values[i]);
}

SATDL_INLINE float greatest_of(std::int64_t count, const float* values) {
    float lanes[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] = values[lane < count ? lane : 0];
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        for (int lane = 0; lane < kLanes; ++lane)
            lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
    float top = lanes[0];
    for (; i < count; ++i) top = values[i] > top ? values[i] : top;
    for (int lane = 1; lane < kLanes; ++lane) top = lanes[lane] > top ? lanes[lane] : top;
    return top;
}

// values = exp(values - top); their sum
SATDL_INLINE float exponentials(std::int64_t count, float top, float* values) {
    for (std::int64_t i = 0; i < count; ++i) values[i] = exp_of(values[i] - top);
    Sum sum;
    add_to(sum, count, values);
    return static_cast<float>(sum.total());
}

// loss(i) and gradient(i) of each number, the losses summed. `of`: (z, target, loss) -> gradient.
template <typename Of>
SATDL_INLINE double each_loss(std::int64_t count, const float* __restrict target, float* __restrict z, const Of& of) {
    float losses[kBlock];
    Sum sum;
    for (std::int64_t first = 0; first < count; first += kBlock) {
        const std::int64_t some = count - first < kBlock ? count - first : kBlock;
        for (std::int64_t i = 0; i < some; ++i) z[first + i] = of(z[first + i], target[first + i], losses[i]);
        add_to(sum, some, losses);
    }
    return sum.total();
}

}  // namespace

SATDL_AVX2 void activate(const Unit& unit, std::int64_t count, float* x) {
    const float slope = unit.slope;
    switch (unit.kind) {
        case Activation::Relu:
            for (std::int64_t i = 0; i < count; ++i) x[i] = relu_of(x[i]);
            break;
        case Activation::LeakyRelu:
            for (std::int64_t i = 0; i < count; ++i) x[i] = leaky_of(x[i], slope);
            break;
        case Activation::Sigmoid:
            for (std::int64_t i = 0; i < count; ++i) x[i] = sigmoid_of(x[i]);
            break;
        case Activation::Tanh:
            for (std::int64_t i = 0; i < count; ++i) x[i] = tanh_of(x[i]);
            break;
        default:
            break;
    }
}

SATDL_AVX2 void times_derivative(const Unit& unit, std::int64_t count, const float* __restrict y,
                                 float* __restrict gradient) {
    const float slope = unit.slope;
    switch (unit.kind) {
        case Activation::Relu:
            for (std::int64_t i = 0; i < count; ++i) gradient[i] = y[i] <= 0.0f ? 0.0f : gradient[i];
            break;
        case Activation::LeakyRelu:
            for (std::int64_t i = 0; i < count; ++i) gradient[i] = y[i] > 0.0f ? gradient[i] : gradient[i] * slope;
            break;
        case Activation::Sigmoid:
            for (std::int64_t i = 0; i < count; ++i) gradient[i] *= sigmoid_slope(y[i]);
            break;
        case Activation::Tanh:
            for (std::int64_t i = 0; i < count; ++i) gradient[i] *= tanh_slope(y[i]);
            break;
        default:
            break;
    }
}

SATDL_AVX2 void add(std::int64_t count, const float* __restrict more, float* __restrict sum) {
    for (std::int64_t i = 0; i < count; ++i) sum[i] += more[i];
}

SATDL_AVX2 double squared_error(const Unit& unit, std::int64_t count, const float* target, float scale, float* z) {
    const float twice = 2 * scale, slope = unit.slope;
    switch (unit.kind) {
        case Activation::Relu:
            return each_loss(count, target, z, [=](float x, float t, float& loss) SATDL_INLINE_LAMBDA {
                const float error = relu_of(x) - t;
                loss = error * error;
                return x <= 0.0f ? 0.0f : error * twice;
            });
        case Activation::LeakyRelu:
            return each_loss(count, target, z, [=](float x, float t, float& loss) SATDL_INLINE_LAMBDA {
                const float error = leaky_of(x, slope) - t, g = error * twice;
                loss = error * error;
                return x > 0.0f ? g : g * slope;
            });
        case Activation::Sigmoid:
            return each_loss(count, target, z, [=](float x, float t, float& loss) SATDL_INLINE_LAMBDA {
                const float y = sigmoid_of(x), error = y - t;
                loss = error * error;
                return error * twice * sigmoid_slope(y);
            });
        case Activation::Tanh:
            return each_loss(count, target, z, [=](float x, float t, float& loss) SATDL_INLINE_LAMBDA {
                const float y = tanh_of(x), error = y - t;
                loss = error * error;
                return error * twice * tanh_slope(y);
            });
        default:
            break;
    }
    return each_loss(count, target, z, [=](float x, float t, float& loss) SATDL_INLINE_LAMBDA {
        const float error = x - t;
        loss = error * error;
        return error * twice;
    });
}

SATDL_AVX2 double binary_cross_entropy(std::int64_t count, const float* target, float scale, float* z) {
    return each_loss(count, target, z, [=](float x, float t, float& loss) SATDL_INLINE_LAMBDA {
        const float e = exp_of(-absolute(x)), inverse = 1.0f / (1.0f + e);
        loss = (relu_of(x) - x * t) + log_of_one_and(e);
        const float probability = x < 0.0f ? e * inverse : inverse;
        return (probability - t) * scale;
    });
}

SATDL_AVX2 double cross_entropy(std::int64_t count, std::int64_t label, float scale, float* z) {
    const float top = greatest_of(count, z), wanted = z[label] - top;
    const float total = exponentials(count, top, z);
    const double loss = static_cast<double>(log_of(total)) - static_cast<double>(wanted);
    for (std::int64_t i = 0; i < count; ++i) z[i] /= total;
    z[label] -= 1.0f;
    for (std::int64_t i = 0; i < count; ++i) z[i] *= scale;
    return loss;
}

SATDL_AVX2 std::int64_t right_of_zero(std::int64_t count, const float* __restrict z, const float* __restrict target) {
    std::int32_t right = 0;
    for (std::int64_t i = 0; i < count; ++i) right += (z[i] > 0.0f) == (target[i] > 0.5f) ? 1 : 0;
    return right;
}

std::int64_t greatest(std::int64_t count, const float* values) {
    std::int64_t top = 0;
    for (std::int64_t i = 1; i < count; ++i) top = values[i] > values[top] ? i : top;
    return top;
}

}  // namespace satdl::stages::kernels
