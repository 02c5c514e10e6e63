// Tar files, one entry after the other, by libarchive: in a library of its own, which is loaded when the first of them is
// opened. libarchive brings eight other libraries, and would take 3 ms of each start of satdl.
//
// Only plain tar is read, and no compression: of libarchive's many readers, files of others meet this one alone. What an
// entry is called, or says of itself, is whatever its author wrote there: the caller checks all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace satdl {

struct TarEntry {
    std::string name;
    std::uint64_t bytes = 0;
    bool is_file = true;  // false: a folder, a link of either kind, a device, a file with holes
};

class TarReader {
public:
    virtual ~TarReader() = default;
    TarReader(const TarReader&) = delete;
    TarReader& operator=(const TarReader&) = delete;

    // nullopt at the end. Each throws Error{Store} naming the file, if it is no tar file, or is damaged or truncated.
    [[nodiscard]] virtual std::optional<TarEntry> next() = 0;
    // The next bytes of the entry, as many as fit; 0 at its end.
    [[nodiscard]] virtual std::size_t read(std::span<std::byte> bytes) = 0;

protected:
    TarReader() = default;
};

class TarWriter {
public:
    virtual ~TarWriter() = default;
    TarWriter(const TarWriter&) = delete;
    TarWriter& operator=(const TarWriter&) = delete;

    // Each throws FileError naming the file. All entries have the same time, owner and mode, so that equal entries give
    // equal files.
    virtual void begin(const std::string& name, std::uint64_t bytes) = 0;
    virtual void write(std::span<const std::byte> bytes) = 0;  // of the entry that was begun
    virtual void finish() = 0;                                 // once, after the last entry

protected:
    TarWriter() = default;
};

// Throws Error{Store} if the file cannot be opened, or if satdl's library is missing.
[[nodiscard]] std::unique_ptr<TarReader> open_tar(const std::filesystem::path& path);
// A new file, or one that replaces what has the name. Throws FileError.
[[nodiscard]] std::unique_ptr<TarWriter> create_tar(const std::filesystem::path& path);

}  // namespace satdl
