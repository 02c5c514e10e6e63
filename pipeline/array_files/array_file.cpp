#include "pipeline/array_files/array_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/array_files/csv.h"
#include "pipeline/array_files/file_kind.h"
#include "pipeline/array_files/idx.h"
#include "pipeline/array_files/image.h"
#include "pipeline/array_files/image_folder.h"
#include "pipeline/array_files/npy.h"
#include "pipeline/array_files/npz.h"
#include "pipeline/hdf5/hdf5_import.h"

namespace satdl {
namespace {

bool is_folder(const std::filesystem::path& path) {
    std::error_code unknown;  // which opening it will report
    return std::filesystem::is_directory(path, unknown);
}

ArrayType image_type(BinaryFile& file) {
    const Shape shape = read_image_shape(file);
    return {DType::UInt8, {1, shape[0], shape[1], shape[2]}};
}

// A kind of file that has arrays, and what is selected of it; else throws.
FileKind checked_kind(BinaryFile& file, const ArraySelection& selection) {
    const FileKind kind = file_kind(file);
    const bool is_image = kind == FileKind::Png || kind == FileKind::Jpeg;
    const bool has_one = kind == FileKind::Npy || kind == FileKind::Idx || kind == FileKind::Text || is_image;
    if (!has_one && kind != FileKind::Hdf5 && kind != FileKind::Zip)
        throw wrong_kind(file, "a file of arrays (NumPy, HDF5, IDX, CSV, PNG or JPEG)", "write it with numpy.save or h5py, for example");
    if (selection.columns && kind != FileKind::Text)
        throw file.error("is not a CSV file, the only one that has columns", "'columns' selects columns of a CSV file: remove it");
    if (has_one && !selection.name.empty()) {
        throw file.error(fmt::format("is {}, which has one array without a name", name_of(kind)),
                         "'array' selects an array of an HDF5 or .npz file: remove it");
    }
    return kind;
}

void check_not_empty(const BinaryFile& file, const Shape& shape) {
    if (std::ranges::find(shape, 0) == shape.end()) return;
    throw file.error(fmt::format("its array has no elements: its shape is {}", shape_text(shape)),
                     "was it written before it was filled? write it again");
}

}  // namespace

Array read_array_file(const std::filesystem::path& path, const ArraySelection& selection) {
    const auto& [name, columns, limit] = selection;
    BinaryFile file(path);
    const auto read = [&, kind = checked_kind(file, selection)] {
        if (kind == FileKind::Hdf5) return import_hdf5(path, name, limit);
        if (kind == FileKind::Zip) return read_npz(file, name, limit);
        if (kind == FileKind::Text) return read_csv(file, columns, limit);
        if (kind == FileKind::Png || kind == FileKind::Jpeg) return read_image(file);
        return kind == FileKind::Npy ? read_npy(file, limit) : read_idx(path, limit);
    };
    Array array = read();
    check_not_empty(file, array.shape());
    return array;
}

std::optional<ArrayType> array_type_of_file(const std::filesystem::path& path, const ArraySelection& selection) {
    if (is_folder(path)) return image_folder_type(path);
    BinaryFile file(path);
    const auto read = [&, kind = checked_kind(file, selection)]() -> std::optional<ArrayType> {
        if (kind == FileKind::Hdf5) return import_hdf5_type(path, selection.name);
        if (kind == FileKind::Zip) return read_npz_type(file, selection.name);
        if (kind == FileKind::Text) return read_csv_type(file, selection.columns);
        if (kind == FileKind::Png || kind == FileKind::Jpeg) return image_type(file);
        return kind == FileKind::Npy ? read_npy_type(file) : read_idx_type(file);
    };
    std::optional<ArrayType> type = read();
    if (type) check_not_empty(file, type->shape);
    return type;
}

bool has_cheap_header(const std::filesystem::path& path) {
    if (is_folder(path)) return false;
    BinaryFile file(path);
    return file_kind(file) != FileKind::Hdf5;
}

}  // namespace satdl
