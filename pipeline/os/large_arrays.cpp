#include "pipeline/os/large_arrays.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <limits>
#include <map>
#include <utility>

#include "pipeline/os/file_error.h"
#include "pipeline/os/sigbus_guard.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

struct ArrayFile {
    UniqueFd descriptor;
    fs::path folder;
    std::byte* array = nullptr;
    std::size_t bytes = 0;
    std::atomic<bool> taken{false};
    std::atomic<bool> lost{false};  // the disk did not take all of it

    ArrayFile() = default;
    ArrayFile(const ArrayFile&) = delete;
    ArrayFile& operator=(const ArrayFile&) = delete;
    ~ArrayFile();
};

// By the address of its array: what the writer of files knows of an array.
std::mutex listing;
std::map<const std::byte*, ArrayFile*> all_files;  // guarded by `listing`

ArrayFile::~ArrayFile() {
    if (array == nullptr) return;
    {
        const std::scoped_lock lock(listing);
        all_files.erase(array);
    }
    unregister_mapping(array);
    ::munmap(array, bytes);
}

// Precondition: it lives, since whoever asks holds its array.
ArrayFile* file_of(std::span<const std::byte> bytes) {
    const std::scoped_lock lock(listing);
    const auto found = all_files.find(bytes.data());
    return found == all_files.end() ? nullptr : found->second;
}

// nullptr if the file system has no such files.
std::unique_ptr<ArrayFile> new_file(const fs::path& folder, std::size_t bytes) {
    auto file = std::make_unique<ArrayFile>();
    file->descriptor = UniqueFd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file->descriptor) return nullptr;
    const auto length = static_cast<off_t>(kLargeArrayOffset + bytes);
    if (::fallocate(file->descriptor.get(), 0, 0, length) != 0) {
        if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
            throw FileError(errno, fmt::format("reserve {} bytes, for an array that is too large for memory, in", bytes), folder);
        return nullptr;
    }
    void* const mapped =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->descriptor.get(), static_cast<off_t>(kLargeArrayOffset));
    if (mapped == MAP_FAILED) return nullptr;
    file->folder = folder;
    file->array = static_cast<std::byte*>(mapped);
    file->bytes = bytes;
    return file;
}

// The pages of files and of shared memory that this process has in memory, in bytes.
std::uint64_t resident_file_bytes() {
    std::uint64_t size = 0, resident = 0, shared = 0;
    std::ifstream("/proc/self/statm") >> size >> resident >> shared;
    return shared * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::uint64_t large_array_bytes(std::uint64_t memory_bytes) {
    if (memory_bytes == 0) return std::numeric_limits<std::uint64_t>::max();
    return std::max(kLargeArrayBytes, memory_bytes / 16);
}

LargeArrays::LargeArrays(fs::path folder, std::uint64_t memory_bytes)
    : folder_(std::move(folder)),
      from_bytes_(large_array_bytes(memory_bytes)),
      memory_bytes_(memory_bytes),
      resident_bytes_(memory_bytes / 4),
      keeper_([this](const std::stop_token& stop) { keep_few_pages(stop); }) {}

LargeArrays::~LargeArrays() {
    keeper_.request_stop();
    keeper_.join();
}

std::shared_ptr<std::byte[]> LargeArrays::allocate(std::size_t size) {
    if (size < from_bytes_) return nullptr;
    std::error_code unmade;  // which opening a file in it will show
    fs::create_directories(folder_, unmade);
    std::shared_ptr<ArrayFile> file;
    try {
        file = new_file(folder_, size);
    } catch (const FileError&) {
        if (size > memory_bytes_ / 2) throw;
        return nullptr;  // the disk is full; the run may succeed all the same, without storing it
    }
    if (file == nullptr) return nullptr;
    register_unnamed_mapping(file->array, size, file->descriptor.get(), folder_ / "(an array of the run)");
    {
        const std::scoped_lock lock(listing);
        all_files.emplace(file->array, file.get());
    }
    return {file, file->array};
}

bool LargeArrays::on_disk(std::span<const std::byte> bytes) const {
    return !bytes.empty() && bytes.size() >= resident_bytes_ && is_in_mapping(bytes.data());
}

// What is left after letting go is other files, of libraries, and what was read meanwhile, which must not count as such.
void LargeArrays::keep_few_pages(const std::stop_token& stop) {
    using namespace std::chrono_literals;
    constexpr std::uint64_t kMostOfLibraries = std::uint64_t{128} << 20;
    std::uint64_t others = 0;
    std::unique_lock lock(mutex_);
    while (!stopped_.wait_for(lock, stop, 10ms, [&] { return stop.stop_requested(); })) {
        if (mapped_bytes() < resident_bytes_ || resident_file_bytes() < others + resident_bytes_) continue;
        let_go_of_mapped_pages();
        others = std::min(resident_file_bytes(), kMostOfLibraries);
    }
}

std::optional<UniqueFd> take_file_of(std::span<const std::byte> bytes, std::uint64_t offset) {
    ArrayFile* const file = file_of(bytes);
    if (file == nullptr || file->bytes != bytes.size() || offset != kLargeArrayOffset || file->taken.exchange(true)) return std::nullopt;
    UniqueFd taken(::fcntl(file->descriptor.get(), F_DUPFD_CLOEXEC, 0));
    return taken ? std::optional(std::move(taken)) : std::nullopt;
}

void file_is_durable(std::span<const std::byte> bytes) { seal_mapping(bytes.data()); }

void file_is_lost(std::span<const std::byte> bytes) {
    if (ArrayFile* const file = file_of(bytes)) file->lost = true;
    lose_mapping(bytes.data());
}

void check_file_of(std::span<const std::byte> bytes) {
    const ArrayFile* const file = file_of(bytes);
    if (file == nullptr) return;
    int number = EIO;  // a second fsync would not say it again
    if (!file->lost) {
        if (::fsync(file->descriptor.get()) == 0) return;
        number = errno;
        file_is_lost(bytes);
    }
    throw FileError(number, "write an array to a file in", file->folder);
}

}  // namespace satdl
