#include "pipeline/os/sandbox.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "pipeline/core/error.h"
#include "pipeline/os/landlock.h"

namespace satdl {
namespace {

[[noreturn]] void fail(std::string_view what) {
    throw Error(ExitCode::Store, fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

void set_limit(int resource, std::uint64_t soft, std::uint64_t hard) {
    const rlimit limit{soft, hard};
    if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) fail("set a resource limit");
}

void enter_landlock(const std::filesystem::path& only_file) {
    if (landlock_version() == 0) return;
    LandlockRules rules(LandlockRules::Denies::AllOfIt);
    if (!rules.allow(only_file, LandlockRules::Allow::ReadFile)) fail("enter the Landlock sandbox");
    rules.enter();
}

}  // namespace

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
