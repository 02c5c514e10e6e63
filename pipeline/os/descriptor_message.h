// A descriptor that travels with a message over a Unix socket (SCM_RIGHTS, unix(7)). Without libraries: satdl-reaper uses it as well.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstring>

#include "pipeline/core/unique_fd.h"

namespace satdl {

struct DescriptorMessage {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};

    // Must outlive the call that sends `header`.
    void attach(const UniqueFd& file, msghdr& header) {
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        cmsghdr* const part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int));
        const int number = file.get();
        std::memcpy(CMSG_DATA(part), &number, sizeof number);
    }
};

}  // namespace satdl
