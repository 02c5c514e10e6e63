// How kernels use threads: work that is cut into tasks, which workers take one after another, without waiting for each other.
//
// What a task computes must depend on its number alone: then the number of workers cannot be seen in a result.
#pragma once

#include <cstdint>
#include <functional>

namespace satdl::stages::kernels {

// Of a task, and of the worker that does it: no two tasks are done by the same worker at the same time.
using Task = std::function<void(std::int64_t task, std::int64_t worker)>;

struct Workers {
    std::int64_t count = 1;
    std::function<void(std::int64_t tasks, const Task& task)> run;  // returns when all tasks are done
};

// Memory that a kernel needs besides its arguments, not cleared: so many floats, aligned to 64 bytes, until the kernel has
// returned. Asked for by piece, since small pieces are found where others were freed.
using Scratch = std::function<float*(std::int64_t floats)>;

}  // namespace satdl::stages::kernels
