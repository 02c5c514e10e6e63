#include "pipeline/os/sigbus_guard.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <functional>
#include <thread>

#include "pipeline/executors/shared_arrays.h"
#include "pipeline/os/file_system.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using Catch::Matchers::Contains;
using test::TempFolder;
using test::write_text;

namespace {

constexpr std::size_t kBytes = std::size_t{8} << 20;  // so many that their digest is taken by oneTBB's threads

struct Mapped {
    explicit Mapped(std::string name = "numbers") : path(folder.path() / name) {
        write_text(path, std::string(kBytes, 'a'));
        file = real_file_system()->map(path);
    }
    void cut(std::size_t bytes) const { std::filesystem::resize_file(path, bytes); }
    [[nodiscard]] Array array() const { return Array(DType::UInt8, {static_cast<std::int64_t>(kBytes)}, file.bytes, file.owner); }

    const TempFolder folder;
    const std::filesystem::path path;
    MappedFile file;
};

char read_at(const Mapped& mapped, std::size_t place) {
    return static_cast<char>(*const_cast<const volatile std::byte*>(&mapped.file.bytes[place]));
}

// With the guard over the system's own action, and that back at the end.
struct Guard {
    Guard() {
        struct sigaction plain {};
        plain.sa_handler = SIG_DFL;
        ::sigaction(SIGBUS, &plain, &before);
        install_sigbus_guard();
    }
    ~Guard() { ::sigaction(SIGBUS, &before, nullptr); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

    struct sigaction before {};
};

struct Ended {
    int status = 0;
    std::string err;
};

// What becomes of a process that does this.
Ended in_child(const std::function<void()>& body) {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::dup2(pipe[1], STDERR_FILENO);
        body();
        ::_exit(0);
    }
    ::close(pipe[1]);
    Ended ended;
    std::array<char, 4096> bytes{};
    for (ssize_t got; (got = ::read(pipe[0], bytes.data(), bytes.size())) > 0;) ended.err.append(bytes.data(), static_cast<std::size_t>(got));
    ::close(pipe[0]);
    ::waitpid(child, &ended.status, 0);
    return ended;
}

bool died_of(const Ended& ended, int signal) { return WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == signal; }

}  // namespace

TEST_CASE("A mapping that is watched and cut reads as zeros, and says by how much it was cut") {
    const Guard guard;
    const Mapped mapped;
    const MappingWatch use(mapped.file.bytes);
    CHECK_FALSE(use.changed());
    mapped.cut(10'000);
    CHECK(read_at(mapped, 0) == 'a');
    CHECK(read_at(mapped, kBytes - 1) == '\0');
    CHECK(read_at(mapped, 12'288) == '\0');
    CHECK(use.changed() == fmt::format("'{}' was truncated from 8388608 to 10000 bytes", mapped.path.string()));
    CHECK_THROWS_WITH(use.throw_if_changed(), Contains("was truncated from 8388608 to 10000 bytes while it was in use") && Contains("the next run"));
    CHECK(MappingWatch(mapped.file.bytes.subspan(0, 1)).changed());  // also who comes later is told
}

TEST_CASE("A mapping of which a page was lost stays suspect when the file is as long as before") {
    const Guard guard;
    const Mapped mapped;
    const MappingWatch use(mapped.file.bytes);
    mapped.cut(0);
    CHECK(read_at(mapped, 5000) == '\0');
    std::filesystem::remove(mapped.path);
    CHECK_THAT(use.changed().value_or(""), Contains("numbers' could no longer be read"));
}

TEST_CASE("A cut within a page and a write in place are found without a signal") {
    const Mapped cut, written, touched_elsewhere;
    cut.cut(kBytes - 8);
    CHECK_THAT(MappingWatch(cut.file.bytes).changed().value_or(""), Contains("was truncated from 8388608 to 8388600 bytes"));
    std::filesystem::last_write_time(written.path, std::filesystem::last_write_time(written.path) + std::chrono::seconds(1));
    CHECK_THAT(MappingWatch(written.file.bytes).changed().value_or(""), Contains("was modified"));
    std::filesystem::rename(touched_elsewhere.path, touched_elsewhere.folder.path() / "moved");
    write_text(touched_elsewhere.path, "another file");
    CHECK_FALSE(MappingWatch(touched_elsewhere.file.bytes).changed());
}

TEST_CASE("Several threads that read a lost page, oneTBB's among them, all see zeros, and other mappings are untouched") {
    const Guard guard;
    const Mapped gone, there;
    const MappingWatch use(gone.file.bytes), other(there.file.bytes);
    gone.cut(0);
    std::array<std::thread, 4> threads;
    std::array<Digest, 4> digests{};
    for (std::size_t i = 0; i < threads.size(); ++i) threads[i] = std::thread([&, i] { digests[i] = tree_digest(gone.file.bytes); });
    for (std::thread& thread : threads) thread.join();
    const std::vector<std::byte> zeros(kBytes);
    for (const Digest& digest : digests) CHECK(digest == tree_digest(zeros));
    CHECK(use.changed());
    CHECK_FALSE(other.changed());
    CHECK(read_at(there, kBytes - 1) == 'a');
}

TEST_CASE("A SIGBUS in a mapping that is not watched prints the file and exits with the code of a bad store") {
    const Guard guard;
    const Mapped mapped("a \x1b[31mname");
    mapped.cut(0);
    const Ended ended = in_child([&] { (void)read_at(mapped, 100); });
    REQUIRE(WIFEXITED(ended.status));
    CHECK(WEXITSTATUS(ended.status) == static_cast<int>(ExitCode::Store));
    CHECK_THAT(ended.err, Contains("satdl: '") && Contains("a \\x1b[31mname' was truncated or could no longer be read while it was in use\n") &&
                              Contains("the next run detects what is damaged"));
    const Ended watched_before = in_child([&] {
        { const MappingWatch use(mapped.file.bytes); }
        (void)read_at(mapped, 100);
    });
    CHECK(WIFEXITED(watched_before.status));
    CHECK_FALSE(watched_before.err.empty());
}

TEST_CASE("Any other SIGBUS kills the program as usual") {
    const Guard guard;
    const Mapped mapped;
    CHECK(died_of(in_child([] { ::raise(SIGBUS); }), SIGBUS));
    CHECK(died_of(in_child([] { ::kill(::getpid(), SIGBUS); }), SIGBUS));
    const Ended ours = in_child([&] {
        mapped.cut(0);
        unregister_mapping(mapped.file.bytes.data());
        (void)read_at(mapped, 0);
    });
    CHECK(died_of(ours, SIGBUS));
    CHECK(ours.err.empty());
}

TEST_CASE("An entry is used again when its mapping is gone, and a use keeps its mapping") {
    const Guard guard;
    MappingWatch use;
    for (int i = 0; i < 100; ++i) {
        const Mapped mapped;
        const Array array = mapped.array();
        if (i == 50) use.add(NamedArrays{{"", array}});
        CHECK_FALSE(use.changed());
    }
    const Mapped cut;
    cut.cut(0);
    CHECK_FALSE(use.changed());
    use.add({}, nullptr);
    use.add(std::as_bytes(std::span("not mapped")), nullptr);
    use.add(cut.file.bytes, cut.file.owner);
    CHECK(use.changed());
}

TEST_CASE("An array in a truncated file is not written") {
    const Guard guard;
    const Mapped mapped;
    const auto files = real_file_system();
    const auto written = mapped.folder.path() / "written";
    const std::array extents{Extent{0, mapped.file.bytes}};
    mapped.cut(kBytes - 8);
    CHECK_THROWS_WITH(files->write_new(written, kBytes, extents), Contains("numbers' was truncated from"));
    mapped.cut(4096);
    CHECK_THROWS_WITH(files->write_new(written, kBytes, extents), Contains("numbers' was truncated from"));
    CHECK_FALSE(std::filesystem::exists(written));
}

TEST_CASE("An array in a truncated file is not reported as out of memory when it is shared with another process") {
    const Guard guard;
    const Mapped mapped;
    const Array array = mapped.array();
    (void)array.digest();
    mapped.cut(4096);
    const MappingWatch use(mapped.file.bytes);
    CHECK_THROWS_WITH(share({{"x", {{"", array}}}}), Contains("a file that holds them can no longer be read"));
    CHECK(use.changed());
}
