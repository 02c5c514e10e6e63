#include "stages/device.h"

#include <ATen/Context.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "stages/stages.h"

namespace satdl::stages {
namespace {

// Of the driver's C interface (cuda.h); a result of 0 is success.
using CuInit = int (*)(unsigned flags);
using CuDeviceGetCount = int (*)(int* count);
using CuDeviceGet = int (*)(int* device, int ordinal);
using CuDeviceTotalMem = int (*)(std::size_t* bytes, int device);
using CuDeviceGetName = int (*)(char* name, int bytes, int device);
using CuDeviceGetAttribute = int (*)(int* value, int attribute, int device);
constexpr int kMultiprocessors = 16;  // CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
constexpr int kMajor = 75;            // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
constexpr int kMinor = 76;            // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR
constexpr int kFirstMajorWithBf16 = 8;

struct DriverFunctions {
    CuDeviceGet get;
    CuDeviceGetName get_name;
    CuDeviceGetAttribute get_attribute;
};

// What decides the bits of a GPU's results, and its name.
struct GpuModel {
    std::string name;
    int multiprocessors = 0, major = 0, minor = 0;
    bool operator==(const GpuModel&) const = default;
};

std::optional<GpuModel> model_of(int ordinal, const DriverFunctions& driver) {
    std::array<char, 256> name{};
    int device = 0;
    GpuModel model;
    const bool known = driver.get(&device, ordinal) == 0 && driver.get_name(name.data(), static_cast<int>(name.size()) - 1, device) == 0 &&
                       driver.get_attribute(&model.multiprocessors, kMultiprocessors, device) == 0 &&
                       driver.get_attribute(&model.major, kMajor, device) == 0 && driver.get_attribute(&model.minor, kMinor, device) == 0;
    if (!known) return std::nullopt;
    model.name = name.data();
    return model;
}

// LibTorch's settings for GPUs: who uses them, and how they are.
struct GpuSettings {
    std::mutex mutex;
    std::condition_variable changed;
    int users = 0;      // guarded by mutex
    bool tf32 = false;  // guarded by mutex; may change while there are no users
};

GpuSettings& gpu_settings() {
    static GpuSettings settings;
    return settings;
}

at::Device device_of(const StageContext& context) {
    if (context.device() == Device::Cpu) return at::kCPU;
    return {at::kCUDA, static_cast<c10::DeviceIndex>(context.gpu())};
}

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
    const auto get_count = reinterpret_cast<CuDeviceGetCount>(dlsym(library, "cuDeviceGetCount"));
    const DriverFunctions functions{reinterpret_cast<CuDeviceGet>(dlsym(library, "cuDeviceGet")),
                                    reinterpret_cast<CuDeviceGetName>(dlsym(library, "cuDeviceGetName")),
                                    reinterpret_cast<CuDeviceGetAttribute>(dlsym(library, "cuDeviceGetAttribute"))};
    const bool complete = init != nullptr && get_count != nullptr && functions.get != nullptr && functions.get_name != nullptr &&
                          functions.get_attribute != nullptr;
    int count = 0;
    if (!complete || init(0) != 0 || get_count(&count) != 0)
        return NoGpu{fmt::format("the driver's library {} does not report which GPU it is", driver)};
    const std::optional<GpuModel> model = model_of(0, functions);
    if (!model) return NoGpu{fmt::format("the driver's library {} does not report which GPU it is", driver)};
    int alike = 1;
    while (alike < count && model_of(alike, functions) == model) ++alike;
    return Gpu{model->name,
               fmt::format("compute capability {}.{}, {} multiprocessors, {}", model->major, model->minor, model->multiprocessors, versions),
               model->major >= kFirstMajorWithBf16, alike};
}

DeviceScope::DeviceScope(const StageContext& context) : device_(device_of(context)) {
    if (device_.is_cpu()) return;
    const bool tf32 = context.precision() == Precision::Tf32;
    GpuSettings& settings = gpu_settings();
    std::unique_lock lock(settings.mutex);
    while (settings.users > 0 && settings.tf32 != tf32) {
        if (context.stop_requested()) throw Stopped{};
        settings.changed.wait_for(lock, std::chrono::milliseconds(100));
    }
    ++settings.users;
    settings.tf32 = tf32;
    at::Context& libtorch = at::globalContext();
    libtorch.setDeterministicCuDNN(true);
    libtorch.setBenchmarkCuDNN(false);
    libtorch.setAllowTF32CuDNN(tf32);
    libtorch.setAllowTF32CuBLAS(tf32);
}

DeviceScope::~DeviceScope() {
    if (device_.is_cpu()) return;
    GpuSettings& settings = gpu_settings();
    const std::scoped_lock lock(settings.mutex);
    --settings.users;
    settings.changed.notify_all();
}

at::Tensor sent_to(at::Device device, const at::Tensor& tensor) {
    if (!tensor.is_cpu() || !device.is_cuda()) return tensor.to(device);
    return tensor.pin_memory().to(device, /*non_blocking=*/true);
}

std::optional<std::uint64_t> memory_of(at::Device device, const std::string& driver) {
    if (!device.is_cuda()) return std::nullopt;
    void* const library = dlopen(driver.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return std::nullopt;
    const auto get = reinterpret_cast<CuDeviceGet>(dlsym(library, "cuDeviceGet"));
    const auto total_memory = reinterpret_cast<CuDeviceTotalMem>(dlsym(library, "cuDeviceTotalMem_v2"));
    int number = 0;
    std::size_t bytes = 0;
    if (get == nullptr || total_memory == nullptr || get(&number, device.index()) != 0 || total_memory(&bytes, number) != 0) return std::nullopt;
    return bytes;
}

ParamDescription device_param() {
    return {.name = "device", .type = ParamType::Device, .fallback = "cpu",
            .help = "device to compute on; cuda: a GPU; auto: a GPU if there is one; changes the last bits"};
}

}  // namespace satdl::stages
