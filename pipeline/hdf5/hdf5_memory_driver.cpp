#include "pipeline/hdf5/hdf5_memory_driver.h"

#include <algorithm>
#include <cstring>

#include "pipeline/os/large_arrays.h"

namespace satdl {
namespace {

constexpr std::uint64_t kSlabBytes = 4096;
constexpr std::uint64_t kMetadataAlignment = 8;
constexpr haddr_t kMaxBytes = haddr_t{1} << 62;

constexpr std::uint64_t round_up(std::uint64_t number, std::uint64_t multiple) {
    return (number + multiple - 1) / multiple * multiple;
}

}  // namespace

void Hdf5MemoryDriver::write(std::uint64_t offset, std::string_view bytes) {
    if (bytes.empty()) return;
    auto extent = extents_.upper_bound(offset);
    if (extent != extents_.begin() && std::prev(extent)->first + std::prev(extent)->second.size() >= offset) {
        --extent;
    } else {
        extent = extents_.emplace_hint(extent, offset, std::string());
    }
    auto& [start, text] = *extent;
    text.resize(std::max<std::size_t>(text.size(), offset - start + bytes.size()));
    text.replace(offset - start, bytes.size(), bytes);
    // Those behind that are now touched become part of it.
    for (auto next = std::next(extent); next != extents_.end() && next->first <= start + text.size();) {
        const std::size_t covered = start + text.size() - next->first;
        if (covered < next->second.size()) text.append(next->second, covered);
        next = extents_.erase(next);
    }
}

void Hdf5MemoryDriver::read(std::uint64_t offset, char* bytes, std::size_t size) const {
    std::memset(bytes, 0, size);
    auto extent = extents_.upper_bound(offset);
    if (extent != extents_.begin()) --extent;
    for (; extent != extents_.end() && extent->first < offset + size; ++extent) {
        const auto& [start, text] = *extent;
        const std::uint64_t from = std::max(start, offset);
        const std::uint64_t to = std::min(start + text.size(), offset + size);
        if (from < to) std::memcpy(bytes + (from - offset), text.data() + (from - start), to - from);
    }
}

std::uint64_t Hdf5MemoryDriver::allocate(bool raw_data, std::uint64_t size) {
    if (!raw_data && slab_end_ - slab_ < size) {
        slab_ = round_up(std::max(end_, slab_end_), kMetadataAlignment);
        slab_end_ = slab_ + std::max(size, kSlabBytes);
    }
    const std::uint64_t alignment = size < kLargeArrayBytes ? kTensorAlignment : kLargeArrayOffset;
    const std::uint64_t address = raw_data ? round_up(std::max(end_, slab_end_), alignment) : slab_;
    if (!raw_data) slab_ = std::min(slab_end_, round_up(slab_ + size, kMetadataAlignment));
    end_ = std::max(end_, address + size);
    return address;
}

// HDF5 extends the last piece of a file in place, without calling `allocate`: what follows must not overlap it.
void Hdf5MemoryDriver::set_end(std::uint64_t end) {
    end_ = end;
    slab_ = std::max(slab_, round_up(end, kMetadataAlignment));
    slab_end_ = std::max(slab_end_, slab_);
}

// HDF5 is C: exceptions must not pass through it, and only std::bad_alloc can occur here.
H5FD_class_t Hdf5MemoryDriver::driver_class() {
    H5FD_class_t driver{};
#ifdef H5FD_CLASS_VERSION
    driver.version = H5FD_CLASS_VERSION;
    driver.value = static_cast<H5FD_class_value_t>(0x5A7);
#endif
    driver.name = "satdl_memory";
    driver.maxaddr = kMaxBytes;
    driver.fc_degree = H5F_CLOSE_STRONG;
    driver.fapl_size = sizeof(Hdf5MemoryDriver*);
    driver.open = [](const char*, unsigned, hid_t access_list, haddr_t) -> H5FD_t* {
        const void* const info = H5Pget_driver_info(access_list);
        if (info == nullptr) return nullptr;
        return &(*static_cast<Hdf5MemoryDriver* const*>(info))->handle_.hdf5_part;
    };
    driver.close = [](H5FD_t*) -> herr_t { return 0; };  // owned by the creator of the Hdf5MemoryDriver
    driver.query = [](const H5FD_t*, unsigned long* flags) -> herr_t {
        *flags = 0;  // no aggregation or sieving of HDF5's own: `allocate` places things
        return 0;
    };
    driver.alloc = [](H5FD_t* file, H5FD_mem_t type, hid_t, hsize_t size) -> haddr_t {
        return of(file).allocate(type == H5FD_MEM_DRAW, size);
    };
    driver.free = [](H5FD_t*, H5FD_mem_t, hid_t, haddr_t, hsize_t) -> herr_t { return 0; };
    driver.get_eoa = [](const H5FD_t* file, H5FD_mem_t) -> haddr_t { return of(file).end_; };
    driver.set_eoa = [](H5FD_t* file, H5FD_mem_t, haddr_t address) -> herr_t {
        of(file).set_end(address);
        return 0;
    };
    driver.get_eof = [](const H5FD_t* file, H5FD_mem_t) -> haddr_t {
        const auto& extents = of(file).extents_;
        return extents.empty() ? 0 : extents.rbegin()->first + extents.rbegin()->second.size();
    };
    driver.read = [](H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t size, void* bytes) -> herr_t {
        of(file).read(address, static_cast<char*>(bytes), size);
        return 0;
    };
    driver.write = [](H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t size, const void* bytes) -> herr_t {
        try {
            of(file).write(address, {static_cast<const char*>(bytes), size});
            return 0;
        } catch (...) {
            return -1;
        }
    };
    const H5FD_mem_t free_lists[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(free_lists), std::end(free_lists), driver.fl_map);
    return driver;
}

hid_t Hdf5MemoryDriver::register_driver() {
    const H5FD_class_t driver = driver_class();
    return H5FDregister(&driver);
}

herr_t Hdf5MemoryDriver::use(hid_t access_list, hid_t driver) {
    Hdf5MemoryDriver* const self = this;
    return H5Pset_driver(access_list, driver, &self);
}

}  // namespace satdl
