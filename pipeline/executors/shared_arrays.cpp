#include "pipeline/executors/shared_arrays.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "pipeline/core/error.h"
#include "pipeline/executors/shared_memory.h"
#include "pipeline/os/write_all.h"

namespace satdl {
namespace {

constexpr std::uint64_t kAlignment = 4096;
constexpr int kSealed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

Error invalid_data(const std::string& what) {
    return Error(ExitCode::Store, fmt::format("invalid data from the other process: {}", what));
}

void write_at(int file, std::span<const std::byte> bytes, std::uint64_t offset) {
    if (write_all_at(file, bytes, offset) == bytes.size()) return;
    if (errno == EFAULT)
        throw Error(ExitCode::Store, "cannot pass arrays to another process: a file that holds them can no longer be read");
    throw no_shared_memory("write");
}

// A whole sealed file, mapped as long as it has an owner.
struct Mapping {
    explicit Mapping(int file) {
        struct stat found {};
        const int seals = ::fcntl(file, F_GET_SEALS);
        if (seals < 0 || (seals & kSealed) != kSealed || ::fstat(file, &found) != 0) throw invalid_data("its file is not sealed");
        size = static_cast<std::size_t>(found.st_size);
        if (size == 0) return;
        address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
        if (address == MAP_FAILED) throw no_shared_memory("map");
    }
    ~Mapping() {
        if (size != 0) ::munmap(address, size);
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    [[nodiscard]] std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(address), size}; }

    void* address = nullptr;
    std::size_t size = 0;
};

}  // namespace

SharedGroups share(const Groups& groups) {
    SharedGroups shared;
    shared.file = new_shared_memory();
    std::uint64_t end = 0;
    for (const auto& [port, group] : groups) {
        shared.ports.push_back(port);
        for (const auto& [name, array] : group) {
            shared.arrays.push_back({port, name, array.dtype(), array.shape(), end, array.digest()});
            write_at(shared.file.get(), array.bytes(), end);
            end += (array.bytes().size() + kAlignment - 1) / kAlignment * kAlignment;
        }
    }
    if (::ftruncate(shared.file.get(), static_cast<off_t>(end)) != 0) throw no_shared_memory("ftruncate");
    if (::fcntl(shared.file.get(), F_ADD_SEALS, kSealed) != 0) throw no_shared_memory("seal");
    return shared;
}

Groups mapped(const SharedGroups& shared) {
    const auto mapping = std::make_shared<const Mapping>(shared.file.get());
    Groups groups;
    for (const std::string& port : shared.ports) groups[port];
    for (const SharedArray& one : shared.arrays) {
        const auto count = static_cast<std::uint64_t>(element_count(one.shape));
        if (one.offset % kAlignment != 0 || one.offset > mapping->size || count > (mapping->size - one.offset) / size_of(one.dtype))
            throw invalid_data("an array extends beyond its file");
        const Array array(one.dtype, one.shape, mapping->bytes().subspan(one.offset, count * size_of(one.dtype)), mapping);
        if (array.digest() != one.digest) throw invalid_data(fmt::format("'{}' does not match its digest", printable(one.name)));
        if (!groups[one.port].emplace(one.name, array).second) throw invalid_data("an array was sent twice");
    }
    return groups;
}

}  // namespace satdl
