#include "stages/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include "pipeline/core/error.h"
#include "stages/kernels/denormals.h"
#include "stages/kernels/team.h"

namespace satdl::stages {
namespace {

at::ScalarType scalar_type(DType dtype) {
    switch (dtype) {
        case DType::UInt8: return at::kByte;
        case DType::Int32: return at::kInt;
        case DType::Int64: return at::kLong;
        case DType::Float32: return at::kFloat;
        case DType::Float64: break;
    }
    return at::kDouble;
}

int& kernel_threads() {
    static thread_local int threads = 1;
    return threads;
}

}  // namespace

DType dtype_of(const at::Tensor& tensor) {
    switch (tensor.scalar_type()) {
        case at::kByte: return DType::UInt8;
        case at::kInt: return DType::Int32;
        case at::kLong: return DType::Int64;
        case at::kFloat: return DType::Float32;
        case at::kDouble: return DType::Float64;
        default: break;
    }
    SATDL_CHECK(false, fmt::format("an array cannot hold {}", at::toString(tensor.scalar_type())));
    std::abort();
}

at::Tensor tensor_of(const Array& array) {
    // LibTorch has no read-only tensors; that nothing writes here is the rule of the house.
    auto* bytes = const_cast<std::byte*>(array.bytes().data());
    auto keep = [owner = array.owner()](void*) {};
    return at::from_blob(bytes, array.shape(), std::move(keep), at::TensorOptions(scalar_type(array.dtype())));
}

at::Tensor tensor_of(FreshArray& array) {
    return at::from_blob(array.bytes().data(), array.shape(), at::TensorOptions(scalar_type(array.dtype())));
}

Array array_of(const at::Tensor& tensor) {
    auto kept = std::make_shared<const at::Tensor>(tensor.detach().cpu().contiguous());
    const std::span bytes(static_cast<const std::byte*>(kept->data_ptr()), kept->nbytes());
    const DType dtype = dtype_of(*kept);
    Shape shape = kept->sizes().vec();
    return Array(dtype, std::move(shape), bytes, std::move(kept));
}

// A thread's first parallel call to LibTorch sets its OpenMP and MKL counts from a number of the whole process. Asking for
// the count makes that happen now, before ours is set: another stage could set another number in between. Setting takes long (the caches
// of oneDNN are emptied), and every task has a scope.
ThreadScope::ThreadScope(int threads) : before_(at::get_num_threads()) {
    if (threads != before_) at::set_num_threads(threads);
}
ThreadScope::~ThreadScope() {
    if (at::get_num_threads() != before_) at::set_num_threads(before_);
}

KernelThreadScope::KernelThreadScope(int threads) : before_(std::exchange(kernel_threads(), threads)) {}
KernelThreadScope::~KernelThreadScope() { kernel_threads() = before_; }

kernels::Workers kernel_workers() {
    const int threads = kernel_threads();
    if (threads == 1) {
        return {1, [](std::int64_t tasks, const kernels::Task& task) {
                    const KernelThreadScope alone(1);
                    const kernels::DenormalsAreZero none;
                    for (std::int64_t number = 0; number < tasks; ++number) task(number, 0);
                }};
    }
    // Kept from call to call, for the thread that runs a stage: its threads sleep in between.
    static thread_local std::unique_ptr<kernels::Team> team;
    if (team == nullptr || team->threads() != threads) team = std::make_unique<kernels::Team>(threads);
    return {threads, [of_caller = team.get()](std::int64_t tasks, const kernels::Task& task) {
                std::mutex mutex;
                std::exception_ptr failure;
                const kernels::Phase phase{tasks, [&](std::int64_t number, int thread) {
                                               const KernelThreadScope alone(1);
                                               try {
                                                   task(number, thread);
                                               } catch (...) {
                                                   const std::scoped_lock lock(mutex);
                                                   if (failure == nullptr) failure = std::current_exception();
                                               }
                                           }};
                of_caller->run({&phase, 1});
                if (failure != nullptr) std::rethrow_exception(failure);
            }};
}

void kernel_ranges(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body) {
    if (count <= grain) return body(0, count);
    kernel_workers().run((count + grain - 1) / grain, [&](std::int64_t range, std::int64_t) {
        body(range * grain, std::min(count, (range + 1) * grain));
    });
}

}  // namespace satdl::stages
