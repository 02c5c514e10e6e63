#include "pipeline/os/file_watch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "pipeline/core/error.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPageBytes = 4096;

// Of another process. Never across a page that may be its last.
bool read_memory(pid_t process, std::uint64_t address, void* to, std::size_t bytes) {
    const iovec local{to, bytes}, remote{reinterpret_cast<void*>(address), bytes};
    return ::process_vm_readv(process, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(bytes);
}

std::optional<std::string> read_text(pid_t process, std::uint64_t address) {
    std::string text;
    std::array<char, kPageBytes> page{};
    while (text.size() < PATH_MAX) {
        const std::size_t to_end_of_page = kPageBytes - address % kPageBytes;
        if (!read_memory(process, address, page.data(), to_end_of_page)) return std::nullopt;
        const auto* const end = static_cast<const char*>(std::memchr(page.data(), 0, to_end_of_page));
        if (end != nullptr) return text.append(page.data(), static_cast<std::size_t>(end - page.data()));
        text.append(page.data(), to_end_of_page);
        address += to_end_of_page;
    }
    return std::nullopt;
}

// What open(2) does with these flags; nullopt: neither reads nor writes.
std::optional<FileUse::Kind> kind_of(std::uint64_t flags) {
    if ((flags & O_PATH) != 0) return std::nullopt;
    return (flags & (O_ACCMODE | O_CREAT | O_TRUNC)) != 0 ? FileUse::Kind::Write : FileUse::Kind::Read;
}

std::optional<FileUse> use_in(const seccomp_notif& notice, const WatchedCall& call) {
    const auto argument = [&](int number) { return std::uint64_t{notice.data.args[number]}; };
    const auto process = static_cast<pid_t>(notice.pid);
    std::optional<FileUse::Kind> kind = call.kind;
    if (call.flags != kNoArgument) {
        std::uint64_t flags = argument(call.flags);
        const bool is_pointer = call.number == SYS_openat2;
        if (is_pointer && !read_memory(process, argument(call.flags) + offsetof(open_how, flags), &flags, sizeof flags))
            return std::nullopt;
        kind = kind_of(flags);
    }
    auto text = read_text(process, argument(call.path));
    if (!kind || !text || text->empty()) return std::nullopt;
    fs::path path = std::move(*text);
    if (path.is_relative()) {
        const int folder = call.folder == kNoArgument ? AT_FDCWD : static_cast<int>(argument(call.folder));
        std::error_code error;
        const std::string link = folder == AT_FDCWD ? "cwd" : fmt::format("fd/{}", folder);
        const fs::path begin = fs::read_symlink(fmt::format("/proc/{}/{}", process, link), error);
        if (error || begin.is_relative()) return std::nullopt;
        path = begin / path;
    }
    return FileUse{*kind, std::move(path), process};
}

std::size_t notice_bytes() {
    seccomp_notif_sizes sizes{};
    const bool known = ::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0;
    return std::max<std::size_t>(known ? sizes.seccomp_notif : 0, sizeof(seccomp_notif));
}

}  // namespace

std::string program_name(pid_t process) {
    std::ifstream file(fmt::format("/proc/{}/comm", process));
    std::string name;
    std::getline(file, name);
    return name;
}

FileWatch::FileWatch(UniqueFd listener, std::function<void(const FileUse&)> take)
    : listener_(std::move(listener)), take_(std::move(take)), stop_(::eventfd(0, EFD_CLOEXEC)) {
    if (!stop_) throw Error(ExitCode::Store, fmt::format("cannot watch the files of a program: {}", std::strerror(errno)));
    thread_ = std::thread([this] { loop(); });
}

FileWatch::~FileWatch() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
    thread_.join();
}

void FileWatch::loop() {
    std::vector<std::uint64_t> buffer(notice_bytes() / sizeof(std::uint64_t) + 1);
    std::array<pollfd, 2> both{{{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    while (both[1].revents == 0) {
        if (::poll(both.data(), both.size(), -1) < 0) continue;
        if ((both[0].revents & POLLHUP) != 0) both[0].fd = -1;  // all that was watched has ended
        if ((both[0].revents & POLLIN) == 0) continue;
        std::ranges::fill(buffer, 0);  // as the kernel demands
        auto* const notice = reinterpret_cast<seccomp_notif*>(buffer.data());
        if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, notice) != 0) continue;
        std::uint64_t id = notice->id;
        for (const WatchedCall& call : kWatchedCalls) {
            if (call.number != notice->data.nr) continue;
            const std::optional<FileUse> use = use_in(*notice, call);
            // If the process is gone, what was read may be another one's.
            if (use && ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0) take_(*use);
        }
        seccomp_notif_resp answer{.id = id, .val = 0, .error = 0, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        (void)::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}

}  // namespace satdl
