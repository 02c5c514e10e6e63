#include "pipeline/os/write_all.h"

#include <unistd.h>

#include <cerrno>

namespace satdl {
namespace {

// `write_some(rest, written)`: as write(2).
template <typename WriteSome>
std::size_t until_written(std::span<const std::byte> bytes, const WriteSome& write_some) {
    std::size_t written = 0;
    while (written < bytes.size()) {
        const ssize_t done = write_some(bytes.subspan(written), written);
        if (done < 0 && errno == EINTR) continue;
        if (done == 0) errno = EIO;
        if (done <= 0) break;
        written += static_cast<std::size_t>(done);
    }
    return written;
}

}  // namespace

std::size_t write_all(int descriptor, std::span<const std::byte> bytes) {
    return until_written(bytes, [&](auto rest, std::size_t) { return ::write(descriptor, rest.data(), rest.size()); });
}

std::size_t write_all_at(int descriptor, std::span<const std::byte> bytes, std::uint64_t offset) {
    return until_written(bytes, [&](auto rest, std::size_t written) {
        return ::pwrite(descriptor, rest.data(), rest.size(), static_cast<off_t>(offset + written));
    });
}

}  // namespace satdl
