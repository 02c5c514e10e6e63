// How files get to a remote and back: an HTTP server (http_transport.h), a folder (folder_transport.h), in tests a script.
//
// A remote has files by name, and no more: "cas/<SHA-256>" and "ac/<key>", as servers for Bazel's cache have them. It is believed nothing.
// A transfer says how it ended in Transfer::outcome and throws nothing for what a remote does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace satdl {

enum class TransferOutcome {
    NotTried,  // it had not begun, or was cut off, when no further one was wanted
    Done,
    Missing,   // there is no such file
    Denied,    // this user may not (HTTP 401, 403), or nobody (405)
    Refused,   // not this file: it is too large for the server, say
    TooLong,   // longer than the caller takes
    Stopped,   // the caller did not take it: Transfer::receive said no
    Failed,    // no connection, no answer in time, an answer cut short, an error of the server's
};

struct Transfer {
    enum class Direction { Get, Put };

    Direction direction = Direction::Get;
    std::string name;
    // Get: takes the next bytes of the file; false: no more of them. Not called unless the file is there.
    std::function<bool(std::span<const std::byte>)> receive{};
    std::uint64_t max_bytes = 0;  // Get
    bool is_short = false;        // Get: a few kilobytes, which take seconds at most
    // Put: the file, borrowed. One of this name that is there already may stay, unless `replace`.
    std::span<const std::byte> body{};
    bool replace = false;

    TransferOutcome outcome = TransferOutcome::NotTried;
    std::string problem{};    // of any outcome but Done and Missing: "HTTP 503", "connection refused". Printable
    std::uint64_t moved = 0;  // bytes of the file that were sent or received
};

// Safe from any thread.
class Transport {
public:
    // Of each transfer as it ends, in the calling thread; false: no further one begins, and those under way are cut off.
    using Ended = std::function<bool(const Transfer&)>;

    virtual ~Transport() = default;
    // Several at a time, where that is faster. Returns when all have ended.
    virtual void perform(std::span<Transfer> transfers, const Ended& ended) = 0;
    // As users know it, without anything secret: "https://cache.lab/satdl", "/shared/satdl".
    [[nodiscard]] virtual const std::string& place() const = 0;
};

}  // namespace satdl
