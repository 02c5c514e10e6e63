// The stages between a dataset and a training, on as many images as MNIST has: prints the median seconds of a run, its output's memory
// included. Their twins in NumPy are data_bench.py.
//
// usage: data_bench add_noise|normalise|concat|digest THREADS
//        data_bench normalise_to_disk THREADS FOLDER    its output in a file of FOLDER, durable (os/large_arrays.h)
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <type_traits>
#include <vector>

#include "pipeline/core/check.h"
#include "pipeline/os/file_system.h"
#include "pipeline/os/large_arrays.h"
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

double median_seconds(const auto& run) {
    std::vector<double> seconds;
    for (int i = 0; i < kRuns; ++i) {
        const auto start = SteadyClock::now();
        run();
        seconds.push_back(std::chrono::duration<double>(SteadyClock::now() - start).count());
    }
    std::ranges::nth_element(seconds, seconds.begin() + kRuns / 2);
    return seconds[kRuns / 2];
}

double median_seconds(const StageEntry& stage, const StageInputs& inputs, int threads) {
    return median_seconds([&] { (void)run(stage, inputs, {}, threads); });
}

double digest_seconds() {
    const NamedArrays group = images<float>();
    const Array& array = group.at("");
    return median_seconds([&] { (void)Array(array.dtype(), array.shape(), array.bytes(), array.owner()).digest(); });
}

double seconds_to_disk(const std::filesystem::path& folder, int threads) {
    const auto files = real_file_system();
    LargeArrays arrays(folder, 16 * kLargeArrayBytes);
    use_array_memory(&arrays);
    const StageInputs inputs{{"images", images<std::uint8_t>()}};
    const double seconds = median_seconds([&] {
        const StageOutput output = run(normalise_stage(), inputs, {}, threads);
        const Extent extent{kLargeArrayOffset, output.outputs.at("images").at("").bytes()};
        files->write_new(folder / "normalised", extent.offset + extent.bytes.size(), {&extent, 1});
        files->remove(folder / "normalised");
    });
    use_array_memory(nullptr);
    return seconds;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string kind = argc > 2 ? argv[1] : "";
    SATDL_CHECK(argc == (kind == "normalise_to_disk" ? 4 : 3), "usage: see data_bench.cpp");
    const int threads = std::atoi(argv[2]);
    double seconds = 0;
    if (kind == "add_noise") seconds = median_seconds(add_noise_stage(), {{"images", images<float>()}}, threads);
    else if (kind == "normalise") seconds = median_seconds(normalise_stage(), {{"images", images<std::uint8_t>()}}, threads);
    else if (kind == "digest") seconds = digest_seconds();
    else if (kind == "normalise_to_disk") seconds = seconds_to_disk(argv[3], threads);
    else seconds = median_seconds(concat_stage(), {{"first", images<float>()}, {"second", images<float>()}}, threads);
    std::printf("%.9f\n", seconds);
}
