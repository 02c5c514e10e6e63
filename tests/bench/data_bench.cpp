// The stages between a dataset and a training, on as many images as MNIST has: prints the median seconds of a run, its output's memory
// included. Their twins in NumPy are data_bench.py.
//
// usage: data_bench add_noise|normalise|concat THREADS
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <type_traits>
#include <vector>

#include "stages/stages.h"
#include "tests/stages/stage_test.h"

namespace {

using namespace satdl;
using namespace satdl::stages;
using SteadyClock = std::chrono::steady_clock;

constexpr int kRuns = 9;
const Shape kImages{60'000, 1, 28, 28};

template <typename T>
NamedArrays images() {
    std::vector<T> pixels(static_cast<std::size_t>(element_count(kImages)));
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        const auto pixel = static_cast<int>(i % 251);
        pixels[i] = static_cast<T>(std::is_integral_v<T> ? pixel : pixel / 251.0);
    }
    return port(array<T>(kImages, pixels));
}

double median_seconds(const StageEntry& stage, const StageInputs& inputs, int threads) {
    std::vector<double> seconds;
    for (int i = 0; i < kRuns; ++i) {
        TestContext context(stage.description, {}, threads);
        const auto start = SteadyClock::now();
        (void)stage.run(inputs, context);
        seconds.push_back(std::chrono::duration<double>(SteadyClock::now() - start).count());
    }
    std::ranges::nth_element(seconds, seconds.begin() + kRuns / 2);
    return seconds[kRuns / 2];
}

}  // namespace

int main(int argc, char** argv) {
    SATDL_CHECK(argc == 3, "usage: data_bench add_noise|normalise|concat THREADS");
    const std::string kind = argv[1];
    const int threads = std::atoi(argv[2]);
    double seconds = 0;
    if (kind == "add_noise") seconds = median_seconds(add_noise_stage(), {{"images", images<float>()}}, threads);
    else if (kind == "normalise") seconds = median_seconds(normalise_stage(), {{"images", images<std::uint8_t>()}}, threads);
    else seconds = median_seconds(concat_stage(), {{"first", images<float>()}, {"second", images<float>()}}, threads);
    std::printf("%.9f\n", seconds);
}
