#include "pipeline/executors/memory_limit.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace satdl;

namespace {

// Whether a process under that limit gets so much memory: its own, not shared.
bool gets(std::size_t bytes, std::uint64_t limit) {
    const pid_t child = ::fork();
    if (child == 0) {
        MemoryLimit::limit_data(limit);
        ::_exit(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("Without permission for control groups an allocation past the limit fails") {
    constexpr std::size_t kMuch = std::size_t{1} << 32;
    CHECK(gets(kMuch, std::uint64_t{1} << 45));
    CHECK_FALSE(gets(kMuch, kMuch / 2));
}

TEST_CASE("Without a limit no control group is made and no limit was hit") {
    MemoryLimit none(std::nullopt);
    CHECK(none.add_process(::getpid()) == LimitKind::None);
    CHECK_FALSE(none.oom_killed());
}
