// What a process may still do with files, enforced by the kernel (landlock(7), Linux 5.13 and newer; it needs no privileges): everything is
// denied that is not allowed here, to the process and to whatever it starts.
//
// The rules are an open file: one process may make them and another one enter them.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <utility>

#include "pipeline/core/unique_fd.h"

namespace satdl {

// Of the kernel's Landlock; 0 if it has none.
[[nodiscard]] int landlock_version();
// The first version that allows to move a file between two folders: below it, ordinary programs fail.
inline constexpr int kLandlockWithMoves = 2;

// Such rules, of this or another process, for this thread and all that it starts, irrevocably. False: errno says why not.
// Precondition: PR_SET_NO_NEW_PRIVS.
[[nodiscard]] inline bool enter_landlock(const UniqueFd& rules) {
    constexpr long kRestrictSelf = 446;
    return ::syscall(kRestrictSelf, rules.get(), 0) == 0;
}

class LandlockRules {
public:
    enum class Denies {
        Files,    // reading, writing, making and removing; what is done with open devices stays possible
        AllOfIt,  // whatever the kernel's version knows: devices, the network and signals, too
    };
    enum class Allow {
        ReadFile,  // the contents of this one file
        Read,      // reading and running; of a folder, all below it
        Write,     // this as well as writing; in a folder, making and removing
    };

    // Precondition: the kernel has Landlock. Throws Error{Store}, as all below do.
    explicit LandlockRules(Denies denies);
    // False: `path` cannot be found, so nothing was allowed.
    bool allow(const std::filesystem::path& path, Allow what);
    [[nodiscard]] const UniqueFd& file() const { return rules_; }
    // As enter_landlock().
    void enter() const;

private:
    UniqueFd rules_;
    std::uint64_t denied_ = 0;
};

}  // namespace satdl
