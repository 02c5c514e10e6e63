#include "stages/device_random.h"

namespace satdl::stages {
namespace {

constexpr std::int64_t kWord = 0xFFFFFFFF;

struct Product {
    at::Tensor high, low;
};

// Of words, each with one factor below 2^32. The product has 64 bits, which an int64 holds, if not as a positive number.
Product product(const at::Tensor& words, std::int64_t factor) {
    const at::Tensor whole = words * factor;
    return {at::bitwise_right_shift(whole, 32).bitwise_and_(kWord), whole.bitwise_and(kWord)};
}

}  // namespace

// philox() of all blocks at once, a tensor a word.
at::Tensor words_on(at::Device device, const Stream& stream, std::int64_t count) {
    const at::NoGradGuard no_grad;
    const Stream::Source from = stream.source();
    const at::Tensor number = at::arange((count + 3) / 4, at::TensorOptions(at::kLong).device(device));
    at::Tensor counter[] = {number.bitwise_and(kWord), at::bitwise_right_shift(number, 32),
                            at::full_like(number, static_cast<std::int64_t>(from.time)),
                            at::full_like(number, static_cast<std::int64_t>(from.stream))};
    auto key = from.key;
    for (int round = 0; round < kPhiloxRounds; ++round) {
        const Product a = product(counter[0], kPhiloxFactors[0]), b = product(counter[2], kPhiloxFactors[1]);
        counter[0] = b.high.bitwise_xor(counter[1]).bitwise_xor_(static_cast<std::int64_t>(key[0]));
        counter[1] = b.low;
        counter[2] = a.high.bitwise_xor(counter[3]).bitwise_xor_(static_cast<std::int64_t>(key[1]));
        counter[3] = a.low;
        for (std::size_t i = 0; i < key.size(); ++i) key[i] += kPhiloxSteps[i];
    }
    return at::stack(counter, 1).flatten().narrow(0, 0, count);
}

}  // namespace satdl::stages
