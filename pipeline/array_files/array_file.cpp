#include "pipeline/array_files/array_file.h"

#include <fmt/format.h>

#include "pipeline/array_files/csv.h"
#include "pipeline/array_files/file_kind.h"
#include "pipeline/array_files/idx.h"
#include "pipeline/array_files/npy.h"
#include "pipeline/array_files/npz.h"
#include "pipeline/hdf5/hdf5_import.h"

namespace satdl {

Array read_array_file(const std::filesystem::path& path, const ArraySelection& selection) {
    const auto& [name, columns, limit] = selection;
    BinaryFile file(path);
    const FileKind kind = file_kind(file);
    if (columns && kind != FileKind::Text)
        throw file.error("is not a CSV file, the only one that has columns", "'columns' selects columns of a CSV file: remove it");
    if (kind == FileKind::Hdf5) return import_hdf5(path, name, limit);
    if (kind == FileKind::Zip) return read_npz(file, name, limit);
    if (kind != FileKind::Npy && kind != FileKind::Idx && kind != FileKind::Text)
        throw wrong_kind(file, "a file of arrays (NumPy, HDF5, IDX or CSV)", "write it with numpy.save or h5py, for example");
    if (!name.empty()) {
        throw file.error(fmt::format("is {}, which has one array without a name", name_of(kind)),
                         "'array' selects an array of an HDF5 or .npz file: remove it");
    }
    if (kind == FileKind::Text) return read_csv(file, columns, limit);
    return kind == FileKind::Npy ? read_npy(file, limit) : read_idx(path, limit);
}

std::optional<ArrayType> array_type_of_file(const std::filesystem::path& path, const ArraySelection& selection) {
    try {
        BinaryFile file(path);
        const FileKind kind = file_kind(file);
        if (kind == FileKind::Zip) return read_npz_type(file, selection.name);
        if (!selection.name.empty()) return std::nullopt;
        if (kind == FileKind::Text) return read_csv_type(file, selection.columns);
        if (kind == FileKind::Npy) return read_npy_type(file);
        if (kind == FileKind::Idx) return read_idx_type(file);
    } catch (const Error&) {
        // reported when the array is read
    }
    return std::nullopt;
}

}  // namespace satdl
