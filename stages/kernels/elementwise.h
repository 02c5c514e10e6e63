// Functions of single numbers, their derivatives, and losses, on the calling thread.
//
// Each number goes through the same correctly rounded operations (+, *, /, fused multiply-add) wherever it stands: no scalar
// function for what a vector leaves over, as LibTorch has. So results depend neither on how an array is cut into pieces nor
// on threads, AVX2 or AVX-512. Sums run in eight lanes of doubles, added in order.
//
// exp, log and tanh follow Cephes (S. Moshier, single precision): within 2 units of the last place.
#pragma once

#include <cstdint>

#include "pipeline/network/layer_kinds.h"

namespace satdl::stages::kernels {

// None, Relu, LeakyRelu, Sigmoid or Tanh; `slope` is that of LeakyRelu, above 0.
struct Unit {
    Activation kind = Activation::None;
    float slope = 0;
};
[[nodiscard]] constexpr bool is_elementwise(Activation kind) {
    return kind == Activation::None || kind == Activation::Relu || kind == Activation::LeakyRelu ||
           kind == Activation::Sigmoid || kind == Activation::Tanh;
}

void activate(const Unit& unit, std::int64_t count, float* x);  // x = f(x)
// gradient *= f'(x), given y = f(x)
void times_derivative(const Unit& unit, std::int64_t count, const float* y, float* gradient);
void add(std::int64_t count, const float* more, float* sum);  // sum += more

// Losses of one sample, or of a piece of one. Each gives the sum of its outputs' losses, and turns z, the outputs before
// their activation, into the gradient of `scale` times that sum.

// Sum of (f(z) - target)^2.
double squared_error(const Unit& unit, std::int64_t count, const float* target, float scale, float* z);
// Of binary cross-entropy, where the probabilities are sigmoid(z).
double binary_cross_entropy(std::int64_t count, const float* target, float scale, float* z);
// -log of the probability of class `label`, where the probabilities are softmax(z).
double cross_entropy(std::int64_t count, std::int64_t label, float scale, float* z);

// How many outputs say yes (z above 0) where the target does (above 0.5), and no where it does not.
[[nodiscard]] std::int64_t right_of_zero(std::int64_t count, const float* z, const float* target);
// The position of the greatest number, the first one of several.
[[nodiscard]] std::int64_t greatest(std::int64_t count, const float* values);

}  // namespace satdl::stages::kernels
