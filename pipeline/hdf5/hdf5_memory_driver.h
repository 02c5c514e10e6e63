// An HDF5 file in memory that holds only what HDF5 writes: a virtual file driver.
//
// HDF5's own "core" driver would do, but it allocates and clears the whole file: 188 MB for a tensor of that size, whose
// bytes HDF5 never gets to see. Here a tensor that is only allocated costs nothing. The driver also decides where things go:
// tensors at multiples of 4096 however small they are, large ones at multiples of kLargeArrayOffset (os/large_arrays.h), metadata packed
// between them. (H5Pset_alignment goes by size alone.)
#pragma once

#include <hdf5.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace satdl {

inline constexpr std::uint64_t kTensorAlignment = 4096;

class Hdf5MemoryDriver {
public:
    Hdf5MemoryDriver() { handle_.owner = this; }
    Hdf5MemoryDriver(const Hdf5MemoryDriver&) = delete;
    Hdf5MemoryDriver& operator=(const Hdf5MemoryDriver&) = delete;

    // Registers the driver with HDF5; negative where HDF5 refuses. The caller unregisters it (H5FDunregister).
    [[nodiscard]] static hid_t register_driver();
    // Makes files that are opened with `access_list` this one. Precondition: it outlives them.
    [[nodiscard]] herr_t use(hid_t access_list, hid_t driver);

    [[nodiscard]] std::uint64_t end() const { return end_; }  // the file's length
    // What HDF5 wrote: offset -> bytes, ascending, never touching each other.
    [[nodiscard]] const std::map<std::uint64_t, std::string>& extents() const { return extents_; }

    void write(std::uint64_t offset, std::string_view bytes);
    void read(std::uint64_t offset, char* bytes, std::size_t size) const;  // zeros where nothing was written
    [[nodiscard]] std::uint64_t allocate(bool raw_data, std::uint64_t size);
    void set_end(std::uint64_t end);

private:
    struct Handle {        // what HDF5 holds; the part that it knows comes first
        H5FD_t hdf5_part{};
        Hdf5MemoryDriver* owner = nullptr;
    };
    static H5FD_class_t driver_class();
    static Hdf5MemoryDriver& of(H5FD_t* file) { return *reinterpret_cast<Handle*>(file)->owner; }
    static const Hdf5MemoryDriver& of(const H5FD_t* file) { return *reinterpret_cast<const Handle*>(file)->owner; }

    Handle handle_;
    std::map<std::uint64_t, std::string> extents_;
    std::uint64_t end_ = 0;
    // The unused rest of the piece that metadata is packed into.
    std::uint64_t slab_ = 0;
    std::uint64_t slab_end_ = 0;
};

}  // namespace satdl
