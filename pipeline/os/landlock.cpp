#include "pipeline/os/landlock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "pipeline/core/error.h"

namespace satdl {
namespace {

// The kernel's numbers, which never change: headers older than the running kernel lack some of them. (landlock(7))
constexpr long kCreateRuleset = 444, kAddRule = 445;
constexpr unsigned kAskVersion = 1;
constexpr int kPathBeneath = 1;
constexpr std::uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadFolder = 1 << 3, kTruncate = 1 << 14;
constexpr std::uint64_t kAll = ~std::uint64_t{0};
constexpr std::uint64_t kOfFiles = kExecute | kWriteFile | kReadFile | kTruncate;  // what can be allowed of a file that is no folder
constexpr int kVersionBeforeDevices = 4;

struct [[gnu::packed]] PathBeneath {
    std::uint64_t allowed;
    std::int32_t parent;
};

// What a ruleset denies, by the version of Landlock: each knew more than the one before.
struct Denied {
    std::uint64_t files, network, scopes;
    std::size_t bytes;  // of this struct that the version knows
};

std::uint64_t file_rights(int version) {
    constexpr std::array<int, 6> kFileRights{0, 13, 14, 15, 15, 16};
    return (std::uint64_t{1} << kFileRights[static_cast<std::size_t>(std::min(version, 5))]) - 1;
}

Denied denied_by(LandlockRules::Denies denies, int version) {
    if (denies == LandlockRules::Denies::Files) return {file_rights(std::min(version, kVersionBeforeDevices)), 0, 0, 8};
    return {file_rights(version), version >= 4 ? std::uint64_t{3} : 0, version >= 6 ? std::uint64_t{3} : 0,
            version >= 6 ? 24u : version >= 4 ? 16u : 8u};
}

std::uint64_t rights_of(LandlockRules::Allow what) {
    switch (what) {
        case LandlockRules::Allow::ReadFile: return kReadFile;
        case LandlockRules::Allow::Read: return kExecute | kReadFile | kReadFolder;
        case LandlockRules::Allow::Write: break;
    }
    return kAll;
}

[[noreturn]] void fail() {
    throw Error(ExitCode::Store, fmt::format("cannot enter the Landlock sandbox: {}", std::strerror(errno)));
}

}  // namespace

int landlock_version() {
    return static_cast<int>(std::max(0L, ::syscall(kCreateRuleset, nullptr, 0, kAskVersion)));
}

LandlockRules::LandlockRules(Denies denies) {
    const Denied denied = denied_by(denies, landlock_version());
    rules_ = UniqueFd(static_cast<int>(::syscall(kCreateRuleset, &denied, denied.bytes, 0)));
    if (!rules_) fail();
    denied_ = denied.files;
}

bool LandlockRules::allow(const std::filesystem::path& path, Allow what) {
    const UniqueFd file(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat found {};
    if (!file || ::fstat(file.get(), &found) != 0) return false;
    const std::uint64_t possible = S_ISDIR(found.st_mode) ? kAll : kOfFiles;
    const PathBeneath rule{rights_of(what) & possible & denied_, file.get()};
    if (::syscall(kAddRule, rules_.get(), kPathBeneath, &rule, 0) != 0) fail();
    return true;
}

void LandlockRules::enter() const {
    if (!enter_landlock(rules_)) fail();
}

}  // namespace satdl
