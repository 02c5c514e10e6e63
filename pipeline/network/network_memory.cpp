#include "pipeline/network/network_memory.h"

#include <algorithm>

namespace satdl {
namespace {

constexpr double kBytes = 4;           // of a float32
constexpr double kMost = 0x1p60;       // far beyond any memory
constexpr double kCopiesOfWeights = 10;

// In float64, which does not overflow; nullopt if one is unknown.
std::optional<double> known_elements(const Shape& shape) {
    double product = 1;
    for (const std::int64_t extent : shape) {
        if (extent == kUnknown) return std::nullopt;
        product *= static_cast<double>(extent);
    }
    return product;
}

}  // namespace

std::optional<std::uint64_t> network_bytes(std::span<const LayerSummary> layers, const Shape& input, std::int64_t batch,
                                           NetworkUse use) {
    const std::optional<double> read = known_elements(input);
    double weights = 0, all = 0, largest = read.value_or(0);
    for (const LayerSummary& layer : layers) {
        const std::optional<double> output = known_elements(layer.output);
        if (!read || !output || layer.trainable == kUnknown || layer.non_trainable == kUnknown) return std::nullopt;
        weights += static_cast<double>(layer.trainable + layer.non_trainable);
        all += *output;
        largest = std::max(largest, *output);
    }
    const bool trains = use == NetworkUse::Training;
    const double sample = read.value_or(0) + (trains ? 2 * all : 3 * largest);
    const double numbers = weights * (trains ? kCopiesOfWeights : 1) + static_cast<double>(batch) * sample;
    return static_cast<std::uint64_t>(std::min(numbers * kBytes, kMost));
}

}  // namespace satdl
