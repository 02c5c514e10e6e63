// Files that are truncated while they are mapped. The kernel answers a read beyond their new end with SIGBUS, which kills a program
// without a message.
//
// Every mapping of file_system.h is registered here. If a read hits a page that is gone and nothing watches the mapping, one line
// names the file, and the program exits with the code of a bad store. If a MappingWatch watches it, the rest of the mapping reads
// as zeros and is marked: the watcher calls changed() before it uses any result. A SIGBUS from anywhere else is what it
// was before.
//
// Truncating a file by less than a page gives zeros without SIGBUS, and writing into it gives other bytes: so changed() also compares what
// stat says of the file with what it said when it was mapped.
//
// Rejected: reading instead of mapping, which takes memory for every input; mlock(2), which does not retain pages of a file that is
// truncated; leaving the handler by siglongjmp, past frames of LibTorch and oneTBB that hold locks.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipeline/core/array.h"

namespace satdl {

// Hint for a mapped file that changed while it was in use.
inline constexpr const char* kFileChangedHint = "the next run detects what is damaged and rebuilds it";

// For the program's main, once. Without it, SIGBUS kills the program as usual.
void install_sigbus_guard();

// `status`: of the file when it was mapped.
void register_mapping(const void* address, std::size_t bytes, const std::filesystem::path& path, const struct stat& status);
// Of a file that this process is still writing: `descriptor`, open as long as it is mapped, tells what becomes of it. `path` is for messages.
void register_unnamed_mapping(const void* address, std::size_t bytes, int descriptor, const std::filesystem::path& path);
// From now on nothing may change that file; or some of it is lost.
void seal_mapping(const void* address);
void lose_mapping(const void* address);
[[nodiscard]] bool is_in_mapping(const void* address);
[[nodiscard]] std::uint64_t mapped_bytes();  // of all registered mappings
// Their pages count no longer as memory of this process, and come back when they are used: from the kernel's cache, or the disk.
void let_go_of_mapped_pages();
void unregister_mapping(const void* address);  // before it is unmapped; absent is fine

// While one lives, reads of the mappings that it watches do not end the program.
class MappingWatch {
public:
    MappingWatch() = default;
    // `bytes` outlive it.
    explicit MappingWatch(std::span<const std::byte> bytes) { add(bytes, nullptr); }
    explicit MappingWatch(const std::map<std::string, NamedArrays>& groups) { add(groups); }
    ~MappingWatch();
    MappingWatch(const MappingWatch&) = delete;
    MappingWatch& operator=(const MappingWatch&) = delete;

    // Does nothing if they are in no registered mapping, or in one that is watched already.
    void add(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);
    void add(const NamedArrays& group);
    void add(const std::map<std::string, NamedArrays>& groups);

    // "'PATH' was truncated from 8192 to 100 bytes": of a mapping that is not, or no longer, what the file was when it was mapped.
    [[nodiscard]] std::optional<std::string> changed() const;
    // Throws Error{Store} if something changed.
    void throw_if_changed() const;

    struct Mapping;

private:
    struct Watched {
        Mapping* mapping;
        std::shared_ptr<const void> owner;  // a watched mapping stays mapped
    };
    std::vector<Watched> watched_;
};

}  // namespace satdl
