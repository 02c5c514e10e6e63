#include "pipeline/os/own_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <span>

#include "pipeline/core/unique_fd.h"
#include "pipeline/os/write_all.h"

namespace satdl {
namespace {

constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;  // a pipe is not waited for

bool is_own_file(int descriptor, struct stat& status) {
    return ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

}  // namespace

std::optional<std::string> read_own_file(const std::filesystem::path& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | kFlags));
    struct stat status{};
    if (!file || !is_own_file(file.get(), status)) return std::nullopt;
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t had = 0;
    while (had < text.size()) {
        const ssize_t got = ::read(file.get(), text.data() + had, text.size() - had);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return std::nullopt;
        had += static_cast<std::size_t>(got);
    }
    return text;
}

void write_own_file(const std::filesystem::path& path, std::string_view text) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | kFlags, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH));
    struct stat status{};
    if (!file || !is_own_file(file.get(), status) || ::ftruncate(file.get(), 0) != 0) return;
    if (write_all(file.get(), std::as_bytes(std::span(text))) < text.size()) ::unlink(path.c_str());  // a full disk, say
}

}  // namespace satdl
