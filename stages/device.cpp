#include "stages/device.h"

#include <ATen/Context.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

#include "stages/stages.h"

namespace satdl::stages {
namespace {

// Of the driver's C interface (cuda.h); a result of 0 is success.
using CuInit = int (*)(unsigned flags);
using CuDeviceGet = int (*)(int* device, int ordinal);
using CuDeviceGetName = int (*)(char* name, int bytes, int device);
using CuDeviceGetAttribute = int (*)(int* value, int attribute, int device);
constexpr int kMultiprocessors = 16;  // CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
constexpr int kMajor = 75;            // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
constexpr int kMinor = 76;            // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR
constexpr int kFirstMajorWithBf16 = 8;

// CUDA's and cuDNN's: they choose the algorithms.
std::string versions() {
    const auto& hooks = at::detail::getCUDAHooks();
    const long cuda = hooks.versionCUDART();
    std::string text = fmt::format("CUDA {}.{}", cuda / 1000, cuda % 1000 / 10);
    if (hooks.compiledWithCuDNN()) text += fmt::format(", cuDNN {}", hooks.versionCuDNN());
    return text;
}

}  // namespace

GpuAnswer find_gpu() {
    if (!at::hasCUDA()) return NoGpu{"LibTorch's CUDA finds none (nvidia-smi lists the GPUs; $CUDA_VISIBLE_DEVICES may hide them)"};
    return gpu_of_driver("libcuda.so.1", versions());
}

GpuAnswer gpu_of_driver(const std::string& driver, const std::string& versions) {
    void* const library = dlopen(driver.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays loaded: LibTorch uses it, too
    if (library == nullptr) return NoGpu{fmt::format("the driver's library {} cannot be loaded", driver)};
    const auto init = reinterpret_cast<CuInit>(dlsym(library, "cuInit"));
    const auto get = reinterpret_cast<CuDeviceGet>(dlsym(library, "cuDeviceGet"));
    const auto get_name = reinterpret_cast<CuDeviceGetName>(dlsym(library, "cuDeviceGetName"));
    const auto get_attribute = reinterpret_cast<CuDeviceGetAttribute>(dlsym(library, "cuDeviceGetAttribute"));
    std::array<char, 256> name{};
    int device = 0, multiprocessors = 0, major = 0, minor = 0;
    const bool known = init != nullptr && get != nullptr && get_name != nullptr && get_attribute != nullptr && init(0) == 0 &&
                       get(&device, 0) == 0 && get_name(name.data(), static_cast<int>(name.size()) - 1, device) == 0 &&
                       get_attribute(&multiprocessors, kMultiprocessors, device) == 0 &&
                       get_attribute(&major, kMajor, device) == 0 && get_attribute(&minor, kMinor, device) == 0;
    if (!known) return NoGpu{fmt::format("the driver's library {} does not report which GPU it is", driver)};
    return Gpu{name.data(), fmt::format("compute capability {}.{}, {} multiprocessors, {}", major, minor, multiprocessors, versions),
               major >= kFirstMajorWithBf16};
}

at::Device device_for(const StageContext& context) {
    if (context.device() == Device::Cpu) return at::kCPU;
    at::Context& settings = at::globalContext();
    settings.setDeterministicCuDNN(true);
    settings.setBenchmarkCuDNN(false);
    settings.setAllowTF32CuDNN(false);
    settings.setAllowTF32CuBLAS(false);
    return {at::kCUDA, 0};
}

ParamDescription device_param() {
    return {.name = "device", .type = ParamType::Device, .fallback = "cpu",
            .help = "device to compute on; cuda: a GPU; auto: a GPU if there is one; changes the last bits"};
}

}  // namespace satdl::stages
