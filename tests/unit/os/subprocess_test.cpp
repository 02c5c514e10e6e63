#include "pipeline/os/subprocess.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <stdexcept>

using namespace satdl;

namespace {

struct Output {
    std::string text;
    ProcessSink sink() {
        return [this](std::span<const std::byte> piece) {
            text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
            return true;
        };
    }
};

}  // namespace

TEST_CASE("the output of a program is read completely, whatever its size") {
    Output output;
    CHECK(run_process({"seq", "1", "200000"}, output.sink()).good());
    CHECK(output.text.size() == 1288895);
    CHECK(output.text.ends_with("\n200000\n"));
}

TEST_CASE("arguments never meet a shell") {
    Output output;
    CHECK(run_process({"printf", "%s", "$(id); `id` | > * \"'"}, output.sink()).good());
    CHECK(output.text == "$(id); `id` | > * \"'");
}

TEST_CASE("a failure says how the program ended, and what it said") {
    Output output;
    const ProcessResult failed = run_process({"sh", "-c", "echo nothing there >&2; exit 3"}, output.sink());
    CHECK_FALSE(failed.good());
    CHECK(failed.describe() == "exit code 3: nothing there");
    const ProcessResult killed = run_process({"sh", "-c", "kill -KILL $$"}, output.sink());
    CHECK(killed.describe() == "killed by SIGKILL (Killed)");
    const ProcessResult missing = run_process({"satdl-no-such-program"}, output.sink());
    CHECK(missing.kind == ProcessResult::Kind::NotStarted);
    CHECK(missing.code == ENOENT);
    CHECK(missing.describe() == "is not installed");
}

TEST_CASE("a program that says much on stderr neither blocks nor fills the memory") {
    Output output;
    const ProcessResult result = run_process({"sh", "-c", "seq 1 100000 >&2; echo done"}, output.sink());
    CHECK(result.good());
    CHECK(output.text == "done\n");
    CHECK(result.stderr_tail.size() < 10000);
    CHECK(result.stderr_tail.ends_with("100000"));
}

TEST_CASE("control characters of a program's message are escaped") {
    Output output;
    CHECK(run_process({"printf", "x"}, output.sink()).stderr_tail.empty());
    const ProcessResult result = run_process({"sh", "-c", "printf '\\033[31mred' >&2; exit 1"}, output.sink());
    CHECK(result.stderr_tail.find('\033') == std::string::npos);
}

TEST_CASE("a program is killed when its reader stops reading") {
    std::size_t bytes = 0;
    const ProcessResult result =
        run_process({"yes"}, [&](std::span<const std::byte> piece) { return (bytes += piece.size()) < 100000; });
    CHECK(result.kind == ProcessResult::Kind::Cut);
}

TEST_CASE("what the reader throws reaches the caller") {
    const ProcessSink sink = [](std::span<const std::byte>) -> bool { throw std::runtime_error("full"); };
    CHECK_THROWS_AS(run_process({"yes"}, sink), std::runtime_error);
}

TEST_CASE("a program's input is empty") {
    Output output;
    CHECK(run_process({"cat"}, output.sink()).good());
    CHECK(output.text.empty());
}

TEST_CASE("a program that does not end in time is killed, with all that it started in its group") {
    Output output;
    ProcessOptions options;
    options.limit_seconds = 0.2;
    options.own_group = true;
    const ProcessResult result = run_process({"sh", "-c", "echo begun; sleep 100 & sleep 100"}, options, output.sink());
    CHECK(result.kind == ProcessResult::Kind::TimedOut);
    CHECK(result.describe() == "did not end in time");
    CHECK_FALSE(result.good());
    CHECK(output.text == "begun\n");
    options.limit_seconds = 1000;
    CHECK(run_process({"true"}, options, output.sink()).good());
}
