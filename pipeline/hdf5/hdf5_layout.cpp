// Creates the file for the tensors in an Hdf5MemoryDriver, and reports what HDF5 did: each tensor's place, and
// the bytes that are HDF5's own.
//
// Written in the format of HDF5 1.8: everything since reads it, it has checksums over the metadata, and an attribute may be
// longer than 64 KB (a recipe with a large network). No times are tracked: on file, group and dataset lists each, else the
// bytes would differ from run to run.
#include "pipeline/hdf5/hdf5_layout.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <mutex>
#include <set>
#include <string_view>
#include <type_traits>

#include "pipeline/hdf5/hdf5_handle.h"
#include "pipeline/hdf5/hdf5_memory_driver.h"

namespace satdl {
namespace {

using Attributes = std::vector<std::pair<std::string, std::string>>;

// HDF5 prints its errors by default; the setting is global to the process, so it is restored.
class QuietErrors {
public:
    QuietErrors() {
        H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    }
    ~QuietErrors() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
    QuietErrors(const QuietErrors&) = delete;
    QuietErrors& operator=(const QuietErrors&) = delete;

private:
    H5E_auto2_t function_ = nullptr;
    void* data_ = nullptr;
};

hid_t type_of(DType dtype) {
    switch (dtype) {
        case DType::UInt8: return H5T_STD_U8LE;
        case DType::Int32: return H5T_STD_I32LE;
        case DType::Int64: return H5T_STD_I64LE;
        case DType::Float32: return H5T_IEEE_F32LE;
        case DType::Float64: return H5T_IEEE_F64LE;
    }
    return H5I_INVALID_HID;
}

void set_attributes(hid_t object, const Attributes& attributes) {
    for (const auto& [name, text] : attributes) {
        Hdf5Id type(H5Tcopy(H5T_C_S1), H5Tclose, "copy a type");
        checked(H5Tset_cset(type.get(), H5T_CSET_UTF8), "set a character set");
        checked(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), "set a padding");
        checked(H5Tset_size(type.get(), text.empty() ? 1 : text.size()), "set a size");
        Hdf5Id space(H5Screate(H5S_SCALAR), H5Sclose, "make a data space");
        Hdf5Id attribute(H5Acreate2(object, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                     "make an attribute");
        checked(H5Awrite(attribute.get(), type.get(), text.empty() ? "" : text.data()), "write an attribute");
        attribute.close("close an attribute");
        space.close("close a data space");
        type.close("close a type");
    }
}

void make_groups(hid_t file, const std::string& path, std::set<std::string>& made) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        const std::string name = path.substr(0, slash);
        if (!made.insert(name).second) continue;
        Hdf5Id list(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, "make a property list");
        checked(H5Pset_obj_track_times(list.get(), false), "disable timestamps");
        Hdf5Id group(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, list.get(), H5P_DEFAULT), H5Gclose,
                 fmt::format("make the group '{}'", printable(name)));
        group.close("close a group");
        list.close("close a property list");
    }
}

// The place of the tensor's bytes; for a tensor without elements, any.
std::uint64_t make_dataset(hid_t file, const Hdf5Tensor& tensor, std::uint64_t user_block_bytes) {
    const std::vector<hsize_t> extents(tensor.shape.begin(), tensor.shape.end());
    Hdf5Id space(extents.empty() ? H5Screate(H5S_SCALAR)
                             : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
             H5Sclose, fmt::format("make a data space of shape {}", shape_text(tensor.shape)));
    Hdf5Id list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "make a property list");
    checked(H5Pset_obj_track_times(list.get(), false), "disable timestamps");
    checked(H5Pset_layout(list.get(), H5D_CONTIGUOUS), "set a layout");
    checked(H5Pset_alloc_time(list.get(), H5D_ALLOC_TIME_EARLY), "set the time of allocation");
    checked(H5Pset_fill_time(list.get(), H5D_FILL_TIME_NEVER), "disable filling");
    const char* const path = tensor.path.c_str();
    Hdf5Id dataset(H5Dcreate2(file, path, type_of(tensor.dtype), space.get(), H5P_DEFAULT, list.get(), H5P_DEFAULT), H5Dclose,
               fmt::format("make the dataset '{}'", printable(tensor.path)));
    set_attributes(dataset.get(), tensor.attributes);
    std::uint64_t offset = user_block_bytes;
    if (element_count(tensor.shape) > 0) {
        offset = H5Dget_offset(dataset.get());
        if (offset == HADDR_UNDEF) fail_in_hdf5(fmt::format("place the dataset '{}'", printable(tensor.path)));
    }
    dataset.close("close a dataset");
    list.close("close a property list");
    space.close("close a data space");
    return offset;
}

Hdf5Layout lay_out(std::uint64_t user_block_bytes, const std::vector<Hdf5Tensor>& tensors,
                   const Attributes& root_attributes) {
    Hdf5MemoryDriver memory;
    Hdf5Id driver(Hdf5MemoryDriver::register_driver(), H5FDunregister, "register the driver");
    Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make a property list");
    checked(memory.use(access.get(), driver.get()), "use the driver");
    checked(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V18), "set the format");
    Hdf5Id creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "make a property list");
    checked(H5Pset_userblock(creation.get(), user_block_bytes), "set the user block");
    checked(H5Pset_obj_track_times(creation.get(), false), "disable timestamps");

    Hdf5Id file(H5Fcreate("artifact", H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose, "make a file");
    set_attributes(file.get(), root_attributes);
    Hdf5Layout layout;
    std::set<std::string> groups;
    for (const Hdf5Tensor& tensor : tensors) {
        make_groups(file.get(), tensor.path, groups);
        layout.offsets.push_back(make_dataset(file.get(), tensor, user_block_bytes));
    }
    file.close("close the file");
    creation.close("close a property list");
    access.close("close a property list");
    driver.close("unregister the driver");

    layout.file_bytes = memory.end();
    layout.metadata.assign(memory.extents().begin(), memory.extents().end());
    return layout;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) Hdf5Layout satdl_hdf5_layout(
    std::uint64_t user_block_bytes, const std::vector<Hdf5Tensor>& tensors, const Attributes& root_attributes) {
    static std::mutex one_at_a_time;  // Debian's HDF5 is not built for threads
    const std::scoped_lock lock(one_at_a_time);
    H5dont_atexit();  // all is closed here; whatever else uses HDF5 in this process closes its own
    checked(H5open(), "start");
    const QuietErrors quiet;
    return lay_out(user_block_bytes, tensors, root_attributes);
}

static_assert(std::is_same_v<decltype(&satdl_hdf5_layout), Hdf5LayoutFunction>);

}  // namespace satdl
