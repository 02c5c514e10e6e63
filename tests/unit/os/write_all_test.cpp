#include "pipeline/os/write_all.h"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

#include "pipeline/core/unique_fd.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::TempFolder;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

}  // namespace

TEST_CASE("a pipe that takes a little at a time gets all of it in the end, also when signals interrupt") {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
    const UniqueFd read_end(pipe[0]);
    UniqueFd write_end(pipe[1]);
    struct sigaction action {};
    action.sa_handler = [](int) {};  // without SA_RESTART: a write that waits returns EINTR, or less than it was given
    struct sigaction before {};
    REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
    std::string sent(std::size_t{1} << 20, '\0');
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 2654435761U >> 13U);
    std::string got;
    const pthread_t writer = ::pthread_self();
    std::thread reader([&] {
        std::array<char, 5000> piece{};
        ssize_t some = 0;
        while ((some = ::read(read_end.get(), piece.data(), piece.size())) > 0) {
            got.append(piece.data(), static_cast<std::size_t>(some));
            if (got.size() < sent.size() / 2) ::pthread_kill(writer, SIGUSR1);
        }
    });
    CHECK(write_all(write_end.get(), bytes_of(sent)) == sent.size());
    write_end.close();
    reader.join();
    ::sigaction(SIGUSR1, &before, nullptr);
    CHECK(got == sent);
}

TEST_CASE("a write that fails leaves errno and the number of bytes written") {
    const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    REQUIRE(full);
    CHECK(write_all(full.get(), bytes_of("text")) == 0);
    CHECK(errno == ENOSPC);
    CHECK(write_all_at(-1, bytes_of("text"), 0) == 0);
    CHECK(errno == EBADF);
    CHECK(write_all(full.get(), {}) == 0);  // nothing is all there is
}

TEST_CASE("bytes are written at their offset, whatever was written before") {
    const TempFolder folder;
    const auto path = folder.path() / "file";
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(file);
    CHECK(write_all_at(file.get(), bytes_of("tail"), 4) == 4);
    CHECK(write_all_at(file.get(), bytes_of("head"), 0) == 4);
    CHECK(test::file_text(path) == "headtail");
}
