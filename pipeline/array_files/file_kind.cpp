#include "pipeline/array_files/file_kind.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/core/ascii.h"

namespace satdl {
namespace {

constexpr std::string_view kHdf5Signature = "\x89HDF\r\n\x1a\n";

// HDF5 looks for its signature where a block of the user's own may end: at 0, 512, and twice as far each time.
bool has_hdf5_signature(BinaryFile& file) {
    if (file.peek(0, kHdf5Signature.size()) == kHdf5Signature) return true;
    for (std::uint64_t offset = 512; offset < file.size(); offset *= 2)
        if (file.peek(offset, kHdf5Signature.size()) == kHdf5Signature) return true;
    return false;
}

bool is_text(std::string_view start) {
    return !start.empty() && std::ranges::all_of(start, [](char c) {
        return c == '\t' || c == '\n' || c == '\r' || (static_cast<unsigned char>(c) >= 0x20 && c != '\x7f');
    });
}

bool is_html(std::string_view start) {
    const std::size_t first = start.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return false;
    const std::string begins = lower(start.substr(first, 14));
    return begins == "<!doctype html" || begins.starts_with("<html");
}

std::string_view advice(FileKind kind) {
    switch (kind) {
        case FileKind::Zip: return "unpack it first";
        case FileKind::Gzip: return "decompress it first: gunzip";
        case FileKind::LfsPointer: return "run `git lfs pull` to get the file itself";
        case FileKind::Html: return "a download that failed, or the page about the file? download the file itself";
        case FileKind::Npy:
        case FileKind::Png:
        case FileKind::Jpeg:
        case FileKind::Hdf5: return "a stage of kind 'read' reads it";
        default: return "";
    }
}

}  // namespace

FileKind file_kind(BinaryFile& file) {
    const std::string start = file.peek(0, 1024);
    if (start.starts_with("\x93NUMPY")) return FileKind::Npy;
    if (has_hdf5_signature(file)) return FileKind::Hdf5;
    if (start.starts_with("PK\3\4") || start.starts_with("PK\5\6")) return FileKind::Zip;
    if (start.starts_with("\x1f\x8b")) return FileKind::Gzip;
    if (start.starts_with("\x89PNG\r\n\x1a\n")) return FileKind::Png;
    if (start.starts_with("\xff\xd8\xff")) return FileKind::Jpeg;
    if (start.starts_with(std::string_view("\0\0", 2))) return FileKind::Idx;
    if (start.starts_with("version https://git-lfs")) return FileKind::LfsPointer;
    if (is_html(start)) return FileKind::Html;
    return is_text(start) ? FileKind::Text : FileKind::Other;
}

std::string_view name_of(FileKind kind) {
    switch (kind) {
        case FileKind::Npy: return "a NumPy file";
        case FileKind::Hdf5: return "an HDF5 file";
        case FileKind::Zip: return "a zip archive";
        case FileKind::Gzip: return "compressed with gzip";
        case FileKind::Png: return "a PNG image";
        case FileKind::Jpeg: return "a JPEG image";
        case FileKind::Idx: return "an IDX file";
        case FileKind::LfsPointer: return "a pointer of Git LFS";
        case FileKind::Html: return "an HTML page";
        case FileKind::Text: return "a text";
        case FileKind::Other: break;
    }
    return "";
}

Error wrong_kind(BinaryFile& file, std::string_view wanted, std::string hint) {
    const FileKind kind = file_kind(file);
    const std::string_view known = advice(kind);
    if (!known.empty()) hint = known;
    if (kind != FileKind::Other) return file.error(fmt::format("is not {}: it is {}", wanted, name_of(kind)), std::move(hint));
    std::string start;
    for (const char byte : file.peek(0, 4)) start += fmt::format(" {:02x}", static_cast<unsigned char>(byte));
    if (start.empty()) return file.error("is empty", "download it or write it again");
    return file.error(fmt::format("is not {}: it starts with{}", wanted, start), std::move(hint));
}

}  // namespace satdl
