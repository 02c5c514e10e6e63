#include "stages/samples.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "stages/device.h"
#include "stages/ports.h"
#include "stages/tensor.h"

namespace satdl::stages {
namespace {

// A hint: where the kernel cannot follow it, the pages are read when they are used.
void ask_for(std::span<const std::byte> bytes) {
    static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
    const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size());
    (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);
}

// The bytes of a tensor that is read from the disk, and of one of its samples; none: it is in memory.
struct OnDisk {
    std::span<const std::byte> bytes;
    std::size_t sample = 0;
};

OnDisk on_disk(const at::Tensor& tensor) {
    const ArrayMemory* const memory = array_memory();
    if (memory == nullptr || !tensor.defined() || !tensor.is_cpu() || !tensor.is_contiguous()) return {};
    const std::span bytes(static_cast<const std::byte*>(tensor.data_ptr()), tensor.nbytes());
    if (!memory->on_disk(bytes)) return {};
    return {bytes, bytes.size() / static_cast<std::size_t>(tensor.size(0))};
}

}  // namespace

ParamDescription scale_param() {
    return {.name = "scale",
            .type = ParamType::Number,
            .fallback = "null",
            .min = 1e-30,
            .max = 1e30,
            .help = "samples are uint8, and are divided by this when a batch is made: 255, as normalise does (default: they are float32)",
            .in_key_at_default = false};
}

PortDescription samples_port(PortDescription port) {
    port.dtypes = {DType::Float32};
    port.uint8_scale = "scale";
    return port;
}

Samples samples_at(const StageInputs& inputs, const std::string& x, const Params& params) {
    Samples samples{tensor_of(array_at(inputs, x)), {}, {}};
    if (params.given("scale")) samples.scale = static_cast<float>(params.number("scale"));
    return samples;
}

Samples samples_at(const StageInputs& inputs, const std::string& x, const std::string& target, const Params& params) {
    Samples samples = samples_at(inputs, x, params);
    samples.target = tensor_of(array_at(inputs, target));
    return samples;
}

void check_samples(const Net& net, const Samples& samples, const std::string& x, const std::string& target) {
    const Shape shape = samples.x.sizes().vec();
    if (shape.empty() || shape[0] == 0) throw stage_error(fmt::format("{} has no samples", x));
    if (samples.target.dim() == 0 || samples.target.size(0) != shape[0]) {
        throw stage_error(
            fmt::format("{} has {} samples, {} is {}", x, shape[0], target, shape_text(samples.target.sizes().vec())));
    }
    if (Shape(shape.begin() + 1, shape.end()) != net.input()) {
        throw stage_error(fmt::format("{} is {}, but the network was built for samples of shape {}", x, shape_text(shape),
                                      shape_text(net.input())));
    }
}

Samples placed_near(at::Device device, Samples samples) {
    constexpr std::uint64_t kPartOfMemory = 4;
    if (device.is_cpu()) return samples;
    const std::optional<std::uint64_t> memory = memory_of(device);
    if (memory && samples.x.nbytes() + samples.target.nbytes() > *memory / kPartOfMemory) return samples;
    samples.x = samples.x.to(device);
    samples.target = samples.target.to(device);
    return samples;
}

void gather(const Samples& samples, const at::Tensor& numbers, at::Tensor& batch) {
    const at::Tensor chosen = numbers.to(samples.x.device());
    if (!samples.scale) {
        at::index_select_out(batch, samples.x, 0, chosen);
        return;
    }
    batch.copy_(samples.x.index_select(0, chosen)).div_(*samples.scale);
}

void gather(const Samples& samples, std::int64_t first, const at::Tensor& batch) {
    batch.copy_(samples.x.narrow(0, first, batch.size(0)));
    if (samples.scale) batch.div_(*samples.scale);
}

void will_gather(const Samples& samples, std::span<const std::int64_t> chosen) {
    for (const at::Tensor* const tensor : {&samples.x, &samples.target}) {
        const auto [bytes, size] = on_disk(*tensor);
        if (bytes.empty()) continue;
        for (const std::int64_t sample : chosen) ask_for(bytes.subspan(static_cast<std::size_t>(sample) * size, size));
    }
}

void will_gather(const Samples& samples, std::int64_t first, std::int64_t count) {
    for (const at::Tensor* const tensor : {&samples.x, &samples.target}) {
        const auto [bytes, size] = on_disk(*tensor);
        if (bytes.empty()) continue;
        const std::int64_t last = std::min(tensor->size(0), first + count);
        if (first < last) ask_for(bytes.subspan(static_cast<std::size_t>(first) * size, static_cast<std::size_t>(last - first) * size));
    }
}

}  // namespace satdl::stages
