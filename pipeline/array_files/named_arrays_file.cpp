#include "pipeline/array_files/named_arrays_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <vector>

#include "pipeline/array_files/file_kind.h"
#include "pipeline/array_files/npz.h"
#include "pipeline/array_files/zip.h"
#include "pipeline/core/json.h"
#include "pipeline/core/unique_fd.h"
#include "pipeline/hdf5/hdf5_import.h"
#include "pipeline/os/file_error.h"
#include "pipeline/os/write_all.h"

namespace satdl {
namespace {

constexpr std::uint64_t kMaxHeader = 100 << 20;  // as safetensors itself has it
constexpr std::string_view kNpyEnding = ".npy";

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// ---- reading ----

// The arrays of a .npz file by name, each as `read(name)` gives it.
template <typename Read>
auto of_npz_members(BinaryFile& archive, Read read) {
    std::map<std::string, decltype(read(std::string()))> arrays;
    for (const ZipMember& member : zip_members(archive)) {
        const std::string_view name = member.name;
        if (!name.ends_with(kNpyEnding))
            throw archive.error(fmt::format("its member {} is not an array", printable(name)), "write it with numpy.savez");
        std::string array(name.substr(0, name.size() - kNpyEnding.size()));
        if (arrays.contains(array))
            throw archive.error(fmt::format("it has two arrays '{}'", printable(array)), "write it again with numpy.savez");
        auto found = read(array);
        arrays.emplace(std::move(array), std::move(found));
    }
    return arrays;
}

// {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {...}}
class SafetensorsReader {
    // By name, as `read` gives each; here since its type must be known before it is used.
    template <typename Read>
    auto of_tensors(Read read) {
        const Json header = read_header();
        std::map<std::string, decltype(read(std::string(), header))> arrays;
        for (const auto& [name, tensor] : header.items())
            if (name != kMetadata) arrays.emplace(name, read(name, tensor));
        return arrays;
    }

public:
    explicit SafetensorsReader(BinaryFile& file) : file_(file) {}

    NamedArrays read() {
        return of_tensors([this](const std::string& name, const Json& tensor) { return array_of(name, described(name, tensor)); });
    }
    std::map<std::string, ArrayType> types() {
        return of_tensors([this](const std::string& name, const Json& tensor) {
            const Described found = described(name, tensor);
            return ArrayType{found.element.dtype, found.shape};
        });
    }

    std::map<std::string, std::string> metadata() {
        std::map<std::string, std::string> texts;
        const Json header = read_header();
        const auto found = header.find(kMetadata);
        if (found == header.end() || !found->is_object()) return texts;
        for (const auto& [name, text] : found->items())
            if (text.is_string()) texts.emplace(name, text.get<std::string>());
        return texts;
    }

private:
    static constexpr const char* kMetadata = "__metadata__";

    struct ElementType {
        DType dtype;
        enum class Half { None, Ieee, Bfloat } half = Half::None;
    };
    struct Described {
        ElementType element;
        Shape shape;
        std::uint64_t from = 0, bytes = 0;  // in the file
    };

    Json read_header() {
        const std::string length = file_.peek(0, sizeof(std::uint64_t));
        std::uint64_t header_bytes = 0;
        if (length.size() < sizeof header_bytes) throw damaged("it has no header");
        std::memcpy(&header_bytes, length.data(), sizeof header_bytes);
        if (header_bytes > kMaxHeader || header_bytes > file_.size() - sizeof header_bytes)
            throw damaged("its header is longer than the file");
        begin_ = sizeof header_bytes + header_bytes;
        Json header = Json::parse(file_.peek(sizeof header_bytes, header_bytes), nullptr, false);
        if (!header.is_object()) throw damaged("its header is not JSON");
        return header;
    }

    Error damaged(std::string_view what) const {
        return file_.error(fmt::format("is not a valid safetensors file: {}", what), "write it again");
    }

    Described described(const std::string& name, const Json& tensor) const {
        try {
            const std::string type = tensor.at("dtype");
            const auto element = element_of(type);
            if (!element)
                throw file_.error(fmt::format("its tensor '{}' is {}, which satdl does not hold", printable(name), printable(type)),
                                  "convert it, to F32 for instance");
            const auto shape = tensor.at("shape").get<Shape>();
            const auto from = tensor.at("data_offsets").at(0).get<std::uint64_t>(),
                       to = tensor.at("data_offsets").at(1).get<std::uint64_t>();
            if (std::ranges::any_of(shape, [](std::int64_t extent) { return extent < 0; }) || from > to || to > file_.size() - begin_)
                throw damaged(fmt::format("its tensor '{}' is not in the file", printable(name)));
            const auto count = static_cast<std::uint64_t>(element_count(shape));
            const std::size_t width = element->half != ElementType::Half::None ? 2 : size_of(element->dtype);
            if ((to - from) / width != count || (to - from) % width != 0)
                throw damaged(fmt::format("its tensor '{}' has other bytes than its shape says", printable(name)));
            return {*element, shape, begin_ + from, to - from};
        } catch (const Json::exception&) {
            throw damaged(fmt::format("its tensor '{}' is not described", printable(name)));
        }
    }

    Array array_of(const std::string& name, const Described& found) {
        const std::string bytes = file_.peek(found.from, found.bytes);
        if (bytes.size() != found.bytes) throw damaged(fmt::format("its tensor '{}' is not in the file", printable(name)));
        if (found.element.half == ElementType::Half::None) return Array::copy_of(found.element.dtype, found.shape, bytes_of(bytes));
        return widened(bytes, found.shape, found.element.half);
    }

    static std::optional<ElementType> element_of(std::string_view type) {
        if (type == "F32") return ElementType{DType::Float32};
        if (type == "F64") return ElementType{DType::Float64};
        if (type == "I64") return ElementType{DType::Int64};
        if (type == "I32") return ElementType{DType::Int32};
        if (type == "U8" || type == "BOOL") return ElementType{DType::UInt8};
        if (type == "F16") return ElementType{DType::Float32, ElementType::Half::Ieee};
        if (type == "BF16") return ElementType{DType::Float32, ElementType::Half::Bfloat};
        return std::nullopt;
    }

    static Array widened(const std::string& bytes, const Shape& shape, ElementType::Half half_type) {
        std::vector<float> values(bytes.size() / 2);
        for (std::size_t i = 0; i < values.size(); ++i) {
            std::uint16_t half = 0;
            std::memcpy(&half, bytes.data() + 2 * i, 2);
            values[i] = half_type == ElementType::Half::Bfloat ? std::bit_cast<float>(std::uint32_t{half} << 16)
                                                               : static_cast<float>(std::bit_cast<_Float16>(half));
        }
        return Array::of<float>(shape, values);
    }

    BinaryFile& file_;
    std::uint64_t begin_ = 0;  // of the tensors' bytes
};

// ---- writing ----

class NewFile {
public:
    explicit NewFile(const std::filesystem::path& path)
        : path_(path), descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) {
        if (!descriptor_) throw FileError(errno, "create", path_);
    }
    void write(std::span<const std::byte> bytes) {
        if (write_all(descriptor_.get(), bytes) != bytes.size()) throw FileError(errno, "write to", path_);
    }
    void write(std::string_view text) { write(bytes_of(text)); }

private:
    const std::filesystem::path path_;
    const UniqueFd descriptor_;
};

std::string_view numpy_type(DType dtype) {
    switch (dtype) {
        case DType::UInt8: return "|u1";
        case DType::Int32: return "<i4";
        case DType::Int64: return "<i8";
        case DType::Float32: return "<f4";
        case DType::Float64: break;
    }
    return "<f8";
}

std::string_view safetensors_type(DType dtype) {
    switch (dtype) {
        case DType::UInt8: return "U8";
        case DType::Int32: return "I32";
        case DType::Int64: return "I64";
        case DType::Float32: return "F32";
        case DType::Float64: break;
    }
    return "F64";
}

std::string little_endian(std::uint64_t number, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i, number >>= 8) text += static_cast<char>(number & 0xff);
    return text;
}

// Everything before the elements, padded so that they begin at a multiple of 64.
std::string npy_header(const Array& array) {
    constexpr std::size_t kStart = 10, kAlignment = 64;
    const std::string extents = fmt::format("{}{}", fmt::join(array.shape(), ", "), array.shape().size() == 1 ? "," : "");
    std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", numpy_type(array.dtype()), extents);
    header.append((kAlignment - (kStart + header.size() + 1) % kAlignment) % kAlignment, ' ');
    header += '\n';
    return "\x93NUMPY" + std::string{1, 0} + little_endian(header.size(), 2) + header;
}

std::string number_text(const Array& array, std::size_t i) {
    switch (array.dtype()) {
        case DType::UInt8: return fmt::format("{}", array.values<std::uint8_t>()[i]);
        case DType::Int32: return fmt::format("{}", array.values<std::int32_t>()[i]);
        case DType::Int64: return fmt::format("{}", array.values<std::int64_t>()[i]);
        case DType::Float32: return fmt::format("{}", array.values<float>()[i]);
        case DType::Float64: break;
    }
    return fmt::format("{}", array.values<double>()[i]);
}

}  // namespace

NamedArrays read_named_arrays(const std::filesystem::path& path) {
    BinaryFile file(path);
    const FileKind kind = file_kind(file);
    if (kind == FileKind::Zip) return of_npz_members(file, [&](const std::string& name) { return read_npz(file, name, std::nullopt); });
    if (kind == FileKind::Hdf5) return import_every_hdf5(path);
    if (kind != FileKind::Other && kind != FileKind::Idx)
        throw wrong_kind(file, "a .npz, .safetensors or .h5 file", "write it with numpy.savez, h5py or safetensors' save_file");
    return SafetensorsReader(file).read();
}

std::map<std::string, ArrayType> named_array_types(const std::filesystem::path& path) {
    BinaryFile file(path);
    const FileKind kind = file_kind(file);
    if (kind == FileKind::Zip) return of_npz_members(file, [&](const std::string& name) { return read_npz_type(file, name); });
    if (kind != FileKind::Other && kind != FileKind::Idx)
        throw wrong_kind(file, "a .safetensors or .npz file", "write it with safetensors' save_file or numpy.savez");
    return SafetensorsReader(file).types();
}

std::map<std::string, std::string> safetensors_metadata(const std::filesystem::path& path) {
    BinaryFile file(path);
    const FileKind kind = file_kind(file);
    if (kind != FileKind::Other && kind != FileKind::Idx) return {};
    return SafetensorsReader(file).metadata();
}

void write_npy(const std::filesystem::path& path, const Array& array) {
    NewFile file(path);
    file.write(npy_header(array));
    file.write(array.bytes());
}

void write_npz(const std::filesystem::path& path, const NamedArrays& arrays) {
    NewFile file(path);
    std::string directory;
    std::uint64_t offset = 0;
    for (const auto& [name, array] : arrays) {
        const std::string header = npy_header(array), member = name + std::string(kNpyEnding);
        const std::uint64_t bytes = header.size() + array.bytes().size();
        if (offset + bytes > 0x7fffffff)
            throw Error(ExitCode::StageFailed, "the arrays are too large for a .npz file, which satdl writes up to 2 GiB",
                        "use h5 or safetensors");
        auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(header.data()), header.size());
        if (!array.bytes().empty()) crc = crc32_z(crc, reinterpret_cast<const Bytef*>(array.bytes().data()), array.bytes().size());
        const std::string sizes =
            little_endian(crc, 4) + little_endian(bytes, 4) + little_endian(bytes, 4) + little_endian(member.size(), 2);
        constexpr std::string_view kVersion("\x14\0", 2), kNoTime("\0\0\x21\0", 4);  // 1980-01-01, the earliest
        const std::string common = std::string(4, '\0') + std::string(kNoTime) + sizes;  // no flags, stored
        file.write("PK\3\4" + std::string(kVersion) + common + std::string(2, '\0') + member + header);
        file.write(array.bytes());
        directory +=
            "PK\1\2" + std::string(kVersion) + std::string(kVersion) + common + std::string(12, '\0') + little_endian(offset, 4) + member;
        offset += 30 + member.size() + bytes;
    }
    file.write(directory);
    file.write("PK\5\6" + std::string(4, '\0') + little_endian(arrays.size(), 2) + little_endian(arrays.size(), 2) +
               little_endian(directory.size(), 4) + little_endian(offset, 4) + std::string(2, '\0'));
}

void write_safetensors(const std::filesystem::path& path, const NamedArrays& arrays, const std::map<std::string, std::string>& metadata) {
    Json header = Json::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    std::uint64_t offset = 0;
    for (const auto& [name, array] : arrays) {
        const std::uint64_t end = offset + array.bytes().size();
        header[name] = {{"dtype", safetensors_type(array.dtype())}, {"shape", array.shape()}, {"data_offsets", {offset, end}}};
        offset = end;
    }
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    NewFile file(path);
    file.write(little_endian(text.size(), 8) + text);
    for (const auto& [name, array] : arrays) file.write(array.bytes());
}

void write_csv(const std::filesystem::path& path, const Array& array) {
    if (array.shape().size() > 2)
        throw Error(ExitCode::StageFailed, fmt::format("an array {} cannot be written as CSV", shape_text(array.shape())),
                    "a table has two dimensions: use h5 or npy");
    const auto rows = array.shape().empty() ? 1 : static_cast<std::size_t>(array.shape().front());
    const std::size_t columns = rows == 0 ? 0 : static_cast<std::size_t>(array.count()) / rows;
    NewFile file(path);
    for (std::size_t row = 0; row < rows; ++row) {
        std::string line;
        for (std::size_t column = 0; column < columns; ++column) {
            if (column > 0) line += ',';
            line += number_text(array, row * columns + column);
        }
        file.write(line + '\n');
    }
}

void write_csv(const std::filesystem::path& path, const NamedArrays& columns) {
    std::string line;
    for (const auto& [name, column] : columns) line += (line.empty() ? "" : ",") + name;
    NewFile file(path);
    file.write(line + '\n');
    const std::size_t rows = columns.empty() ? 0 : static_cast<std::size_t>(columns.begin()->second.count());
    for (std::size_t row = 0; row < rows; ++row) {
        line.clear();
        for (const auto& [name, column] : columns) {
            if (!line.empty()) line += ',';
            line += number_text(column, row);
        }
        file.write(line + '\n');
    }
}

}  // namespace satdl
