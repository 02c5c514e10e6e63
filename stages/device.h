// Where LibTorch computes for a stage: on the CPU, or on one of the GPUs that CUDA shows ($CUDA_VISIBLE_DEVICES chooses, and their order).
//
// Compiled against any LibTorch, without CUDA's headers. Name and capabilities of a GPU, which LibTorch gives only through those
// headers, come from the driver's library, whose C interface is stable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pipeline/stage.h"
#include "stages/torch.h"

namespace satdl::stages {

// The first GPU as the driver's library reports it, and how many after it are the same; the others are left alone, since their results
// could differ in the last bits. `driver` as dlopen takes it. `versions`: what else decides the last bits.
[[nodiscard]] GpuAnswer gpu_of_driver(const std::string& driver, const std::string& versions);

// The device of a stage, while this lives. For a GPU: in the whole process, cuDNN takes the same algorithms each time, and only such as give
// the same bits again; and float32 is rounded to TF32 if the stage's precision says so, else not. LibTorch has one such setting for all
// GPUs: a stage that needs the other one waits here until no stage needs this one. CPUs do not read these settings.
class DeviceScope {
public:
    explicit DeviceScope(const StageContext& context);  // throws Stopped if that is requested while it waits
    ~DeviceScope();
    DeviceScope(const DeviceScope&) = delete;
    DeviceScope& operator=(const DeviceScope&) = delete;

    [[nodiscard]] at::Device device() const { return device_; }

private:
    const at::Device device_;
};

// The tensor on `device`. To a GPU it goes by way of pinned memory, which LibTorch keeps until it is there: nobody waits for what the GPU still
// computes, and the next batch is made meanwhile.
[[nodiscard]] at::Tensor sent_to(at::Device device, const at::Tensor& tensor);

// The memory of a GPU in bytes, as its driver's library reports it; nullopt: not known, or not a GPU of CUDA's.
[[nodiscard]] std::optional<std::uint64_t> memory_of(at::Device device, const std::string& driver = "libcuda.so.1");

// The parameter of stages that compute networks.
[[nodiscard]] ParamDescription device_param();

}  // namespace satdl::stages
