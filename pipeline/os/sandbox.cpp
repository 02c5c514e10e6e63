#include "pipeline/os/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "pipeline/core/error.h"

namespace satdl {
namespace {

// The kernel's numbers, which never change: headers older than the running kernel lack some of them. (landlock(7))
constexpr long kCreateRuleset = 444, kAddRule = 445, kRestrictSelf = 446;
constexpr unsigned kAskVersion = 1;
constexpr int kPathBeneath = 1;
constexpr std::uint64_t kReadFile = 1 << 2;

struct [[gnu::packed]] PathBeneath {
    std::uint64_t allowed;
    std::int32_t parent;
};

// What a ruleset denies, by the version of Landlock: each knew more than the one before.
struct Denied {
    std::uint64_t files, network, scopes;
    std::size_t bytes;  // of this struct that the version knows
};

Denied all_of(int version) {
    constexpr std::array<int, 6> kFileRights{0, 13, 14, 15, 15, 16};
    const auto known = static_cast<std::size_t>(std::min(version, 5));
    return {(std::uint64_t{1} << kFileRights[known]) - 1, version >= 4 ? std::uint64_t{3} : 0,
            version >= 6 ? std::uint64_t{3} : 0, version >= 6 ? 24u : version >= 4 ? 16u : 8u};
}

[[noreturn]] void fail(std::string_view what) {
    throw Error(ExitCode::Store, fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

void set_limit(int resource, std::uint64_t soft, std::uint64_t hard) {
    const rlimit limit{soft, hard};
    if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) fail("set a resource limit");
}

void enter_landlock(const std::filesystem::path& only_file) {
    const int version = landlock_version();
    if (version == 0) return;
    const Denied denied = all_of(version);
    const int ruleset = static_cast<int>(::syscall(kCreateRuleset, &denied, denied.bytes, 0));
    const int file = ::open(only_file.c_str(), O_PATH | O_CLOEXEC);
    if (ruleset < 0 || file < 0) fail("enter the Landlock sandbox");
    const PathBeneath rule{kReadFile, file};
    if (::syscall(kAddRule, ruleset, kPathBeneath, &rule, 0) != 0 || ::syscall(kRestrictSelf, ruleset, 0) != 0)
        fail("enter the Landlock sandbox");
    ::close(file);
    ::close(ruleset);
}

}  // namespace

int landlock_version() {
    return static_cast<int>(std::max(0L, ::syscall(kCreateRuleset, nullptr, 0, kAskVersion)));
}

void limit_cpu(std::uint64_t seconds) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_CPU, &limit) != 0) fail("get a resource limit");
    set_limit(RLIMIT_CPU, std::min<std::uint64_t>(seconds, limit.rlim_max), limit.rlim_max);
}

void enter_sandbox(const std::filesystem::path& only_file, const SandboxLimits& limits) {
    ::clearenv();
    if (::close_range(STDERR_FILENO + 1, ~0u, 0) != 0) fail("close inherited descriptors");
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("set no_new_privs");
    enter_landlock(only_file);
#if !defined(__SANITIZE_ADDRESS__)  // whose shadow takes terabytes of addresses
    set_limit(RLIMIT_AS, limits.address_bytes, limits.address_bytes);
#endif
    set_limit(RLIMIT_CPU, limits.cpu_seconds, limits.cpu_max_seconds);
    set_limit(RLIMIT_FSIZE, 0, 0);
    set_limit(RLIMIT_CORE, 0, 0);
    set_limit(RLIMIT_NOFILE, STDERR_FILENO + 2, STDERR_FILENO + 2);
}

}  // namespace satdl
