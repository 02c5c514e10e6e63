// What the fuzzers share. Each feeds one reader with bytes; a satdl::Error is a good answer, anything else (another
// exception, a failed check, a sanitizer's report, seconds of time) is a finding.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "pipeline/core/error.h"
#include "pipeline/yaml/yaml_parser.h"

namespace satdl::fuzz {

// Runs one reading; whatever it says no to must say so in words that a terminal can take.
template <typename Read>
void expect_result_or_error(const Read& read) {
    try {
        read();
    } catch (const Error& error) {
        for (const char* at = error.what(); *at != '\0'; ++at) {
            const auto byte = static_cast<unsigned char>(*at);
            if ((byte < 0x20 && byte != '\n') || byte == 0x7f) std::abort();
        }
        for (const Diagnostic& one : error.diagnostics())
            if (one.message.empty()) std::abort();
    }
}

inline ConfigValue yaml(const std::string& name, std::string text) {
    return parse_yaml(std::make_shared<const SourceText>(SourceText{name, std::move(text)}));
}

// A file in memory with a path.
class MemoryFile {
public:
    explicit MemoryFile(std::string_view bytes) : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
        if (descriptor_ < 0 || ::write(descriptor_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
    }
    ~MemoryFile() { ::close(descriptor_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;
    [[nodiscard]] std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

private:
    int descriptor_;
};

// A folder in memory that lasts as long as the fuzzer.
class MemoryFolder {
public:
    MemoryFolder() {
        if (::mkdtemp(name_.data()) == nullptr) std::abort();
    }
    ~MemoryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(name_, ignored);
    }
    MemoryFolder(const MemoryFolder&) = delete;
    MemoryFolder& operator=(const MemoryFolder&) = delete;
    [[nodiscard]] std::filesystem::path path() const { return name_; }

private:
    std::string name_ = "/dev/shm/satdl-fuzz-XXXXXX";
};

inline std::filesystem::path memory_folder() {
    static const MemoryFolder folder;
    return folder.path();
}

}  // namespace satdl::fuzz

#define SATDL_FUZZER(text)                                                              \
    static void fuzz_one(std::string_view text);                                        \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
        fuzz_one({reinterpret_cast<const char*>(data), size});                          \
        return 0;                                                                       \
    }                                                                                   \
    static void fuzz_one(std::string_view text)
