// Arrays out of an HDF5 file that satdl did not write. HDF5's parser can be led astray by a file (its list of CVEs is
// long), so it never runs in this process: satdl-read-hdf5, next to the program, parses in a sandbox, and its output
// is trusted as little as the file. This header is the parent's side and the protocol between the two.
//
// Over the pipe: kImportMagic, the element type and the number of dimensions as a byte each, the extents as 64 bits
// little-endian, then the elements (unless only the type is wanted) and nothing else. If every array is wanted, one after the other, before
// each the length of its name as 32 bits little-endian, and the name. A refusal is exit code kImportRefused, its message on stderr.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "pipeline/core/array.h"
#include "pipeline/os/subprocess.h"

namespace satdl {

inline constexpr std::string_view kImportMagic = "satdl-array-1\n";
inline constexpr int kImportRefused = 65;
inline constexpr const char* kImportAll = "all";    // in place of a limit
inline constexpr const char* kImportType = "type";  // ... and of the elements
inline constexpr const char* kImportEvery = "every";  // array; NAME is empty
inline constexpr char kImportHintMark = '\x1f';  // on stderr, between what is wrong and what to do
inline constexpr std::size_t kImportMaxDimensions = 32;
// More bytes of elements than this for each byte of the file are refused: deflate, the strongest of HDF5's own, reaches 1032.
inline constexpr std::uint64_t kImportMaxExpansion = 1100;
// ... and more bytes of array than this for each byte of elements: int8 becomes int32.
inline constexpr std::uint64_t kImportMaxWidening = 4;
inline constexpr std::uint64_t kImportMaxOfSmallFiles = 1 << 20;  // ... beyond this, which any file may have

[[nodiscard]] std::string import_header(DType dtype, const Shape& shape);

// Takes the other side's output piece by piece, as a ProcessSink; allocates nothing that the file's size does not justify.
class ImportReceiver {
public:
    enum class Wanted { Array, Type };
    explicit ImportReceiver(std::uint64_t file_bytes, Wanted wanted = Wanted::Array) : file_bytes_(file_bytes), wanted_(wanted) {}

    [[nodiscard]] bool take(std::span<const std::byte> piece);  // false: this violates the protocol
    // How many bytes can come next, as far as is known; 0: it is complete.
    [[nodiscard]] std::size_t wanted_bytes() const;
    // The array, if it is complete and wanted; its type, likewise.
    [[nodiscard]] std::optional<Array> array() const;
    [[nodiscard]] std::optional<ArrayType> type() const;

private:
    [[nodiscard]] bool start();
    [[nodiscard]] std::size_t dimensions() const;

    const std::uint64_t file_bytes_;
    const Wanted wanted_;
    std::string header_;
    bool started_ = false;
    DType dtype_ = DType::UInt8;
    Shape shape_;
    std::shared_ptr<std::byte[]> storage_;
    std::size_t bytes_ = 0, filled_ = 0;
};

// The same for every array of a file.
class ImportEveryReceiver {
public:
    explicit ImportEveryReceiver(std::uint64_t file_bytes) : file_bytes_(file_bytes) {}

    [[nodiscard]] bool take(std::span<const std::byte> piece);
    // nullopt: the last one is not complete.
    [[nodiscard]] std::optional<NamedArrays> arrays() &&;

private:
    const std::uint64_t file_bytes_;
    NamedArrays arrays_;
    std::uint64_t bytes_ = 0;  // of all arrays
    std::string name_;         // of the next one, after its length
    std::optional<ImportReceiver> array_;
};

// The array `name` ("group/data"; "": the only one in the file), or its first `limit` entries along the first dimension; and what it is
// like, without reading its elements. Each throws Error{Store} naming the file, whatever the file does to its reader.
[[nodiscard]] Array import_hdf5(const std::filesystem::path& file, const std::string& name,
                                      std::optional<std::int64_t> limit = {});
[[nodiscard]] ArrayType import_hdf5_type(const std::filesystem::path& file, const std::string& name);
// All arrays of the file, by their names ("group/data"). Refused as well: links other than hard ones, and more than 10,000 objects.
[[nodiscard]] NamedArrays import_every_hdf5(const std::filesystem::path& file);

}  // namespace satdl
