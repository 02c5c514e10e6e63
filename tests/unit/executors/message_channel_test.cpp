#include "pipeline/executors/message_channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <thread>

using namespace satdl;

namespace {

struct Both {
    Both() : Both(socket_pair()) {}
    Channel ours, theirs;

private:
    explicit Both(std::pair<UniqueFd, UniqueFd> ends) : ours(std::move(ends.first)), theirs(std::move(ends.second)) {}
};

void send_raw(const Channel& channel, std::string_view bytes) { CHECK(::send(channel.descriptor(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())); }

}  // namespace

TEST_CASE("Messages come whole and in order, whatever their size and their bytes") {
    Both both;
    const std::string long_one(5'000'000, '\xff');
    std::thread sender([&] {
        for (const std::string& text : {std::string(), std::string("a\0b", 3), long_one, std::string("last")}) CHECK(both.ours.send(text));
    });
    CHECK(both.theirs.receive()->bytes.empty());
    CHECK(both.theirs.receive()->bytes == std::string("a\0b", 3));
    CHECK(both.theirs.receive()->bytes == long_one);
    CHECK(both.theirs.receive()->bytes == "last");
    sender.join();
}

TEST_CASE("A file comes with its message, and is closed on exec") {
    Both both;
    const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK(both.ours.send("without"));
    CHECK(both.ours.send("with", file));
    CHECK_FALSE(both.theirs.receive()->file);
    const auto message = both.theirs.receive();
    CHECK(message->bytes == "with");
    CHECK((::fcntl(message->file.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("Without waiting an incomplete message is left for later") {
    Both both;
    CHECK(both.ours.read_available());
    CHECK_FALSE(both.ours.take());
    const std::string head("\x03\0\0\0\0\0\0\0\0\0\0\0", 12);
    send_raw(both.theirs, head + "ab");
    CHECK(both.ours.read_available());
    CHECK_FALSE(both.ours.take());
    send_raw(both.theirs, "c");
    CHECK(both.ours.read_available());
    CHECK(both.ours.take()->bytes == "abc");
}

TEST_CASE("A closed or invalid channel gives no further messages") {
    Both both;
    SECTION("gone") {
        { const Channel end = std::move(both.theirs); }
        CHECK_FALSE(both.ours.receive());
        CHECK_FALSE(both.ours.send("anybody?"));
    }
    SECTION("an absurd length") {
        send_raw(both.theirs, std::string(12, '\x7f'));
        CHECK_FALSE(both.ours.receive());
    }
    SECTION("a file is announced that does not come") {
        send_raw(both.theirs, std::string("\0\0\0\0\0\0\0\0\x01\0\0\0", 12));
        CHECK_FALSE(both.ours.receive());
    }
}
