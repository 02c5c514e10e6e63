// Random numbers as a pure function of where they are used: (seed, purpose, index, time, position).
//
// Nothing here has a state, so an order, a noise or a dropout mask is the same wherever and whenever it is computed, by
// however many threads, after whatever ran before; and a training can be resumed at any step. LibTorch's generators are
// streams, shared by all who draw from them: not used anywhere.
//
// The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC11).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace satdl::stages {

using PhiloxBlock = std::array<std::uint32_t, 4>;

inline constexpr int kPhiloxRounds = 10;
inline constexpr std::array<std::uint32_t, 2> kPhiloxFactors{0xD2511F53, 0xCD9E8D57};
inline constexpr std::array<std::uint32_t, 2> kPhiloxSteps{0x9E3779B9, 0xBB67AE85};  // of the key, a round

[[nodiscard]] __attribute__((always_inline)) inline PhiloxBlock philox(PhiloxBlock counter, std::array<std::uint32_t, 2> key) {
#pragma GCC unroll 10
    for (int round = 0; round < kPhiloxRounds; ++round) {
        const std::uint64_t a = std::uint64_t{kPhiloxFactors[0]} * counter[0];
        const std::uint64_t b = std::uint64_t{kPhiloxFactors[1]} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
        key[0] += kPhiloxSteps[0];
        key[1] += kPhiloxSteps[1];
    }
    return counter;
}

// Streams of different purposes never share a number, whatever their seeds.
enum class Purpose : std::uint32_t { Shuffle = 1, Noise = 2, Dropout = 3, Weights = 4, Augmentation = 5, Split = 6 };

// The instruction sets for which the loops over many numbers are compiled. They differ in speed and in no bit.
enum class VectorCode { Baseline, Avx2, Avx512 };
[[nodiscard]] bool runs_here(VectorCode code);
[[nodiscard]] VectorCode fastest_vector_code();  // that runs here

class Stream {
public:
    // `index`: which layer or tensor, below 2^24 (checked). `time`: the epoch or step.
    Stream(std::int64_t seed, Purpose purpose, std::uint32_t index = 0, std::uint32_t time = 0);

    // Where its blocks begin, all but their number: for those who compute them elsewhere.
    struct Source {
        std::array<std::uint32_t, 2> key;
        std::uint32_t time, stream;
    };
    [[nodiscard]] Source source() const { return {key_, time_, stream_}; }

    [[nodiscard]] std::uint64_t bits(std::uint64_t position) const {
        const PhiloxBlock words = block(position / 2);
        return position % 2 == 0 ? join(words[0], words[1]) : join(words[2], words[3]);
    }
    // In [0, 1), a multiple of 2^-53.
    [[nodiscard]] double uniform(std::uint64_t position) const {
        return static_cast<double>(bits(position) >> 11) * 0x1p-53;
    }
    // Positions 2 * pair and 2 * pair + 1 of the standard normal distribution.
    [[nodiscard]] std::array<double, 2> normal_pair(std::uint64_t pair) const;

    // Many at once, five to ten times as fast as one by one.
    // Positions `first`, ... of the standard normal distribution: those of normal_pair(). Precondition: `first` is even.
    void fill_normal(std::uint64_t first, std::span<double> numbers, VectorCode code = fastest_vector_code()) const;
    // Uniform words: positions 4 n ... 4 n + 3 are the words of block n. Precondition: `first` is a multiple of 4.
    void fill_words(std::uint64_t first, std::span<std::uint32_t> words, VectorCode code = fastest_vector_code()) const;

private:
    [[nodiscard]] PhiloxBlock block(std::uint64_t number) const {
        return philox({static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32), time_, stream_}, key_);
    }
    [[nodiscard]] static std::uint64_t join(std::uint32_t high, std::uint32_t low) {
        return std::uint64_t{high} << 32 | low;
    }

    std::array<std::uint32_t, 2> key_;
    std::uint32_t stream_;
    std::uint32_t time_;
};

// 0 ... count - 1 in the order that the stream decides (Fisher and Yates).
[[nodiscard]] std::vector<std::int64_t> shuffled(std::int64_t count, const Stream& stream);

// A word for a text, to distinguish streams by name (FNV-1a).
[[nodiscard]] std::uint32_t word_of(std::string_view text);

}  // namespace satdl::stages
