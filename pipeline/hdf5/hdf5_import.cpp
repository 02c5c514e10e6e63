#include "pipeline/hdf5/hdf5_import.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "pipeline/core/error.h"
#include "pipeline/core/fresh_array.h"
#include "pipeline/os/shared_library.h"

namespace satdl {
namespace {

constexpr std::size_t kFixedBytes = kImportMagic.size() + 2;
constexpr std::size_t kLengthBytes = 4;  // of a name's length
constexpr std::uint32_t kMaxName = 1 << 16;

std::uint64_t bytes_of_file(const std::filesystem::path& path) {
    std::error_code failed;
    const std::uintmax_t bytes = std::filesystem::file_size(path, failed);
    if (!failed) return bytes;
    throw Error(ExitCode::Store, fmt::format("{}: cannot be read: {}", printable(path.string()), failed.message()), "check the path");
}

template <typename Receiver>
ProcessResult run_reader(const std::filesystem::path& path, const std::string& name, const std::string& how_much, Receiver& receiver) {
    return run_process({(program_folder() / "satdl-read-hdf5").string(), std::filesystem::absolute(path).string(), name, how_much},
                       [&](std::span<const std::byte> piece) { return receiver.take(piece); });
}

// The error for a reader that returned no array.
Error refusal(const std::filesystem::path& path, const ProcessResult& result) {
    const std::string file = printable(path.string());
    const std::string advice = "the file is damaged or malicious; if you trust it, h5repack may repair it";
    if (result.kind == ProcessResult::Kind::Ended && result.code == kImportRefused) {
        const std::string mark = printable(std::string(1, kImportHintMark));
        const std::size_t at = result.stderr_tail.rfind(mark);
        const std::string hint = at == std::string::npos ? "" : result.stderr_tail.substr(at + mark.size());
        return Error(ExitCode::Store, fmt::format("{}: {}", file, result.stderr_tail.substr(0, at)), hint);
    }
    if (result.kind == ProcessResult::Kind::NotStarted)
        return Error(ExitCode::Store, fmt::format("{}: satdl-read-hdf5, which reads it, {}", file, result.describe()),
                     "it belongs next to satdl: rebuild satdl");
    if (result.kind == ProcessResult::Kind::Killed && (result.code == SIGXCPU || result.code == SIGKILL))
        return Error(ExitCode::Store,
                     fmt::format("{}: reading it was stopped (signal {}): it took longer than the file's size explains", file,
                                 result.code),
                     advice);
    if (result.kind == ProcessResult::Kind::Killed)
        return Error(ExitCode::Store, fmt::format("{}: HDF5 crashed while reading it: signal {} ({})", file, result.code,
                                                  ::strsignal(result.code)), advice);
    if (result.kind == ProcessResult::Kind::Ended && result.code != 0)
        return Error(ExitCode::Store, fmt::format("{}: HDF5 failed to read it: {}", file, result.describe()), advice);
    return Error(ExitCode::Store, fmt::format("{}: the reader did not send the array that it announced", file),
                 advice);
}

}  // namespace

std::string import_header(DType dtype, const Shape& shape) {
    std::string text(kImportMagic);
    text += static_cast<char>(dtype);
    text += static_cast<char>(shape.size());
    for (const std::int64_t extent : shape) {
        for (int shift = 0; shift < 64; shift += 8) text += static_cast<char>(extent >> shift & 0xff);
    }
    return text;
}

// Parses the complete header.
bool ImportReceiver::start() {
    started_ = true;
    const auto type = static_cast<unsigned char>(header_[kImportMagic.size()]);
    if (!header_.starts_with(kImportMagic) || type > static_cast<unsigned char>(DType::Float64)) return false;
    dtype_ = static_cast<DType>(type);
    std::uint64_t bytes = size_of(dtype_);
    bool empty = false;
    for (std::size_t at = kFixedBytes; at < header_.size(); at += 8) {
        std::uint64_t extent = 0;
        for (std::size_t i = 8; i-- > 0;) extent = extent << 8 | static_cast<unsigned char>(header_[at + i]);
        if (extent >> 62 != 0) return false;
        shape_.push_back(static_cast<std::int64_t>(extent));
        empty = empty || extent == 0;
        if (!empty && __builtin_mul_overflow(bytes, extent, &bytes)) return false;
    }
    if (empty) bytes = 0;
    if (bytes > kImportMaxOfSmallFiles && bytes / kImportMaxExpansion / kImportMaxWidening > file_bytes_) return false;
    if (wanted_ == Wanted::Type) return true;
    bytes_ = bytes;
    storage_ = uninitialised_bytes(bytes_);
    return true;
}

bool ImportReceiver::take(std::span<const std::byte> piece) {
    while (!started_ && !piece.empty()) {
        const bool fixed = header_.size() >= kFixedBytes;
        if (dimensions() > kImportMaxDimensions) return false;
        const std::size_t wanted = kFixedBytes + 8 * dimensions();
        const std::size_t more = std::min(piece.size(), wanted - header_.size());
        header_.append(reinterpret_cast<const char*>(piece.data()), more);
        piece = piece.subspan(more);
        if (fixed && header_.size() == wanted && !start()) return false;
        if (!fixed && header_.size() == kFixedBytes && header_.back() == 0 && !start()) return false;
    }
    if (piece.size() > bytes_ - filled_) return false;
    if (!piece.empty()) std::memcpy(storage_.get() + filled_, piece.data(), piece.size());
    filled_ += piece.size();
    return true;
}

// As far as the header has come; 0 before.
std::size_t ImportReceiver::dimensions() const {
    return header_.size() < kFixedBytes ? 0 : static_cast<unsigned char>(header_[kFixedBytes - 1]);
}

std::size_t ImportReceiver::wanted_bytes() const {
    if (started_) return bytes_ - filled_;
    return kFixedBytes + 8 * std::min(dimensions(), kImportMaxDimensions) - header_.size();
}

std::optional<Array> ImportReceiver::array() const {
    if (!started_ || storage_ == nullptr || filled_ != bytes_) return std::nullopt;
    return Array(dtype_, shape_, {storage_.get(), bytes_}, storage_);
}

std::optional<ArrayType> ImportReceiver::type() const {
    if (!started_ || wanted_ != Wanted::Type) return std::nullopt;
    return ArrayType{dtype_, shape_};
}

bool ImportEveryReceiver::take(std::span<const std::byte> piece) {
    while (!piece.empty()) {
        if (!array_) {
            std::uint32_t length = 0;
            if (name_.size() >= kLengthBytes) std::memcpy(&length, name_.data(), kLengthBytes);
            if (length > kMaxName) return false;
            const std::size_t more = std::min(piece.size(), kLengthBytes + length - name_.size());
            name_.append(reinterpret_cast<const char*>(piece.data()), more);
            piece = piece.subspan(more);
            if (name_.size() < kLengthBytes) continue;
            std::memcpy(&length, name_.data(), kLengthBytes);
            if (length == 0) return false;
            if (name_.size() == kLengthBytes + length) array_.emplace(file_bytes_);
            continue;
        }
        const auto part = piece.first(std::min(piece.size(), array_->wanted_bytes()));
        if (!array_->take(part)) return false;
        piece = piece.subspan(part.size());
        const auto array = array_->array();
        if (!array || array_->wanted_bytes() > 0) continue;
        bytes_ += array->bytes().size();
        if (bytes_ > kImportMaxOfSmallFiles && bytes_ / kImportMaxExpansion / kImportMaxWidening > file_bytes_) return false;
        if (!arrays_.emplace(name_.substr(kLengthBytes), *array).second) return false;
        array_.reset();
        name_.clear();
    }
    return true;
}

std::optional<NamedArrays> ImportEveryReceiver::arrays() && {
    if (array_ || !name_.empty()) return std::nullopt;
    return std::move(arrays_);
}

Array import_hdf5(const std::filesystem::path& path, const std::string& name, std::optional<std::int64_t> limit) {
    ImportReceiver receiver(bytes_of_file(path));
    try {
        const ProcessResult result = run_reader(path, name, limit ? fmt::format("{}", *limit) : kImportAll, receiver);
        std::optional<Array> array = receiver.array();
        if (result.good() && array) return *std::move(array);
        throw refusal(path, result);
    } catch (const std::bad_alloc&) {
        throw Error(ExitCode::Store, fmt::format("{}: not enough memory for its array", printable(path.string())),
                    "read fewer samples, for example limit: 1000");
    }
}

NamedArrays import_every_hdf5(const std::filesystem::path& path) {
    ImportEveryReceiver receiver(bytes_of_file(path));
    try {
        const ProcessResult result = run_reader(path, "", kImportEvery, receiver);
        std::optional<NamedArrays> arrays = std::move(receiver).arrays();
        if (result.good() && arrays) return *std::move(arrays);
        throw refusal(path, result);
    } catch (const std::bad_alloc&) {
        throw Error(ExitCode::Store, fmt::format("{}: not enough memory for its arrays", printable(path.string())));
    }
}

ArrayType import_hdf5_type(const std::filesystem::path& path, const std::string& name) {
    ImportReceiver receiver(bytes_of_file(path), ImportReceiver::Wanted::Type);
    const ProcessResult result = run_reader(path, name, kImportType, receiver);
    std::optional<ArrayType> type = receiver.type();
    if (result.good() && type) return *std::move(type);
    throw refusal(path, result);
}

}  // namespace satdl
