#include "pipeline/archive/tar_library.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <cerrno>
#include <new>
#include <type_traits>
#include <utility>

#include "pipeline/core/error.h"
#include "pipeline/os/file_error.h"

namespace satdl {
namespace {

constexpr std::size_t kBlockBytes = 1 << 16;
constexpr int kMode = 0644;

template <int (*Free)(archive*)>
struct FreeArchive {
    void operator()(archive* one) const { Free(one); }
};
using Reading = std::unique_ptr<archive, FreeArchive<archive_read_free>>;
using Writing = std::unique_ptr<archive, FreeArchive<archive_write_free>>;

struct FreeEntry {
    void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

class LibarchiveReader final : public TarReader {
public:
    explicit LibarchiveReader(std::filesystem::path path) : path_(std::move(path)), archive_(archive_read_new()) {
        if (!archive_) throw std::bad_alloc();
        check(archive_read_support_format_tar(archive_.get()));
        check(archive_read_open_filename(archive_.get(), path_.c_str(), kBlockBytes));
    }

    std::optional<TarEntry> next() override {
        archive_entry* entry = nullptr;
        const int result = archive_read_next_header(archive_.get(), &entry);
        if (result == ARCHIVE_EOF) return std::nullopt;
        check(result);
        TarEntry found;
        if (const char* name = archive_entry_pathname(entry)) found.name = name;
        if (archive_entry_size_is_set(entry)) found.bytes = static_cast<std::uint64_t>(archive_entry_size(entry));
        found.is_file = archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr &&
                        archive_entry_symlink(entry) == nullptr && archive_entry_sparse_count(entry) == 0;
        return found;
    }

    std::size_t read(std::span<std::byte> bytes) override {
        const la_ssize_t count = archive_read_data(archive_.get(), bytes.data(), bytes.size());
        if (count < 0) check(static_cast<int>(count));
        return static_cast<std::size_t>(count);
    }

private:
    // A warning is about what satdl does not use, such as a name that the locale does not have.
    void check(int result) const {
        if (result == ARCHIVE_OK || result == ARCHIVE_WARN) return;
        const char* message = archive_error_string(archive_.get());
        throw Error(ExitCode::Store,
                    fmt::format("{}: is not a tar file, or is damaged: {}", printable(path_.string()),
                                printable(message ? message : "no reason is known")),
                    "satdl import takes what `satdl export WHAT FILE.tar` wrote");
    }

    const std::filesystem::path path_;
    const Reading archive_;
};

class LibarchiveWriter final : public TarWriter {
public:
    explicit LibarchiveWriter(std::filesystem::path path) : path_(std::move(path)), archive_(archive_write_new()) {
        if (!archive_) throw std::bad_alloc();
        check(archive_write_set_format_pax_restricted(archive_.get()));
        check(archive_write_open_filename(archive_.get(), path_.c_str()));
    }

    void begin(const std::string& name, std::uint64_t bytes) override {
        const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
        if (!entry) throw std::bad_alloc();
        archive_entry_set_pathname(entry.get(), name.c_str());
        archive_entry_set_filetype(entry.get(), AE_IFREG);
        archive_entry_set_perm(entry.get(), kMode);
        archive_entry_set_mtime(entry.get(), 0, 0);
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes));
        check(archive_write_header(archive_.get(), entry.get()));
    }

    void write(std::span<const std::byte> bytes) override {
        while (!bytes.empty()) {
            const la_ssize_t count = archive_write_data(archive_.get(), bytes.data(), bytes.size());
            if (count < 0) check(static_cast<int>(count));
            if (count == 0) throw FileError(EFBIG, "write to", path_);  // more than begin() said
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
    }

    void finish() override { check(archive_write_close(archive_.get())); }

private:
    void check(int result) const {
        if (result == ARCHIVE_OK || result == ARCHIVE_WARN) return;
        const int number = archive_errno(archive_.get());
        throw FileError(number > 0 ? number : EIO, "write to", path_);
    }

    const std::filesystem::path path_;
    const Writing archive_;
};

}  // namespace

extern "C" __attribute__((visibility("default"))) TarLibrary satdl_tar_library() {
    return {.open = [](const std::filesystem::path& path) -> std::unique_ptr<TarReader> {
                return std::make_unique<LibarchiveReader>(path);
            },
            .create = [](const std::filesystem::path& path) -> std::unique_ptr<TarWriter> {
                return std::make_unique<LibarchiveWriter>(path);
            }};
}

static_assert(std::is_same_v<decltype(&satdl_tar_library), TarLibraryFunction>);

}  // namespace satdl
