// What HDF5 says of the file is checked for plausibility before anything is allocated or read.
#include "pipeline/hdf5/hdf5_import_parser.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/hdf5/hdf5_handle.h"
#include "pipeline/hdf5/hdf5_import.h"
#include "pipeline/hdf5/hdf5_lzf.h"

namespace satdl {
namespace {

using Extents = std::vector<hsize_t>;

constexpr std::uint64_t kMaxChunkBytes = std::uint64_t{1} << 30;  // a chunk is unpacked in memory, next to its packed bytes
constexpr std::uint64_t kPieceBytes = std::uint64_t{32} << 20;
constexpr std::size_t kMaxObjects = 10'000;
constexpr std::size_t kMaxDepth = 32;
constexpr int kMaxSoftLinks = 32;
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

// By a name that leads to it by hard links alone.
Hdf5Id opened(hid_t group, const std::string& name) {
    return {H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose, fmt::format("open '{}'", printable(name))};
}

// The arrays of a file by hard links alone; each group once.
class Search {
public:
    enum class OtherLinks { Ignored, Refused };
    explicit Search(OtherLinks other_links) : other_links_(other_links) {}

    void look_into(hid_t group, const std::string& path, std::size_t depth) {
        if (depth > kMaxDepth) return;
        std::vector<std::string> names;
        hsize_t position = 0;
        checked(H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, &position, add_name, &names), "list a group");
        if ((seen_ += names.size()) > kMaxObjects || names.size() >= kMaxObjects)
            refuse(fmt::format("it has more than {} objects", kMaxObjects), "name the one to read, array: group/name");
        for (const std::string& name : names) {
            const H5L_info_t link = link_at(group, name);
            if (other_links_ == OtherLinks::Refused) check_link(link, path + name);
            if (link.type != H5L_TYPE_HARD) continue;
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

    const OtherLinks other_links_;
    std::size_t seen_ = 0;
    std::set<haddr_t> groups_;
};

std::string only_array(hid_t file) {
    Search search(Search::OtherLinks::Ignored);
    search.look_into(file, "", 0);
    if (search.found.size() == 1) return search.found.front();
    if (search.found.empty()) refuse("it contains no array", "run `h5ls -r FILE` to list its contents");
    std::string names;
    for (std::size_t i = 0; i < search.found.size() && i < kMaxListed; ++i)
        names += (i > 0 ? ", " : "") + printable(search.found[i]);
    if (search.found.size() > kMaxListed) names += ", ...";
    refuse(fmt::format("it contains {} arrays: {}", search.found.size(), names), "name the one to read, array: NAME");
}

std::vector<std::string> parts_of(const std::string& path) {
    std::vector<std::string> names;
    for (std::size_t at = 0; at < path.size();) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        if (const std::string name = path.substr(at, end - at); !name.empty() && name != ".") names.push_back(name);
        at = end + 1;
    }
    return names;
}

std::string soft_target(hid_t file, const std::string& path, const H5L_info_t& link) {
    std::string target(link.u.val_size, '\0');
    checked(H5Lget_val(file, path.c_str(), target.data(), target.size(), H5P_DEFAULT), "read a soft link");
    return target.substr(0, target.find('\0'));
}

// The same place by hard links alone: HDF5 would follow a soft link to an external one, and so to another file.
std::string resolved(hid_t file, const std::string& path) {
    std::vector<std::string> rest = parts_of(path);
    std::string done;
    int soft_links = 0;
    for (std::size_t depth = 0; !rest.empty(); ++depth) {
        if (depth > kMaxDepth) refuse(fmt::format("'{}' is too deep", printable(path)), "move the array nearer to the root: h5copy");
        const std::string name = rest.front();
        rest.erase(rest.begin());
        if (!done.empty()) {
            const Hdf5Id group = opened(file, done);
            if (H5Iget_type(group.get()) != H5I_GROUP)
                refuse(fmt::format("'{}' is not a group", printable(done)), "run `h5ls -r FILE` to list its contents");
        }
        const std::string here = done.empty() ? name : done + '/' + name;
        const H5L_info_t link = link_at(file, here);
        if (link.type == H5L_TYPE_SOFT) {
            if (++soft_links > kMaxSoftLinks)
                refuse(fmt::format("'{}' is a circle of soft links", printable(here)), "name the array itself");
            const std::string target = soft_target(file, here, link);
            if (target.starts_with('/')) done.clear();
            const std::vector<std::string> names = parts_of(target);
            rest.insert(rest.begin(), names.begin(), names.end());
        } else {
            check_link(link, here);
            done = here;
        }
    }
    return done;
}

Hdf5Id open_array(hid_t file, const std::string& path) {
    const std::string name = resolved(file, path);
    if (name.empty()) refuse(fmt::format("it has no '{}'", printable(path)), "array: group/name");
    return {H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose, fmt::format("open '{}' as an array", printable(name))};
}

// ---- weighing it ----------------------------------------------------------------------------------------------------

// What HDF5 converts the elements to as it reads them, and what they are then in an array. As in .npy files (array_files/elements.h),
// an element type that DType lacks is widened.
struct MemoryType {
    DType dtype;
    hid_t id;
    bool checked = false;  // uint64: its values must fit into int64
};

std::optional<MemoryType> whole_number(hid_t type) {
    const std::size_t size = H5Tget_size(type);
    if (H5Tget_precision(type) != 8 * size) return std::nullopt;
    const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
    switch (size) {
        case 1: return is_signed ? MemoryType{DType::Int32, H5T_NATIVE_INT32} : MemoryType{DType::UInt8, H5T_NATIVE_UINT8};
        case 2: return MemoryType{DType::Int32, H5T_NATIVE_INT32};
        case 4: return is_signed ? MemoryType{DType::Int32, H5T_NATIVE_INT32} : MemoryType{DType::Int64, H5T_NATIVE_INT64};
        case 8: return is_signed ? MemoryType{DType::Int64, H5T_NATIVE_INT64} : MemoryType{DType::Int64, H5T_NATIVE_UINT64, true};
        default: return std::nullopt;
    }
}

// float16, as h5py writes it: HDF5 has no name for it before 1.14.4.
bool is_half(hid_t type) {
    std::size_t sign = 0, exponent = 0, exponent_bits = 0, fraction = 0, fraction_bits = 0;
    return H5Tget_size(type) == 2 && H5Tget_fields(type, &sign, &exponent, &exponent_bits, &fraction, &fraction_bits) >= 0 && sign == 15 &&
           exponent == 10 && exponent_bits == 5 && fraction == 0 && fraction_bits == 10 && H5Tget_ebias(type) == 15 &&
           H5Tget_norm(type) == H5T_NORM_IMPLIED;
}

std::optional<MemoryType> real_number(hid_t type) {
    const auto is_one_of = [&](hid_t little, hid_t big) { return H5Tequal(type, little) > 0 || H5Tequal(type, big) > 0; };
    if (is_half(type) || is_one_of(H5T_IEEE_F32LE, H5T_IEEE_F32BE)) return MemoryType{DType::Float32, H5T_NATIVE_FLOAT};
    if (is_one_of(H5T_IEEE_F64LE, H5T_IEEE_F64BE)) return MemoryType{DType::Float64, H5T_NATIVE_DOUBLE};
    return std::nullopt;
}

// h5py's bool: an enumeration of FALSE = 0 and TRUE = 1.
bool is_bool(hid_t type) {
    const auto is_named = [&](const char* name, std::int8_t value) {
        std::int8_t found = -1;
        return H5Tenum_valueof(type, name, &found) >= 0 && found == value;
    };
    return H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2 && is_named("FALSE", 0) && is_named("TRUE", 1);
}

std::string class_text(hid_t type) {
    const std::size_t bytes = H5Tget_size(type);
    switch (H5Tget_class(type)) {
        case H5T_INTEGER: return fmt::format("integers of {} bytes", bytes);
        case H5T_FLOAT: return fmt::format("floating-point numbers of {} bytes that are not IEEE 754's", bytes);
        case H5T_STRING: return "text";
        case H5T_BITFIELD: return "bit fields";
        case H5T_OPAQUE: return "bytes without a meaning";
        case H5T_COMPOUND: return "records of several fields";
        case H5T_REFERENCE: return "references";
        case H5T_VLEN: return "lists of different lengths";
        case H5T_ARRAY: return "arrays";
        default: return "of a kind that this HDF5 does not know";
    }
}

MemoryType memory_type(hid_t dataset) {
    const Hdf5Id type(H5Dget_type(dataset), H5Tclose, "read the element type");
    const H5T_class_t kind = H5Tget_class(type.get());
    std::optional<MemoryType> found;
    if (kind == H5T_INTEGER) found = whole_number(type.get());
    if (kind == H5T_FLOAT) found = real_number(type.get());
    if (kind == H5T_ENUM && is_bool(type.get())) {
        found = MemoryType{DType::UInt8, H5T_NATIVE_UINT8};
    } else if (kind == H5T_ENUM) {
        const Hdf5Id base(H5Tget_super(type.get()), H5Tclose, "read an enumeration's element type");
        found = whole_number(base.get());
    }
    if (!found)
        refuse(fmt::format("its elements are {}", class_text(type.get())),
               "satdl reads booleans and real numbers: write them as such, array.astype('float32')");
    return *found;
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
        if (checked(id, "read a filter") == kLzfFilter) continue;
        if (id > H5Z_FILTER_SCALEOFFSET || H5Zfilter_avail(id) <= 0)
            refuse(fmt::format("its filter {} '{}' is not built into HDF5", id, printable(name.data())),
                   "use gzip instead: h5repack -f GZIP=4 IN OUT");
    }
}

// What is known of an array before any byte of it is read.
struct ArrayInfo {
    MemoryType type;
    std::size_t element = 1;     // bytes of one in the file
    Extents extents;
    Extents chunk;               // empty: it is not in chunks
    std::uint64_t bytes = 0;     // of all elements, as they are in the file
    std::uint64_t unpacked = 0;  // of what is stored of it; the rest was never written, and is its fill value
};

// Values that were never written take no room in the file; but what a file takes in memory must be in proportion to it.
void check_size(const ArrayInfo& array, std::uint64_t file_bytes) {
    if (array.bytes > kImportMaxOfSmallFiles && array.bytes / kImportMaxExpansion > file_bytes)
        refuse(fmt::format("its shape {} takes {} bytes, in a file of {}", text_of(array.extents), array.bytes, file_bytes),
               "is the file truncated, or was most of the array never written? write its values, or a smaller array");
}

void inspect_chunks(hid_t dataset, hid_t space, hid_t list, std::uint64_t stored, std::uint64_t file_bytes, ArrayInfo& array) {
    array.chunk.resize(array.extents.size());
    const int dimensions = static_cast<int>(array.chunk.size());
    if (checked(H5Pget_chunk(list, dimensions, array.chunk.data()), "read the chunk shape") != dimensions ||
        std::ranges::find(array.chunk, 0u) != array.chunk.end())
        refuse("its chunks do not match its shape", "is the file truncated?");
    if (array.bytes == 0) return;
    const std::uint64_t chunk_bytes = size_in_bytes(array.chunk, array.element);
    hsize_t chunks = 0;
    checked(H5Dget_num_chunks(dataset, space, &chunks), "count the chunks");
    if (chunks > 0 && chunk_bytes > kMaxChunkBytes)
        refuse(fmt::format("its chunks {} take more than {} MiB each", text_of(array.chunk), kMaxChunkBytes >> 20),
               "use smaller chunks: h5repack -l CHUNK=...");
    if (__builtin_mul_overflow(chunks, chunk_bytes, &array.unpacked)) refuse("it has too many chunks", "is the file truncated?");
    const bool filtered = H5Pget_nfilters(list) > 0;
    if (stored > file_bytes || array.unpacked / (filtered ? kImportMaxExpansion : 1) > stored)
        refuse(fmt::format("its {} chunks take {} bytes, of which {} are stored", chunks, array.unpacked, stored),
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
    ArrayInfo array{.type = memory_type(dataset), .extents = {}, .chunk = {}};
    const Hdf5Id space(H5Dget_space(dataset), H5Sclose, "read the shape");
    array.extents = extents_of(space.get());
    const Hdf5Id type(H5Dget_type(dataset), H5Tclose, "read the element type");
    array.element = H5Tget_size(type.get());
    array.bytes = size_in_bytes(array.extents, array.element);
    check_size(array, file_bytes);
    const std::uint64_t stored = H5Dget_storage_size(dataset);
    if (layout == H5D_CHUNKED) {
        inspect_chunks(dataset, space.get(), list.get(), stored, file_bytes, array);
    } else {
        array.unpacked = array.bytes;
        if (stored != 0 && (stored != array.unpacked || stored > file_bytes))
            refuse(fmt::format("its shape {} takes {} bytes, of which {} are stored in a file of {}", text_of(array.extents),
                               array.unpacked, stored, file_bytes),
                   "is the file truncated?");
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
        std::uint64_t inner = size_of(array_.type.dtype);  // bytes of what lies within axis_
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
        buffer_.assign(size_of(array_.type.dtype), std::byte{0});
        checked(H5Dread(dataset_, array_.type.id, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer_.data()), "read the value");
        send();
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
        // Zeros, which HDF5 leaves where nothing was written and there is no fill value.
        buffer_.assign(size_in_bytes(count_, size_of(array_.type.dtype)), std::byte{0});
        checked(H5Sselect_hyperslab(space_.get(), H5S_SELECT_SET, start_.data(), nullptr, count_.data(), nullptr), "choose a part");
        const Hdf5Id memory(H5Screate_simple(static_cast<int>(count_.size()), count_.data(), nullptr), H5Sclose,
                            "make a data space");
        checked(H5Dread(dataset_, array_.type.id, memory.get(), space_.get(), H5P_DEFAULT, buffer_.data()), "read the values");
        send();
    }

    void send() {
        if (array_.type.checked) {
            for (std::size_t i = 7; i < buffer_.size(); i += 8) {
                if ((buffer_[i] & std::byte{0x80}) != std::byte{0})
                    refuse("it has a uint64 above 9223372036854775807, which int64 does not have", "convert it: array.astype('float64')");
            }
        }
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
    register_lzf();
}

Hdf5Id opened_file(const std::filesystem::path& path) {
    harden_hdf5();
    const Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make a property list");
    checked(H5Pset_cache(access.get(), 0, 521, kMaxChunkBytes, 1.0), "set the cache");
    return {H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose, "open it"};
}

void read_array(hid_t dataset, const ArrayInfo& array, std::optional<std::int64_t> limit, const ImportSink& sink) {
    Extents extents = array.extents;
    if (limit && !extents.empty()) extents.front() = std::min(extents.front(), static_cast<hsize_t>(*limit));
    const bool empty = std::ranges::find(extents, 0u) != extents.end();
    if (std::ranges::any_of(extents, [](hsize_t extent) { return extent >> 62 != 0; }))
        refuse(fmt::format("its shape {} is impossible", text_of(extents)), "is the file truncated?");
    sink.begin(array.type.dtype, Shape(extents.begin(), extents.end()), empty ? 0 : std::max(array.bytes, array.unpacked));
    if (empty || !sink.bytes) return;
    Pieces pieces(dataset, array, sink);
    if (extents.empty()) pieces.read_scalar();
    else pieces.read(extents);
}

}  // namespace

void read_hdf5(const std::filesystem::path& path, std::uint64_t file_bytes, const std::string& name,
               std::optional<std::int64_t> limit, const ImportSink& sink) {
    const Hdf5Id file = opened_file(path);
    const Hdf5Id dataset = open_array(file.get(), name.empty() ? only_array(file.get()) : name);
    read_array(dataset.get(), inspect(dataset.get(), file_bytes), limit, sink);
}

void read_every_hdf5(const std::filesystem::path& path, std::uint64_t file_bytes,
                     const std::function<void(const std::string& name)>& begin_name, const ImportSink& sink) {
    const Hdf5Id file = opened_file(path);
    Search search(Search::OtherLinks::Refused);
    search.look_into(file.get(), "", 0);
    if (search.found.empty()) refuse("it contains no array", "write at least one dataset");
    std::uint64_t bytes = 0;
    for (const std::string& name : search.found) {
        try {
            const Hdf5Id dataset = opened(file.get(), name);
            bytes += inspect(dataset.get(), file_bytes).bytes;  // of a file's proportions, each, so no sum of 10,000 overflows
        } catch (const Error& error) {
            const Diagnostic& fault = error.diagnostics().front();
            refuse(fmt::format("'{}': {}", printable(name), fault.message), fault.hint);
        }
    }
    if (bytes > kImportMaxOfSmallFiles && bytes / kImportMaxExpansion > file_bytes)
        refuse(fmt::format("its arrays take {} bytes, in a file of {}", bytes, file_bytes), "was most of them never written?");
    for (const std::string& name : search.found) {
        const Hdf5Id dataset = opened(file.get(), name);
        begin_name(name);
        read_array(dataset.get(), inspect(dataset.get(), file_bytes), std::nullopt, sink);
    }
}

}  // namespace satdl
