#include "pipeline/hdf5/hdf5_library.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "pipeline/core/unique_fd.h"
#include "pipeline/os/file_error.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/os/write_all.h"

namespace satdl {

Hdf5LayoutFunction load_hdf5_layout() {
    const auto path = program_folder() / "libsatdl_hdf5.so";
    const SharedLibrary library(path);
    const auto function = reinterpret_cast<Hdf5LayoutFunction>(library.find(kHdf5LayoutSymbol));
    if (function == nullptr)
        throw Error(ExitCode::Store, path.string() + " lacks " + kHdf5LayoutSymbol, "build satdl again");
    return function;
}

void write_hdf5(const std::filesystem::path& path, const NamedArrays& arrays) {
    constexpr std::uint64_t kNoUserBlock = 0;
    std::vector<Hdf5Tensor> tensors;
    for (const auto& [name, array] : arrays) tensors.push_back({name, array.dtype(), array.shape(), {}});
    const Hdf5Layout layout = load_hdf5_layout()(kNoUserBlock, tensors, {});
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!file) throw FileError(errno, "create", path);
    const auto write = [&](std::span<const std::byte> bytes, std::uint64_t offset) {
        if (write_all_at(file.get(), bytes, offset) != bytes.size()) throw FileError(errno, "write to", path);
    };
    for (const auto& [offset, bytes] : layout.metadata) write(std::as_bytes(std::span(bytes)), offset);
    std::size_t i = 0;
    for (const auto& [name, array] : arrays) write(array.bytes(), layout.offsets[i++]);
    if (::ftruncate(file.get(), static_cast<off_t>(layout.file_bytes)) != 0) throw FileError(errno, "extend", path);
}

}  // namespace satdl
