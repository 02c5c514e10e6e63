// What HDF5 says of the file is checked for plausibility before anything is allocated or read.
#include "pipeline/hdf5/hdf5_import_parser.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/hdf5/hdf5_handle.h"
#include "pipeline/hdf5/hdf5_import.h"

namespace satdl {
namespace {

using Extents = std::vector<hsize_t>;

constexpr std::uint64_t kMaxChunkBytes = std::uint64_t{128} << 20;
constexpr std::uint64_t kPieceBytes = std::uint64_t{32} << 20;
constexpr std::size_t kMaxObjects = 10'000;
constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxListed = 10;

[[noreturn]] void refuse(std::string message, std::string hint) {
    throw Error(ExitCode::Store, std::vector<Diagnostic>{{{}, std::move(message), std::move(hint)}});
}

// ---- finding the array ----------------------------------------------------------------------------------------------

H5L_info_t link_at(hid_t group, const std::string& name) {
    H5L_info_t info{};
    if (H5Lget_info(group, name.c_str(), &info, H5P_DEFAULT) < 0)
        refuse(fmt::format("it has no '{}'", printable(name)), "run `h5ls -r FILE` to list its contents");
    return info;
}

void check_link(const H5L_info_t& link, const std::string& name) {
    if (link.type == H5L_TYPE_HARD) return;
    const std::string_view kind = link.type == H5L_TYPE_SOFT       ? "a soft link"
                                  : link.type == H5L_TYPE_EXTERNAL ? "an external link, to another file"
                                                                   : "a user-defined link";
    refuse(fmt::format("'{}' is {}", printable(name), kind), "name the array itself, or copy it into this file with h5copy");
}

Hdf5Id opened(hid_t group, const std::string& name) {
    check_link(link_at(group, name), name);
    return {H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose, fmt::format("open '{}'", printable(name))};
}

// The arrays of a file by hard links alone; each group once.
class Search {
public:
    void look_into(hid_t group, const std::string& path, std::size_t depth) {
        if (depth > kMaxDepth) return;
        std::vector<std::string> names;
        hsize_t position = 0;
        checked(H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, &position, add_name, &names), "list a group");
        if ((seen_ += names.size()) > kMaxObjects || names.size() >= kMaxObjects)
            refuse(fmt::format("it has more than {} objects", kMaxObjects), "name the one to read, array: group/name");
        for (const std::string& name : names) {
            if (link_at(group, name).type != H5L_TYPE_HARD) continue;
            const Hdf5Id object = opened(group, name);
            const H5I_type_t type = H5Iget_type(object.get());
            if (type == H5I_DATASET) found.push_back(path + name);
            if (type != H5I_GROUP) continue;
            H5O_info_t info{};
            checked(H5Oget_info2(object.get(), &info, H5O_INFO_BASIC), "describe a group");
            if (groups_.insert(info.addr).second) look_into(object.get(), path + name + "/", depth + 1);
        }
    }

    std::vector<std::string> found;

private:
    static herr_t add_name(hid_t, const char* name, const H5L_info_t*, void* names) {
        auto& list = *static_cast<std::vector<std::string>*>(names);
        list.emplace_back(name);
        return list.size() >= kMaxObjects ? 1 : 0;
    }

    std::size_t seen_ = 0;
    std::set<haddr_t> groups_;
};

std::string only_array(hid_t file) {
    Search search;
    search.look_into(file, "", 0);
    if (search.found.size() == 1) return search.found.front();
    if (search.found.empty()) refuse("it contains no array", "run `h5ls -r FILE` to list its contents");
    std::string names;
    for (std::size_t i = 0; i < search.found.size() && i < kMaxListed; ++i)
        names += (i > 0 ? ", " : "") + printable(search.found[i]);
    if (search.found.size() > kMaxListed) names += ", ...";
    refuse(fmt::format("it contains {} arrays: {}", search.found.size(), names), "name the one to read, array: NAME");
}

// Opened group by group, so that no link is followed unchecked.
Hdf5Id open_array(hid_t file, const std::string& path) {
    std::vector<std::string> names;
    for (std::size_t at = 0; at < path.size();) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        if (end > at) names.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    if (names.empty() || names.size() > kMaxDepth) refuse(fmt::format("it has no '{}'", printable(path)), "array: group/name");
    const auto descend = [](const auto& self, hid_t group, std::span<const std::string> rest) -> Hdf5Id {
        if (rest.size() == 1) {
            check_link(link_at(group, rest[0]), rest[0]);
            return {H5Dopen2(group, rest[0].c_str(), H5P_DEFAULT), H5Dclose,
                    fmt::format("open '{}' as an array", printable(rest[0]))};
        }
        const Hdf5Id next = opened(group, rest[0]);
        if (H5Iget_type(next.get()) != H5I_GROUP)
            refuse(fmt::format("'{}' is not a group", printable(rest[0])), "run `h5ls -r FILE` to list its contents");
        return self(self, next.get(), rest.subspan(1));
    };
    return descend(descend, file, names);
}

// ---- weighing it ----------------------------------------------------------------------------------------------------

DType element_type(hid_t dataset) {
    const Hdf5Id type(H5Dget_type(dataset), H5Tclose, "read the element type");
    const std::array<std::pair<DType, std::array<hid_t, 2>>, 5> known{{{DType::UInt8, {H5T_STD_U8LE, H5T_STD_U8BE}},
                                                                      {DType::Int32, {H5T_STD_I32LE, H5T_STD_I32BE}},
                                                                      {DType::Int64, {H5T_STD_I64LE, H5T_STD_I64BE}},
                                                                      {DType::Float32, {H5T_IEEE_F32LE, H5T_IEEE_F32BE}},
                                                                      {DType::Float64, {H5T_IEEE_F64LE, H5T_IEEE_F64BE}}}};
    for (const auto& [dtype, orders] : known) {
        for (const hid_t one : orders)
            if (H5Tequal(type.get(), one) > 0) return dtype;
    }
    refuse(fmt::format("its element type ({} bytes) is not supported", H5Tget_size(type.get())),
           "convert it to uint8, int32, int64, float32 or float64: array.astype('float32')");
}

hid_t memory_type(DType dtype) {
    switch (dtype) {
        case DType::UInt8: return H5T_NATIVE_UINT8;
        case DType::Int32: return H5T_NATIVE_INT32;
        case DType::Int64: return H5T_NATIVE_INT64;
        case DType::Float32: return H5T_NATIVE_FLOAT;
        case DType::Float64: return H5T_NATIVE_DOUBLE;
    }
    return H5I_INVALID_HID;
}

Extents extents_of(hid_t space) {
    if (H5Sget_simple_extent_type(space) == H5S_NULL)
        refuse("it is an array without a shape (a null data space)", "write its values");
    const int dimensions = checked(H5Sget_simple_extent_ndims(space), "count the dimensions");
    if (static_cast<std::size_t>(dimensions) > kImportMaxDimensions)
        refuse(fmt::format("it has {} dimensions", dimensions), fmt::format("at most {} are supported", kImportMaxDimensions));
    Extents extents(static_cast<std::size_t>(dimensions));
    if (dimensions > 0) checked(H5Sget_simple_extent_dims(space, extents.data(), nullptr), "read the extents");
    return extents;
}

std::string text_of(const Extents& extents) { return fmt::format("[{}]", fmt::join(extents, ", ")); }

// The product, refused if a file cannot have that size.
std::uint64_t size_in_bytes(const Extents& extents, std::uint64_t element) {
    if (std::ranges::find(extents, 0u) != extents.end()) return 0;
    std::uint64_t bytes = element;
    for (const hsize_t extent : extents) {
        if (__builtin_mul_overflow(bytes, extent, &bytes) || bytes >> 60 != 0)
            refuse(fmt::format("its shape {} has too many elements", text_of(extents)), "is the file truncated?");
    }
    return bytes;
}

void check_filters(hid_t list) {
    const int filters = checked(H5Pget_nfilters(list), "count the filters");
    for (int i = 0; i < filters; ++i) {
        unsigned flags = 0;
        std::size_t values = 0;
        std::array<char, 64> name{};
        const H5Z_filter_t id = H5Pget_filter2(list, static_cast<unsigned>(i), &flags, &values, nullptr, name.size() - 1,
                                               name.data(), nullptr);
        if (checked(id, "read a filter") > H5Z_FILTER_SCALEOFFSET || H5Zfilter_avail(id) <= 0)
            refuse(fmt::format("its filter {} '{}' is not built into HDF5", id, printable(name.data())),
                   "use gzip instead: h5repack -f GZIP=4 IN OUT");
    }
}

// What is known of an array before any byte of it is read.
struct ArrayInfo {
    DType dtype = DType::UInt8;
    Extents extents;
    Extents chunk;                // empty: it is not in chunks
    std::uint64_t unpacked = 0;   // bytes of all chunks, or of the array
};

std::uint64_t chunks_of(const Extents& extents, const Extents& chunk, std::uint64_t max) {
    std::uint64_t count = 1;
    for (std::size_t axis = 0; axis < extents.size(); ++axis) {
        const std::uint64_t along = extents[axis] / chunk[axis] + (extents[axis] % chunk[axis] != 0 ? 1 : 0);
        if (__builtin_mul_overflow(count, along, &count) || count > max)
            refuse(fmt::format("its shape {} takes more chunks than the file has bytes", text_of(extents)), "is the file truncated?");
    }
    return count;
}

void inspect_chunks(hid_t dataset, hid_t space, hid_t list, std::uint64_t stored, std::uint64_t file_bytes, ArrayInfo& array) {
    array.chunk.resize(array.extents.size());
    const int dimensions = static_cast<int>(array.chunk.size());
    if (checked(H5Pget_chunk(list, dimensions, array.chunk.data()), "read the chunk shape") != dimensions ||
        std::ranges::find(array.chunk, 0u) != array.chunk.end())
        refuse("its chunks do not match its shape", "is the file truncated?");
    const std::uint64_t chunk_bytes = size_in_bytes(array.chunk, size_of(array.dtype));
    if (chunk_bytes > kMaxChunkBytes)
        refuse(fmt::format("its chunks {} take more than {} MiB each", text_of(array.chunk), kMaxChunkBytes >> 20),
               "use smaller chunks: h5repack -l CHUNK=...");
    if (array.unpacked == 0) return;
    const std::uint64_t wanted = chunks_of(array.extents, array.chunk, file_bytes);
    hsize_t there = 0;
    checked(H5Dget_num_chunks(dataset, space, &there), "count the chunks");
    if (there != wanted)
        refuse(fmt::format("{} of its {} chunks are stored", there, wanted), "satdl does not read values that were never written");
    if (__builtin_mul_overflow(wanted, chunk_bytes, &array.unpacked)) refuse("it has too many chunks", "is the file truncated?");
    const bool filtered = H5Pget_nfilters(list) > 0;
    if (stored > file_bytes || array.unpacked / (filtered ? kImportMaxExpansion : 1) > stored)
        refuse(fmt::format("its shape {} takes {} bytes, of which {} are stored", text_of(array.extents), array.unpacked, stored),
               filtered ? fmt::format("no filter of HDF5 compresses more than {}-fold: is the file truncated?", kImportMaxExpansion)
                        : "is the file truncated?");
}

ArrayInfo inspect(hid_t dataset, std::uint64_t file_bytes) {
    const Hdf5Id list(H5Dget_create_plist(dataset), H5Pclose, "read how the array is stored");
    if (H5Pget_external_count(list.get()) != 0)
        refuse("its values are in other files (external storage)", "copy them into this file with h5repack");
    const H5D_layout_t layout = H5Pget_layout(list.get());
    if (layout == H5D_VIRTUAL) refuse("it is a virtual dataset, made of other files", "copy its values into a regular dataset");
    if (layout != H5D_CHUNKED && layout != H5D_CONTIGUOUS && layout != H5D_COMPACT)
        refuse("its storage layout is not supported", "convert it with h5repack");
    check_filters(list.get());
    ArrayInfo array{.dtype = element_type(dataset), .extents = {}, .chunk = {}};
    const Hdf5Id space(H5Dget_space(dataset), H5Sclose, "read the shape");
    array.extents = extents_of(space.get());
    array.unpacked = size_in_bytes(array.extents, size_of(array.dtype));
    const std::uint64_t stored = H5Dget_storage_size(dataset);
    if (layout == H5D_CHUNKED) {
        inspect_chunks(dataset, space.get(), list.get(), stored, file_bytes, array);
    } else if (array.unpacked != 0 && (stored != array.unpacked || stored > file_bytes)) {
        refuse(fmt::format("its shape {} takes {} bytes, of which {} are stored in a file of {}", text_of(array.extents),
                           array.unpacked, stored, file_bytes),
               "is the file truncated? satdl does not read values that were never written");
    }
    return array;
}

// ---- reading it -----------------------------------------------------------------------------------------------------

// In pieces of whole runs along one axis, at the ends of chunks where that is possible, in the order of the elements.
class Pieces {
public:
    Pieces(hid_t dataset, const ArrayInfo& array, const ImportSink& sink)
        : dataset_(dataset), array_(array), sink_(sink), space_(H5Dget_space(dataset), H5Sclose, "read the shape") {}

    void read(const Extents& extents) {
        std::uint64_t inner = size_of(array_.dtype);  // bytes of what lies within axis_
        axis_ = extents.size();
        while (axis_ > 1 && inner * extents[axis_ - 1] <= kPieceBytes) inner *= extents[--axis_];
        if (axis_ > 0) --axis_;
        start_.assign(extents.size(), 0);
        count_ = extents;
        for (std::size_t axis = 0; axis < axis_; ++axis) count_[axis] = 1;
        step_ = std::max<hsize_t>(1, kPieceBytes / inner);
        const hsize_t chunk = array_.chunk.empty() ? 1 : array_.chunk[axis_];
        if (step_ > chunk) step_ -= step_ % chunk;
        along(extents, 0);
    }

    void read_scalar() {
        buffer_.resize(size_of(array_.dtype));
        checked(H5Dread(dataset_, memory_type(array_.dtype), H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer_.data()),
                "read the value");
        sink_.bytes(buffer_);
    }

private:
    void along(const Extents& extents, std::size_t axis) {
        const hsize_t step = axis == axis_ ? step_ : 1;
        for (start_[axis] = 0; start_[axis] < extents[axis]; start_[axis] += step) {
            if (axis < axis_) {
                along(extents, axis + 1);
                continue;
            }
            count_[axis] = std::min(step, extents[axis] - start_[axis]);
            piece();
        }
        start_[axis] = 0;
    }

    void piece() {
        buffer_.resize(size_in_bytes(count_, size_of(array_.dtype)));
        checked(H5Sselect_hyperslab(space_.get(), H5S_SELECT_SET, start_.data(), nullptr, count_.data(), nullptr), "choose a part");
        const Hdf5Id memory(H5Screate_simple(static_cast<int>(count_.size()), count_.data(), nullptr), H5Sclose,
                            "make a data space");
        checked(H5Dread(dataset_, memory_type(array_.dtype), memory.get(), space_.get(), H5P_DEFAULT, buffer_.data()),
                "read the values");
        sink_.bytes(buffer_);
    }

    hid_t dataset_;
    const ArrayInfo& array_;
    const ImportSink& sink_;
    Hdf5Id space_;
    std::size_t axis_ = 0;
    hsize_t step_ = 1;
    Extents start_, count_;
    std::vector<std::byte> buffer_;
};

void harden_hdf5() {
    H5dont_atexit();
    checked(H5open(), "start");
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    checked(H5PLset_loading_state(0), "disable plug-ins");
    checked(H5Lunregister(H5L_TYPE_EXTERNAL), "disable external links");
}

}  // namespace

void read_hdf5(const std::filesystem::path& path, std::uint64_t file_bytes, const std::string& name,
               std::optional<std::int64_t> limit, const ImportSink& sink) {
    harden_hdf5();
    const Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make a property list");
    checked(H5Pset_cache(access.get(), 0, 521, kMaxChunkBytes, 1.0), "set the cache");
    const Hdf5Id file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose, "open it: is it a complete HDF5 file?");
    const Hdf5Id dataset = open_array(file.get(), name.empty() ? only_array(file.get()) : name);
    const ArrayInfo array = inspect(dataset.get(), file_bytes);
    Extents extents = array.extents;
    if (limit && !extents.empty()) extents.front() = std::min(extents.front(), static_cast<hsize_t>(*limit));
    const bool empty = std::ranges::find(extents, 0u) != extents.end();
    if (std::ranges::any_of(extents, [](hsize_t extent) { return extent >> 62 != 0; }))
        refuse(fmt::format("its shape {} is impossible", text_of(extents)), "is the file truncated?");
    sink.begin(array.dtype, Shape(extents.begin(), extents.end()), empty ? 0 : array.unpacked);
    if (empty) return;
    Pieces pieces(dataset.get(), array, sink);
    if (extents.empty()) pieces.read_scalar();
    else pieces.read(extents);
}

}  // namespace satdl
