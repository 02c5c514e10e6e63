// Files that somebody cuts while they are mapped. The kernel answers a read beyond their new end with SIGBUS, which ends a program
// without a word.
//
// Every mapping of file_system.h is registered here. Where a read meets a page that is gone and nobody watches the mapping, one line
// names the file, and the program ends with the exit code of a bad store. Where a MappingWatch watches it, the rest of the mapping reads
// as zeros and is marked: who watches asks changed() before he believes anything that came of it. A SIGBUS from anywhere else is what it
// was before.
//
// Cutting a file by less than a page gives zeros without SIGBUS, and writing into it gives other bytes: so changed() also compares what
// stat says of the file with what it said when it was mapped.
//
// Rejected: reading instead of mapping, which takes memory for every input; mlock(2), which does not hold pages of a file that is
// cut; leaving the handler by siglongjmp, past frames of LibTorch and oneTBB that hold locks.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipeline/core/array.h"

namespace satdl {

// What is to be done about a file that was.
inline constexpr const char* kAfterFileChanged = "the next run finds what is damaged, and makes it again";

// For the program's main, once. Without it, SIGBUS ends the program as ever.
void install_sigbus_guard();

// `status`: of the file when it was mapped.
void register_mapping(const void* address, std::size_t bytes, const std::filesystem::path& path, const struct stat& status);
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

    // Nothing is done where they lie in no registered mapping, or in one that is watched already.
    void add(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);
    void add(const NamedArrays& group);
    void add(const std::map<std::string, NamedArrays>& groups);

    // "'PATH' was cut from 8192 to 100 bytes": of a mapping that is not, or no longer, what the file was when it was mapped.
    [[nodiscard]] std::optional<std::string> changed() const;
    // Throws Error{Store} where changed() says something.
    void refuse_changed() const;

    struct Mapping;

private:
    struct Watched {
        Mapping* mapping;
        std::shared_ptr<const void> owner;  // a mapping that is watched stays mapped
    };
    std::vector<Watched> watched_;
};

}  // namespace satdl
