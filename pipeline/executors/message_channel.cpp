#include "pipeline/executors/message_channel.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "pipeline/core/error.h"
#include "pipeline/os/descriptor_message.h"

namespace satdl {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 28;  // of a message
constexpr std::size_t kPieceBytes = std::size_t{1} << 16;
constexpr int kPiecesAtOnce = 64;      // more than a socket buffers; an endless sender does not block us
constexpr std::size_t kMaxFiles = 8;  // waiting for their messages

struct Head {
    std::uint64_t bytes;
    std::uint32_t files;  // 0 or 1
};
constexpr std::size_t kHeadBytes = 12;

std::string head_of(std::size_t bytes, bool has_file) {
    const Head head{bytes, has_file ? 1u : 0u};
    std::string text(kHeadBytes, '\0');
    std::memcpy(text.data(), &head.bytes, sizeof head.bytes);
    std::memcpy(text.data() + sizeof head.bytes, &head.files, sizeof head.files);
    return text;
}

Head head_in(const std::string& text) {
    Head head{};
    std::memcpy(&head.bytes, text.data(), sizeof head.bytes);
    std::memcpy(&head.files, text.data() + sizeof head.bytes, sizeof head.files);
    return head;
}

using Control = std::array<char, CMSG_SPACE(sizeof(int) * 4)>;

}  // namespace

bool Channel::send(std::string_view bytes, const UniqueFd& file) {
    const std::string text = head_of(bytes.size(), static_cast<bool>(file)).append(bytes);
    for (std::size_t sent = 0; sent < text.size();) {
        iovec piece{const_cast<char*>(text.data()) + sent, text.size() - sent};
        msghdr header{};
        header.msg_iov = &piece;
        header.msg_iovlen = 1;
        DescriptorMessage with_file;
        if (file && sent == 0) with_file.attach(file, header);
        const ssize_t done = ::sendmsg(socket_.get(), &header, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return false;
        sent += static_cast<std::size_t>(done);
    }
    return true;
}

Channel::Read Channel::read_some(int flags) {
    std::vector<char> bytes(kPieceBytes);
    iovec piece{bytes.data(), bytes.size()};
    alignas(cmsghdr) Control control{};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket_.get(), &header, flags | MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) return Read::Some;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Read::Nothing;
    if (got <= 0) return Read::End;
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= part->cmsg_len; at += sizeof(int)) {
            int number = -1;
            std::memcpy(&number, CMSG_DATA(part) + at, sizeof number);
            files_.emplace_back(number);
        }
    }
    if ((header.msg_flags & MSG_CTRUNC) != 0 || files_.size() > kMaxFiles) broken_ = true;
    buffer_.append(bytes.data(), static_cast<std::size_t>(got));
    return broken_ ? Read::End : Read::Some;
}

std::optional<Message> Channel::take() {
    if (broken_ || buffer_.size() < kHeadBytes) return std::nullopt;
    const Head head = head_in(buffer_);
    if (head.bytes > kMaxBytes || head.files > 1 || files_.size() < head.files) {
        broken_ = true;
        return std::nullopt;
    }
    if (buffer_.size() - kHeadBytes < head.bytes) return std::nullopt;
    Message message{buffer_.substr(kHeadBytes, head.bytes), UniqueFd()};
    buffer_.erase(0, kHeadBytes + head.bytes);
    if (head.files == 1) {
        message.file = std::move(files_.front());
        files_.pop_front();
    }
    return message;
}

bool Channel::read_available() {
    for (int i = 0; i < kPiecesAtOnce; ++i) {
        const Read read = broken_ ? Read::End : read_some(MSG_DONTWAIT);
        if (read != Read::Some) return read == Read::Nothing;
    }
    return true;
}

std::optional<Message> Channel::receive() {
    for (;;) {
        if (auto message = take()) return message;
        if (broken_ || read_some(0) == Read::End) return std::nullopt;
    }
}

std::pair<UniqueFd, UniqueFd> socket_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        throw Error(ExitCode::Store, fmt::format("cannot create sockets: {}", std::strerror(errno)));
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace satdl
