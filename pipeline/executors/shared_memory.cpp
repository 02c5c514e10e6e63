#include "pipeline/executors/shared_memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace satdl {

UniqueFd new_shared_memory() {
    UniqueFd file(::memfd_create("satdl", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file) throw no_shared_memory("memfd_create");
    return file;
}

Error no_shared_memory(const char* call) {
    const int number = errno;
    return Error(ExitCode::Store, fmt::format("cannot share memory with another process: {}: {}", call, std::strerror(number)),
                 number == EFBIG ? "to the kernel this memory is a file: raise `ulimit -f`, or do without --isolate, `isolate` and `memory`"
                                 : "inputs and outputs are copied once for this: there may not be enough memory");
}

}  // namespace satdl
