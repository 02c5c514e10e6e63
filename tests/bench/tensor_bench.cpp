// Writes a tensor of 188 MB (60,000 images of 28x28 float32) through the store and maps it back, every byte verified;
// against `cp` of a file of the same bytes and a sync of the copy. Prints lines of `ours baseline`, in seconds.
//
// usage: tensor_bench FOLDER (its file system is what is measured)
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "pipeline/os/shared_library.h"
#include "pipeline/store/store.h"

namespace {

using namespace satdl;
namespace fs = std::filesystem;

double seconds_of(const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

StageOutput images(std::uint32_t seed) {
    const std::size_t count = std::size_t{60000} * 28 * 28;
    auto values = std::make_shared<std::vector<float>>(count);
    for (std::size_t i = 0; i < count; ++i) (*values)[i] = static_cast<float>((i * 2654435761u + seed) >> 8 & 0xffff) / 65536;
    StageOutput outcome;
    outcome.outputs["images"][""] = Array(DType::Float32, {60000, 1, 28, 28}, std::as_bytes(std::span(*values)), values);
    return outcome;
}

void copy_and_sync(const fs::path& from, const fs::path& to) {
    const std::string command = "cp '" + from.string() + "' '" + to.string() + "' && sync '" + to.string() + "'";
    SATDL_CHECK(std::system(command.c_str()) == 0, "cp failed");
}

}  // namespace

int main(int argc, char** argv) {
    SATDL_CHECK(argc == 2, "usage: tensor_bench FOLDER");
    const fs::path folder = argv[1];
    const auto files = real_file_system();
    Index index(folder / "index.sqlite");
    SharedLibrary hdf5(program_folder() / "libsatdl_hdf5.so");
    const auto layout = reinterpret_cast<Hdf5LayoutFunction>(hdf5.find(kHdf5LayoutSymbol));
    StageDescription description;
    description.kind = "bench";
    description.outputs = {{.name = "images", .dtypes = {DType::Float32}, .shape = "[N, 1, 28, 28]"}};

    for (std::uint32_t repetition = 0; repetition < 7; ++repetition) {
        const StageOutput outcome = images(repetition);
        const std::span<const std::byte> bytes = outcome.outputs.at("images").at("").bytes();
        std::ofstream(folder / "plain", std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
        copy_and_sync(folder / "plain", folder / "warm-up");

        const Recipe recipe{{"kind", "bench"}, {"version", "1"}, {"param repetition", std::to_string(repetition)}};
        // A store of its own, so that nothing counts as verified already.
        const double ours = seconds_of([&] {
            DiskStore writer(folder / "store", *files, index, [&] { return layout; });
            SATDL_CHECK(writer.publish(recipe, description, outcome) == Published::New, "published");
            DiskStore reader(folder / "store", *files, index, [&] { return layout; });
            SATDL_CHECK(reader.load(key_of(recipe)).has_value(), "read back");
        });
        const double baseline = seconds_of([&] { copy_and_sync(folder / "plain", folder / "copy"); });
        if (repetition >= 2) std::printf("%.6f %.6f\n", ours, baseline);
        fs::remove(folder / "plain");
        fs::remove(folder / "copy");
        fs::remove(folder / "warm-up");
    }
}
