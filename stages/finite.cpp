#include "stages/finite.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <mutex>
#include <span>

#include "stages/parallel.h"

namespace satdl::stages {
namespace {

constexpr std::int64_t kGrain = 256;  // samples

// On bits, and without an early end: this way it is vectorised. From infinity's on, adding a one to the exponent carries into the sign bit.
bool is_finite(std::span<const float> sample) {
    std::uint32_t carried = 0;
    for (const float value : sample) carried |= (std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFu) + 0x00800000u;
    return carried >> 31 == 0;
}

}  // namespace

std::optional<NotFinite> find_not_finite(const Array& samples, int threads) {
    const std::int64_t count = samples.shape().at(0);
    const std::span<const float> values = samples.values<float>();
    const std::size_t size = count == 0 ? 0 : values.size() / static_cast<std::size_t>(count);
    std::mutex mutex;
    NotFinite all{.samples = 0, .first = count};
    parallel_ranges(count, kGrain, threads, [&](std::int64_t first, std::int64_t last) {
        NotFinite here{.samples = 0, .first = count};
        for (std::int64_t i = first; i < last; ++i) {
            if (is_finite(values.subspan(static_cast<std::size_t>(i) * size, size))) continue;
            ++here.samples;
            here.first = std::min(here.first, i);
        }
        const std::scoped_lock lock(mutex);
        all.samples += here.samples;
        all.first = std::min(all.first, here.first);
    });
    return all.samples > 0 ? std::optional(all) : std::nullopt;
}

void warn_of_not_finite(const Array& output, std::string_view port, StageContext& context) {
    const auto found = find_not_finite(output, context.threads());
    if (!found) return;
    context.log(LogLevel::Warning, fmt::format("{} has NaN or infinity in {} of {} samples; the first of them is sample {}: check what the "
                                               "stage reads",
                                               port, found->samples, output.shape()[0], found->first));
}

}  // namespace satdl::stages
