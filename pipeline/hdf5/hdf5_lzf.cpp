#include "pipeline/hdf5/hdf5_lzf.h"

#include <hdf5.h>

#include <cstdlib>
#include <cstring>

#include "pipeline/hdf5/hdf5_handle.h"

namespace satdl {
namespace {

// HDF5's interface of a filter: `*buffer` is from its allocator, and is replaced. 0: it failed.
std::size_t unpack_chunk(unsigned flags, std::size_t values, const unsigned options[], std::size_t bytes, std::size_t* allocated,
                         void** buffer) {
    // options: h5py's version of the filter, liblzf's, the bytes of a chunk
    if ((flags & H5Z_FLAG_REVERSE) == 0 || values < 3) return 0;
    void* unpacked = H5allocate_memory(options[2], false);
    if (unpacked == nullptr) return 0;
    const auto filled = unpack_lzf({static_cast<const unsigned char*>(*buffer), bytes},
                                   {static_cast<unsigned char*>(unpacked), options[2]});
    if (!filled) {
        H5free_memory(unpacked);
        return 0;
    }
    H5free_memory(*buffer);
    *buffer = unpacked;
    *allocated = options[2];
    return *filled;
}

}  // namespace

// A control byte below 32: that many bytes, and one, as they are. Else a copy of what was unpacked before: its upper three bits are the
// length less two (7: a further byte is added), the others and a last byte how far back it begins, less one.
std::optional<std::size_t> unpack_lzf(std::span<const unsigned char> from, std::span<unsigned char> to) {
    std::size_t at = 0, filled = 0;
    while (at < from.size()) {
        const std::size_t control = from[at++];
        if (control < 32) {
            const std::size_t length = control + 1;
            if (length > from.size() - at || length > to.size() - filled) return std::nullopt;
            std::memcpy(to.data() + filled, from.data() + at, length);
            at += length;
            filled += length;
            continue;
        }
        std::size_t length = control >> 5;
        if (length == 7) {
            if (at == from.size()) return std::nullopt;
            length += from[at++];
        }
        length += 2;
        if (at == from.size()) return std::nullopt;
        const std::size_t back = ((control & 0x1f) << 8 | from[at++]) + 1;
        if (back > filled || length > to.size() - filled) return std::nullopt;
        for (; length > 0; --length, ++filled) to[filled] = to[filled - back];  // they may overlap
    }
    return filled;
}

void register_lzf() {
    static const H5Z_class2_t kClass{H5Z_CLASS_T_VERS, kLzfFilter, 0, 1, "lzf", nullptr, nullptr, unpack_chunk};
    checked(H5Zregister(&kClass), "register lzf");
}

}  // namespace satdl
