// Arrays that are larger than memory lets them be: each lies in an unnamed file beside the store's own, mapped, so that the kernel writes
// and reads its pages as memory allows. A stage fills it and reads it like any other.
//
// The file becomes the artifact: its array begins where an artifact has a large tensor (kLargeArrayOffset), so the store only adds what
// stands around it, and gives it a name. An array that cannot become one (a second large output) is copied, piece by piece.
//
// It has no name until then (O_TMPFILE), so nothing is left of it when the process dies, in whatever way. Where the file system has no such
// files, or cannot reserve space, arrays stay in memory: a write to a page that the disk has no room for would end the program.
//
// Pages of mapped files, these and those of artifacts, count as memory of the process until the kernel needs them. So that the process
// keeps to its limit where there is more memory than that, a thread lets go of them when they are too many.
//
// Rejected: a file of pieces with explicit reads and writes, which every stage, the digest and LibTorch would have to know; a swap file,
// which is the machine's and not the run's.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "pipeline/core/fresh_array.h"
#include "pipeline/core/unique_fd.h"

namespace satdl {

// In an artifact, a tensor of so many bytes begins at a multiple of this offset, the first one usually at the offset itself.
inline constexpr std::uint64_t kLargeArrayBytes = std::uint64_t{4} << 20;
inline constexpr std::uint64_t kLargeArrayOffset = std::uint64_t{64} << 10;

// From how many bytes on an array lies in a file, where a run may use so much memory (0: unknown, then none does): a sixteenth of it, so
// that the few arrays that a stage has in memory take less than half.
[[nodiscard]] std::uint64_t large_array_bytes(std::uint64_t memory_bytes);

class LargeArrays final : public ArrayMemory {
public:
    // `folder` is made if it is absent. `memory_bytes`: what the run may use.
    LargeArrays(std::filesystem::path folder, std::uint64_t memory_bytes);
    ~LargeArrays() override;

    [[nodiscard]] std::shared_ptr<std::byte[]> allocate(std::size_t size) override;
    [[nodiscard]] bool on_disk(std::span<const std::byte> bytes) const override;

private:
    void keep_few_pages(const std::stop_token& stop);

    const std::filesystem::path folder_;
    const std::uint64_t from_bytes_;
    const std::uint64_t memory_bytes_;
    const std::uint64_t resident_bytes_;  // of mapped files, about
    std::mutex mutex_;
    std::condition_variable_any stopped_;
    std::jthread keeper_;
};

// The unnamed file in which exactly `bytes` lie, if that is at `offset`: to be made the file of an artifact. It is given away once; whoever
// takes it and fails must write another.
[[nodiscard]] std::optional<UniqueFd> take_file_of(std::span<const std::byte> bytes, std::uint64_t offset);
// After the file was taken. Now nothing may change it: whoever reads the array is warned of changes (sigbus_guard.h).
void file_is_durable(std::span<const std::byte> bytes);
// Some of its bytes are lost: the same.
void file_is_lost(std::span<const std::byte> bytes);
// Before the array is copied from there: what the disk did not take would be read as something else. Throws FileError.
void check_file_of(std::span<const std::byte> bytes);

}  // namespace satdl
