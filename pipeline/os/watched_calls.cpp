#include "pipeline/os/watched_calls.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

namespace satdl {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#endif

// Notifies of those calls and allows all others; of another architecture (32-bit programs), all.
std::vector<sock_filter> filter() {
    constexpr auto kCount = static_cast<std::uint8_t>(std::size(kWatchedCalls));
    const auto field = [](std::size_t offset) { return static_cast<std::uint32_t>(offset); };
    std::vector<sock_filter> code{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, field(offsetof(seccomp_data, arch))),
                                  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 0, kCount + 1),
                                  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, field(offsetof(seccomp_data, nr)))};
    for (std::uint8_t i = 0; i < kCount; ++i)
        code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(kWatchedCalls[i].number),
                                static_cast<std::uint8_t>(kCount - i), 0));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    return code;
}

}  // namespace

UniqueFd watch_own_files() {
    std::vector<sock_filter> code = filter();
    const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    // So that a signal does not make a call begin, and be seen, again; kernels before 5.19 lack it.
    for (const unsigned long also : {static_cast<unsigned long>(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), 0ul}) {
        UniqueFd listener(
            static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | also, &program)));
        if (listener) return listener;
    }
    return UniqueFd();
}

}  // namespace satdl
