// Unknown extents stay unknown and never clash; counts saturate far above anything that could be trained.
#include "pipeline/network/network_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace satdl {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;  // of one sample's output
constexpr std::int64_t kMaxCount = std::int64_t{1} << 48;     // so that the sum over a network cannot overflow

// Zero if a factor is zero; else unknown if one is unknown.
std::int64_t product(std::initializer_list<std::int64_t> factors) {
    if (std::ranges::find(factors, 0) != factors.end()) return 0;
    std::int64_t result = 1;
    for (const std::int64_t factor : factors) {
        if (factor == kUnknown) return kUnknown;
        if (__builtin_mul_overflow(result, factor, &result) || result > kMaxCount) return kMaxCount;
    }
    return result;
}

std::int64_t elements(const Shape& shape) {
    std::int64_t result = 1;
    for (const std::int64_t extent : shape) result = product({result, extent});
    return result;
}

std::int64_t sum(std::int64_t a, std::int64_t b) { return a == kUnknown || b == kUnknown ? kUnknown : a + b; }

// How many windows of `size` fit, stepping by `stride`; 0 if none does.
std::int64_t windows(std::int64_t extent, std::int64_t size, std::int64_t stride) {
    if (extent == kUnknown) return kUnknown;
    return extent < size ? 0 : (extent - size) / stride + 1;
}

// One layer's summary, or what the layer needs if its input does not fit.
class Summary {
public:
    Summary(const Layer& layer, const Shape& input) : input_(input), made_{layer.name, layer.kind(), input, 0, 0, 0} {
        std::visit([this](const auto& spec) { of(spec); }, layer.spec);
        if (needs_.empty() && input.empty()) require_features();
        if (needs_.empty() && elements(input) == 0) needs_ = "samples with at least one element";
        if (needs_.empty() && elements(made_.output) > kMaxElements) needs_ = "an input whose output fits into memory";
    }

    [[nodiscard]] const std::string& needs() const { return needs_; }
    [[nodiscard]] const std::string& hint() const { return hint_; }
    [[nodiscard]] const LayerSummary& made() const { return made_; }

private:
    [[nodiscard]] bool is_image() {
        if (input_.size() == 3) return true;
        needs_ = "[N, channels, height, width]";
        return false;
    }

    void require_features() {
        needs_ = "[N, features]";
        hint_ = input_.empty() ? "NumPy's x.reshape(-1, 1) gives each sample one feature" : "add `flatten` before it";
    }

    void of(const Conv& conv) {
        if (!is_image()) return;
        const auto extent = [&](std::int64_t size) {
            if (conv.padding == Padding::Valid) return windows(size, conv.kernel, conv.stride);
            return size == kUnknown ? kUnknown : (size + conv.stride - 1) / conv.stride;
        };
        const std::int64_t weights = product({conv.filters, input_[0], conv.kernel, conv.kernel});
        made_.output = {conv.filters, extent(input_[1]), extent(input_[2])};
        made_.trainable = sum(weights, conv.bias ? conv.filters : 0);
        made_.multiply_adds = product({weights, made_.output[1], made_.output[2]});
        if (made_.output[1] == 0 || made_.output[2] == 0)
            needs_ = fmt::format("at least {0} x {0} pixels", conv.padding == Padding::Valid ? conv.kernel : 1);
    }

    void of(const Dense& dense) {
        if (input_.size() != 1) return require_features();
        made_.output = {dense.units};
        made_.multiply_adds = product({dense.units, input_[0]});
        made_.trainable = sum(made_.multiply_adds, dense.bias ? dense.units : 0);
    }

    void of(const BatchNorm&) {
        if (input_.size() != 3 && input_.size() != 1) {
            needs_ = "[N, channels, height, width] or [N, features]";
            return;
        }
        made_.trainable = product({2, input_[0]});
        made_.non_trainable = made_.trainable;
        made_.multiply_adds = elements(input_);
    }

    void of(const Pool& pool) {
        if (!is_image()) return;
        made_.output = {input_[0], windows(input_[1], pool.size, pool.stride), windows(input_[2], pool.size, pool.stride)};
        if (pool.kind == PoolKind::Average) made_.multiply_adds = product({elements(made_.output), pool.size, pool.size});
        if (made_.output[1] == 0 || made_.output[2] == 0) needs_ = fmt::format("at least {0} x {0} pixels", pool.size);
    }

    void of(const Upsample& upsample) {
        if (!is_image()) return;
        made_.output = {input_[0], product({input_[1], upsample.factor}), product({input_[2], upsample.factor})};
    }

    void of(const Flatten&) { made_.output = {elements(input_)}; }
    void of(const Unflatten& unflatten) {
        made_.output = {unflatten.channels, unflatten.height, unflatten.width};
        const std::int64_t features = elements(made_.output);
        if (input_.size() == 1 && (input_[0] == features || input_[0] == kUnknown)) return;
        needs_ = fmt::format("[N, {}]", features);
    }

    void of(const GlobalAveragePool&) {
        if (!is_image()) return;
        made_.output = {input_[0]};
        made_.multiply_adds = elements(input_);
        if (input_[1] == 0 || input_[2] == 0) needs_ = "at least 1 x 1 pixels";
    }

    void of(const LayerNorm&) {
        if (input_.size() != 3 && input_.size() != 1) {
            needs_ = "[N, channels, height, width] or [N, features]";
            return;
        }
        made_.trainable = product({2, input_[0]});
        made_.multiply_adds = elements(input_);
    }

    void of(const RandomFlip&) { (void)is_image(); }
    void of(const RandomCrop&) { (void)is_image(); }
    void of(const Dropout&) {}
    void of(const Activate&) {}

    const Shape& input_;
    LayerSummary made_;
    std::string needs_;
    std::string hint_;
};

}  // namespace

std::array<std::int64_t, 2> zeros_around(std::int64_t extent, const Conv& conv) {
    if (conv.padding == Padding::Valid) return {0, 0};
    const std::int64_t outputs = (extent + conv.stride - 1) / conv.stride;
    const std::int64_t total = std::max<std::int64_t>((outputs - 1) * conv.stride + conv.kernel - extent, 0);
    return {total / 2, total - total / 2};
}

std::string batch_text(const Shape& sample) {
    std::string text = "[N";
    for (const std::int64_t extent : sample) text += extent == kUnknown ? ", ?" : fmt::format(", {}", extent);
    return text + "]";
}

std::vector<LayerSummary> summarise(const Network& network, const Shape& input, Diagnostics& diagnostics) {
    std::vector<LayerSummary> summaries;
    summaries.reserve(network.layers.size());
    for (const Layer& layer : network.layers) {
        const Shape& before = summaries.empty() ? input : summaries.back().output;
        const Summary summary(layer, before);
        if (!summary.needs().empty()) {
            diagnostics.add(layer.place,
                            fmt::format("layer {} needs {}, but gets {}{}", layer.name, summary.needs(), batch_text(before),
                                        summaries.empty() ? "" : fmt::format(" from {}", summaries.back().name)),
                            summary.hint());
            break;
        }
        summaries.push_back(summary.made());
    }
    return summaries;
}

}  // namespace satdl
