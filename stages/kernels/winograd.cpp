#include "stages/kernels/winograd.h"

#include <algorithm>

namespace satdl::stages::kernels {
namespace {

constexpr std::int64_t kFewestChannels = 32;    // below, the transforms cost more than the products save
constexpr std::int64_t kBytesAtOnce = 3 << 19;  // of transformed tiles: they stay in the second-level cache
constexpr std::int64_t kBytesOfParts = 40 << 20;
constexpr std::int64_t kMostParts = 16;
constexpr std::int64_t kFewestTilesOfPart = 128;
constexpr std::int64_t kOutputsAtOnce = 128;  // a task of the weights' gradient; the inputs are transformed for each

std::int64_t rounded_up(std::int64_t value, std::int64_t to) { return (value + to - 1) / to * to; }

std::int64_t bytes_of(std::int64_t floats) { return floats * static_cast<std::int64_t>(sizeof(float)); }

// Tiles at once. Where the multipliers are more than the second-level cache holds, they are read again for each: then more tiles
// pay.
std::int64_t tiles_for(std::int64_t channels, const ConvShape& shape) {
    const std::int64_t bytes = std::max(kBytesAtOnce, bytes_of(kPlanes * shape.inputs * shape.outputs) * 2 / 3);
    return std::max(kTileRows, bytes / bytes_of(kPlanes * channels) / kTileRows * kTileRows);
}

}  // namespace

bool winograd_takes(std::int64_t inputs, std::int64_t outputs) {
    return inputs % 16 == 0 && outputs % 16 == 0 && inputs >= kFewestChannels && outputs >= kFewestChannels;
}

Winograd::Winograd(const WinogradLoops& loops, const ConvShape& shape, const Workers& workers)
    : loops_(loops), shape_(shape), workers_(workers) {
    const std::int64_t share = rounded_up(std::max<std::int64_t>(shape.tiles() / (3 * workers.count), 1), kTileRows);
    tiles_a_task_ = std::min(tiles_for(shape.inputs + shape.outputs, shape), share);
    const std::int64_t part_bytes = bytes_of(kPlanes * plane_stride(shape.outputs, shape.inputs));
    parts_ = std::clamp<std::int64_t>(std::min(kBytesOfParts / part_bytes, shape.tiles() / kFewestTilesOfPart), 1, kMostParts);
    tiles_at_once_ = std::min(tiles_for(shape.inputs + outputs_at_once(), shape), rounded_up(shape.tiles(), kTileRows));
}

std::int64_t Winograd::outputs_at_once() const { return std::min(shape_.outputs, kOutputsAtOnce); }

std::vector<Winograd::WorkerMemory> Winograd::memory_of_workers(std::int64_t tiles, std::int64_t channels,
                                                                std::int64_t other_channels, const Scratch& scratch) const {
    std::vector<WorkerMemory> memory;
    for (std::int64_t worker = 0; worker < workers_.count; ++worker)
        memory.push_back(
            {scratch(kPlanes * plane_stride(tiles, channels)), scratch(kPlanes * plane_stride(tiles, other_channels))});
    return memory;
}

void Winograd::forward(const float* x, const float* weights, const float* bias, bool relu, float* y,
                       const Scratch& scratch) const {
    product(false, x, weights, bias, relu, y, scratch);
}

void Winograd::data_gradient(const float* dy, const float* weights, float* dx, const Scratch& scratch) const {
    product(true, dy, weights, nullptr, false, dx, scratch);
}

void Winograd::product(bool gradient, const float* images, const float* weights, const float* bias, bool relu, float* to,
                       const Scratch& scratch) const {
    const std::int64_t from_channels = gradient ? shape_.outputs : shape_.inputs;
    const std::int64_t to_channels = gradient ? shape_.inputs : shape_.outputs;
    float* const multipliers = scratch(kPlanes * plane_stride(from_channels, to_channels));
    const std::vector<WorkerMemory> memory = memory_of_workers(tiles_a_task_, from_channels, to_channels, scratch);
    workers_.run(to_channels / loops_.lanes, [&](std::int64_t block, std::int64_t) {
        loops_.transform_weights(shape_, weights, gradient, block, block + 1, multipliers);
    });
    workers_.run((shape_.tiles() + tiles_a_task_ - 1) / tiles_a_task_, [&](std::int64_t task, std::int64_t worker) {
        const auto [tiles, products] = memory[static_cast<std::size_t>(worker)];
        const TileRange range{task * tiles_a_task_, std::min((task + 1) * tiles_a_task_, shape_.tiles())};
        loops_.transform_images(shape_, from_channels, images, range, tiles);
        loops_.multiply(range.filled_up(), from_channels, to_channels, tiles, multipliers, products);
        loops_.transform_products(shape_, to_channels, products, bias, relu, range, to);
    });
}

void Winograd::weight_gradient(const float* x, const float* dy, float* dweights, const Scratch& scratch) const {
    std::vector<float*> sums;
    for (std::int64_t part = 0; part < parts_; ++part)
        sums.push_back(scratch(kPlanes * plane_stride(shape_.outputs, shape_.inputs)));
    const std::vector<WorkerMemory> memory = memory_of_workers(tiles_at_once_, shape_.inputs, outputs_at_once(), scratch);
    const std::int64_t tasks_a_part = (shape_.outputs + outputs_at_once() - 1) / outputs_at_once();
    workers_.run(parts_ * tasks_a_part, [&](std::int64_t task, std::int64_t worker) {
        const std::int64_t part = task / tasks_a_part;
        add_up(part, task % tasks_a_part * outputs_at_once(), x, dy, sums[static_cast<std::size_t>(part)],
               memory[static_cast<std::size_t>(worker)]);
    });
    workers_.run(shape_.outputs, [&](std::int64_t output, std::int64_t) {
        loops_.transform_kernel_sums(shape_, sums.data(), parts_, output, dweights);
    });
}

// The sums over one part of the tiles, for some outputs from `output` on.
void Winograd::add_up(std::int64_t part, std::int64_t output, const float* x, const float* dy, float* sums,
                      const WorkerMemory& memory) const {
    const std::int64_t count = std::min(outputs_at_once(), shape_.outputs - output);
    const std::int64_t first = shape_.tiles() * part / parts_, last = shape_.tiles() * (part + 1) / parts_;
    for (std::int64_t tile = first; tile < last; tile += tiles_at_once_) {
        const TileRange range{tile, std::min(tile + tiles_at_once_, last)};
        loops_.transform_images(shape_, shape_.inputs, x, range, memory.tiles);
        loops_.transform_gradients(shape_, output, count, dy, range, memory.others);
        loops_.multiply_transposed(range.filled_up(), count, shape_.inputs, memory.others, memory.tiles, tile > first,
                                   plane_stride(shape_.outputs, shape_.inputs), sums + output * shape_.inputs);
    }
}

}  // namespace satdl::stages::kernels
