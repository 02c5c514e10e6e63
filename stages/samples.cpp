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

// A hint for the samples from `first` on, as far as there are so many: where the kernel cannot follow it, nothing is lost. Around a page
// that is used the kernel maps others that it has: up to all that share a table of pages. They are let go of together.
void advise(const OnDisk& samples, std::int64_t first, std::int64_t count, int advice) {
    constexpr std::uintptr_t kMappedAtOnce = 2 << 20;
    static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto address = reinterpret_cast<std::uintptr_t>(samples.bytes.data());
    const std::uintptr_t all_begin = address / page * page, all_end = (address + samples.bytes.size() + page - 1) / page * page;
    const std::uintptr_t unit = advice == MADV_DONTNEED ? kMappedAtOnce : page;
    const std::uintptr_t from = address + static_cast<std::uintptr_t>(first) * samples.sample;
    const std::uintptr_t to = from + static_cast<std::uintptr_t>(count) * samples.sample;
    const std::uintptr_t begin = std::max(all_begin, from / unit * unit), end = std::min(all_end, (to + unit - 1) / unit * unit);
    if (begin < end) (void)::madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

void advise(const Samples& samples, std::span<const std::int64_t> chosen, int advice) {
    for (const at::Tensor* const tensor : {&samples.x, &samples.target}) {
        const OnDisk all = on_disk(*tensor);
        if (all.bytes.empty()) continue;
        for (const std::int64_t sample : chosen) advise(all, sample, 1, advice);
    }
}

void advise(const Samples& samples, std::int64_t first, std::int64_t count, int advice) {
    for (const at::Tensor* const tensor : {&samples.x, &samples.target}) {
        const OnDisk all = on_disk(*tensor);
        if (!all.bytes.empty()) advise(all, first, count, advice);
    }
}

}  // namespace

ParamDescription scale_param() {
    return {.name = "scale",
            .type = ParamType::Number,
            .fallback = "null",
            .min = 1e-30,
            .max = 1e30,
            .help = "samples are uint8, and divided by this in each batch, as by normalise: 255 (default: they are float32)",
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
    const at::Tensor chosen = sent_to(samples.x.device(), numbers);
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

void will_gather(const Samples& samples, std::span<const std::int64_t> chosen) { advise(samples, chosen, MADV_WILLNEED); }
void will_gather(const Samples& samples, std::int64_t first, std::int64_t count) { advise(samples, first, count, MADV_WILLNEED); }
void was_gathered(const Samples& samples, std::span<const std::int64_t> chosen) { advise(samples, chosen, MADV_DONTNEED); }
void was_gathered(const Samples& samples, std::int64_t first, std::int64_t count) { advise(samples, first, count, MADV_DONTNEED); }

}  // namespace satdl::stages
