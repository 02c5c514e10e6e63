// Messages between two processes of this program: bytes, and with them a file where one is needed (unix(7): SCM_RIGHTS).
//
// A message is 12 bytes of its own (its length, and whether a file comes with it) and its bytes. The other end may be a process that
// runs wild: what it sends is not trusted, lengths are limited, and received files are closed on exec.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "pipeline/core/unique_fd.h"

namespace satdl {

struct Message {
    std::string bytes;
    UniqueFd file;  // none, or one that came with it
};

// For one thread.
class Channel {
public:
    explicit Channel(UniqueFd socket) : socket_(std::move(socket)) {}

    [[nodiscard]] int descriptor() const { return socket_.get(); }

    // False: the other end is gone.
    bool send(std::string_view bytes, const UniqueFd& file = UniqueFd());
    // Waits for the next one. nullopt: the other end is gone, or what it sends is not a message.
    [[nodiscard]] std::optional<Message> receive();

    // Without waiting: reads what is available (of a flood a part), and returns whether more can come. Then take() complete messages.
    [[nodiscard]] bool read_available();
    [[nodiscard]] std::optional<Message> take();

private:
    enum class Read { Some, Nothing, End };
    [[nodiscard]] Read read_some(int flags);

    UniqueFd socket_;
    std::string buffer_;           // received, not yet taken
    std::deque<UniqueFd> files_;  // likewise, in the order of their messages
    bool broken_ = false;
};

// A pair of connected sockets, closed on exec. Throws Error{Store}.
[[nodiscard]] std::pair<UniqueFd, UniqueFd> socket_pair();

}  // namespace satdl
