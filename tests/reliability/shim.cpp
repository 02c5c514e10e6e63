// Preloaded (LD_PRELOAD) into a real satdl: stands between it, with every library that it uses, and the C library, counts the calls
// that touch files below one folder, and makes one of them fail. What goes past the engine's own seam (SQLite, spdlog, the C++
// library) is counted here as well. Notice by the environment:
//
//   SATDL_SHIM_ROOT=FOLDER    whose files count (required: without it nothing is counted)
//   SATDL_SHIM_CALLS=a,b      only these calls count
//   SATDL_SHIM_AT=n           the n-th (from 1) is struck,
//   SATDL_SHIM_FOREVER=1      and all after it
//   SATDL_SHIM_ERRNO=e        struck: fails with this errno, having done nothing,
//   SATDL_SHIM_AFTER=1        or having done its work
//   SATDL_SHIM_KILL=1         struck: the process dies of SIGKILL, before (or, with AFTER, after) the call's work
//   SATDL_SHIM_SHORT=1        struck: a write writes half of its bytes
//   SATDL_SHIM_FLOCK=lie      flock always succeeds and locks nothing, as on some network file systems
//   SATDL_SHIM_CLOCK=s        the wall clock is s seconds off; "jumps": a day back or forth at each look
//   SATDL_SHIM_TRACE=FILE     one line a counted call: "<number> <call> <path>"
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>

namespace {

constexpr int kMaxDescriptors = 4096;

struct Orders {
    std::string root, calls, trace;
    long at = 0;
    int error = 0;
    bool forever = false, after = false, kill = false, halves = false, flock_lies = false, clock_jumps = false;
    long clock_seconds = 0;
    int trace_descriptor = -1;

    Orders() {
        const auto text = [](const char* name) {
            const char* const value = getenv(name);
            return std::string(value == nullptr ? "" : value);
        };
        const auto number = [&](const char* name) { return strtol(text(name).c_str(), nullptr, 10); };
        root = text("SATDL_SHIM_ROOT");
        calls = text("SATDL_SHIM_CALLS");
        at = number("SATDL_SHIM_AT");
        error = static_cast<int>(number("SATDL_SHIM_ERRNO"));
        forever = number("SATDL_SHIM_FOREVER") != 0;
        after = number("SATDL_SHIM_AFTER") != 0;
        kill = number("SATDL_SHIM_KILL") != 0;
        halves = number("SATDL_SHIM_SHORT") != 0;
        flock_lies = text("SATDL_SHIM_FLOCK") == "lie";
        clock_jumps = text("SATDL_SHIM_CLOCK") == "jumps";
        clock_seconds = number("SATDL_SHIM_CLOCK");
        trace = text("SATDL_SHIM_TRACE");
        if (!trace.empty()) {
            trace_descriptor = static_cast<int>(syscall(SYS_openat, AT_FDCWD, trace.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
        }
    }
};

const Orders& orders() {
    static const Orders made;
    return made;
}

std::atomic<long> counted{0};
std::array<std::atomic<bool>, kMaxDescriptors> ours{};  // descriptors of files below the root

bool is_below_root(const char* path) {
    const std::string& root = orders().root;
    if (root.empty() || path == nullptr) return false;
    std::string whole = path;
    if (path[0] != '/') {
        char folder[PATH_MAX];
        if (syscall(SYS_getcwd, folder, sizeof folder) < 0) return false;
        whole = folder;
        whole.append("/").append(path);
    }
    return whole == root || whole.starts_with(root + "/");
}

bool is_ours(int descriptor) { return descriptor >= 0 && descriptor < kMaxDescriptors && ours[static_cast<std::size_t>(descriptor)]; }
void note(int descriptor, bool is_one) {
    if (descriptor >= 0 && descriptor < kMaxDescriptors) ours[static_cast<std::size_t>(descriptor)] = is_one;
}

std::string name_of(int descriptor) {
    char path[PATH_MAX];
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    const long length = syscall(SYS_readlinkat, AT_FDCWD, link.c_str(), path, sizeof path);
    return length < 0 ? "?" : std::string(path, static_cast<std::size_t>(length));
}

// Whether a word stands in "one,two,three".
bool is_listed(std::string_view word, std::string_view list) {
    for (std::size_t start = 0; start <= list.size();) {
        const std::size_t end = std::min(list.find(',', start), list.size());
        if (list.substr(start, end - start) == word) return true;
        start = end + 1;
    }
    return false;
}

enum class Strike { No, Before, After, Half };

Strike strike(const char* call, const std::string& path) {
    const Orders& told = orders();
    if (!told.calls.empty() && !is_listed(call, told.calls)) return Strike::No;
    const long number = ++counted;
    if (told.trace_descriptor >= 0) {
        std::string line = std::to_string(number);
        for (const std::string_view part : {std::string_view(" "), std::string_view(call), std::string_view(" "), std::string_view(path), std::string_view("\n")})
            line.append(part);
        syscall(SYS_write, told.trace_descriptor, line.data(), line.size());
    }
    const bool struck = told.at > 0 && (number == told.at || (told.forever && number > told.at));
    if (!struck) return Strike::No;
    if (told.kill && !told.after) kill(getpid(), SIGKILL);
    if (told.halves) return Strike::Half;
    return told.after ? Strike::After : Strike::Before;
}

// Does the call, or not, or does it and says that it failed.
template <typename Result, typename Function>
Result done(Strike how, Result failure, Function function) {
    if (how == Strike::No || how == Strike::Half) return function();
    if (how == Strike::After) {
        static_cast<void>(function());
        if (orders().kill) kill(getpid(), SIGKILL);
    }
    errno = orders().error;
    return failure;
}

template <typename Result, typename Function>
Result on_path(const char* call, const char* path, Result failure, Function function) {
    return done(is_below_root(path) ? strike(call, path) : Strike::No, failure, function);
}
template <typename Result, typename Function>
Result on_descriptor(const char* call, int descriptor, Result failure, Function function) {
    return done(is_ours(descriptor) ? strike(call, name_of(descriptor)) : Strike::No, failure, function);
}
template <typename Function>
int opening(const char* call, const char* path, Function function) {
    if (!is_below_root(path)) return function();
    int opened = -1;
    const int result = done(strike(call, path), -1, [&] { return opened = function(); });
    if (result < 0 && opened >= 0) syscall(SYS_close, opened);  // it failed, as far as anybody knows
    note(result, true);
    return result;
}
template <typename Function>
ssize_t writing(const char* call, int descriptor, size_t bytes, Function function) {
    if (!is_ours(descriptor)) return function(bytes);
    const Strike how = strike(call, name_of(descriptor));
    return done(how, ssize_t{-1}, [&] { return function(how == Strike::Half && bytes > 1 ? bytes / 2 : bytes); });
}

template <typename Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

mode_t mode_in(int flags, va_list arguments) { return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0; }

}  // namespace

#define NEXT(name) static auto* const real = next<decltype(::name)>(#name)

extern "C" {

#define OPEN(name)                                                                \
    int name(const char* path, int flags, ...) {                                  \
        NEXT(name);                                                               \
        va_list arguments;                                                        \
        va_start(arguments, flags);                                               \
        const mode_t mode = mode_in(flags, arguments);                            \
        va_end(arguments);                                                        \
        return opening("open", path, [&] { return real(path, flags, mode); });    \
    }
OPEN(open)
OPEN(open64)
int openat(int folder, const char* path, int flags, ...) {
    NEXT(openat);
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_in(flags, arguments);
    va_end(arguments);
    if (folder != AT_FDCWD) return real(folder, path, flags, mode);
    return opening("open", path, [&] { return real(folder, path, flags, mode); });
}

// The C library's own calls within a stream cannot be seen from here; that it is opened can.
#define FOPEN(name)                                                                                             \
    FILE* name(const char* path, const char* mode) {                                                            \
        NEXT(name);                                                                                             \
        return on_path("fopen", path, static_cast<FILE*>(nullptr), [&] { return real(path, mode); });           \
    }
FOPEN(fopen)
FOPEN(fopen64)
DIR* opendir(const char* path) {
    NEXT(opendir);
    return on_path("opendir", path, static_cast<DIR*>(nullptr), [&] { return real(path); });
}

int close(int descriptor) {
    NEXT(close);
    const bool counts = is_ours(descriptor);
    const Strike how = counts ? strike("close", name_of(descriptor)) : Strike::No;
    note(descriptor, false);
    const int result = real(descriptor);  // the descriptor is gone, whatever is said
    if (how == Strike::No || how == Strike::Half) return result;
    if (orders().kill) kill(getpid(), SIGKILL);
    errno = orders().error;
    return -1;
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
    NEXT(write);
    return writing("write", descriptor, count, [&](size_t some) { return real(descriptor, bytes, some); });
}
#define PWRITE(name, offset_type)                                                                                       \
    ssize_t name(int descriptor, const void* bytes, size_t count, offset_type offset) {                                 \
        NEXT(name);                                                                                                     \
        return writing("pwrite", descriptor, count, [&](size_t some) { return real(descriptor, bytes, some, offset); }); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
ssize_t read(int descriptor, void* bytes, size_t count) {
    NEXT(read);
    return on_descriptor("read", descriptor, ssize_t{-1}, [&] { return real(descriptor, bytes, count); });
}
#define PREAD(name, offset_type)                                                                                        \
    ssize_t name(int descriptor, void* bytes, size_t count, offset_type offset) {                                       \
        NEXT(name);                                                                                                     \
        return on_descriptor("pread", descriptor, ssize_t{-1}, [&] { return real(descriptor, bytes, count, offset); }); \
    }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

#define ON_DESCRIPTOR(name)                                                                      \
    int name(int descriptor) {                                                                   \
        NEXT(name);                                                                              \
        return on_descriptor(#name, descriptor, -1, [&] { return real(descriptor); });           \
    }
ON_DESCRIPTOR(fsync)
ON_DESCRIPTOR(fdatasync)
#define WITH_LENGTH(name, type)                                                                      \
    int name(int descriptor, type length) noexcept {                                                 \
        NEXT(name);                                                                                  \
        return on_descriptor("ftruncate", descriptor, -1, [&] { return real(descriptor, length); }); \
    }
WITH_LENGTH(ftruncate, off_t)
WITH_LENGTH(ftruncate64, off64_t)
#define RESERVE(name, type)                                                                                             \
    int name(int descriptor, int mode, type offset, type length) {                                                      \
        NEXT(name);                                                                                                     \
        return on_descriptor("fallocate", descriptor, -1, [&] { return real(descriptor, mode, offset, length); });      \
    }
RESERVE(fallocate, off_t)
RESERVE(fallocate64, off64_t)
int fchmod(int descriptor, mode_t mode) noexcept {
    NEXT(fchmod);
    return on_descriptor("fchmod", descriptor, -1, [&] { return real(descriptor, mode); });
}
int flock(int descriptor, int operation) noexcept {
    NEXT(flock);
    if (orders().flock_lies) return 0;
    return on_descriptor("flock", descriptor, -1, [&] { return real(descriptor, operation); });
}

#define ON_PATH(name)                                                          \
    int name(const char* path) noexcept {                                      \
        NEXT(name);                                                            \
        return on_path(#name, path, -1, [&] { return real(path); });           \
    }
ON_PATH(unlink)
ON_PATH(rmdir)
int mkdir(const char* path, mode_t mode) noexcept {
    NEXT(mkdir);
    return on_path("mkdir", path, -1, [&] { return real(path, mode); });
}
#define ON_TWO_PATHS(name)                                                          \
    int name(const char* from, const char* to) noexcept {                           \
        NEXT(name);                                                                 \
        return on_path(#name, to, -1, [&] { return real(from, to); });              \
    }
ON_TWO_PATHS(rename)
ON_TWO_PATHS(link)
ON_TWO_PATHS(symlink)
int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
    NEXT(renameat2);
    return on_path("renameat2", to, -1, [&] { return real(from_folder, from, to_folder, to, flags); });
}
#define STAT(name, type)                                                                \
    int name(const char* path, type* status) noexcept {                                 \
        NEXT(name);                                                                     \
        return on_path("stat", path, -1, [&] { return real(path, status); });           \
    }
STAT(stat, struct stat)
STAT(lstat, struct stat)
ssize_t readlink(const char* path, char* text, size_t size) noexcept {
    NEXT(readlink);
    return on_path("readlink", path, ssize_t{-1}, [&] { return real(path, text, size); });
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
    NEXT(clock_gettime);
    const int result = real(clock, time);
    if (clock != CLOCK_REALTIME || result != 0) return result;
    static std::atomic<long> looks{0};
    constexpr long kDay = 24L * 3600;
    if (orders().clock_jumps) time->tv_sec += ++looks % 2 == 0 ? kDay : -kDay;
    else time->tv_sec += orders().clock_seconds;
    return result;
}

}  // extern "C"
