// Arrays as LibTorch's tensors and back, without copying; and how many threads compute with them.
#pragma once

#include <cstdint>
#include <functional>

#include "pipeline/core/fresh_array.h"
#include "stages/kernels/workers.h"
#include "stages/torch.h"

namespace satdl::stages {

// The array while it is filled, which outlives it.
[[nodiscard]] at::Tensor tensor_of(FreshArray& array);
// Shares the array's bytes and keeps them alive. It must not be written to: others read the same bytes.
[[nodiscard]] at::Tensor tensor_of(const Array& array);
// Shares the tensor's bytes where it is contiguous and on the CPU, and keeps them alive. Precondition: it is
// never written to again.
[[nodiscard]] Array array_of(const at::Tensor& tensor);
[[nodiscard]] DType dtype_of(const at::Tensor& tensor);

// While it lives, LibTorch's work on this thread uses exactly so many threads: a stage beside it has its own number.
class ThreadScope {
public:
    explicit ThreadScope(int threads);
    ~ThreadScope();
    ThreadScope(const ThreadScope&) = delete;
    ThreadScope& operator=(const ThreadScope&) = delete;

private:
    int before_;
};

// While it lives, kernel_workers() on this thread are so many, and LibTorch computes on this thread alone. LibTorch cuts sums, and the
// ends of vectors, by its number of threads; what is cut here is cut by shapes. So nothing within the scope can depend on `threads`.
class KernelThreadScope {
public:
    explicit KernelThreadScope(int threads);
    ~KernelThreadScope();
    KernelThreadScope(const KernelThreadScope&) = delete;
    KernelThreadScope& operator=(const KernelThreadScope&) = delete;

private:
    int before_;
    ThreadScope torch_{1};
};

// The threads of a KernelThreadScope, or one. LibTorch has none to offer: at::parallel_for is a template, and where it is compiled without
// OpenMP, as here, it runs on one thread. In a task there is one thread, for LibTorch and for kernel_workers(); denormals are zero there
// (kernels/denormals.h). What a task throws is thrown to the caller, once all are done.
[[nodiscard]] kernels::Workers kernel_workers();
// body(first, last) over [0, count) in ranges of `grain`, shared between those threads. A result must depend on positions alone.
void kernel_ranges(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t first, std::int64_t last)>& body);

}  // namespace satdl::stages
