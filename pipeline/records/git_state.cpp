#include "pipeline/records/git_state.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <functional>
#include <vector>

#include "pipeline/core/unique_fd.h"
#include "pipeline/os/subprocess.h"

namespace satdl {

namespace {

using Sink = std::function<void(std::string_view)>;

constexpr int kPollMilliseconds = 20;

// Whether git ended with 0. It is killed once `cancelled` is set.
bool run_git(const std::filesystem::path& folder, std::vector<std::string> arguments, const std::atomic<bool>& cancelled,
             const Sink& sink) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const UniqueFd nothing(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    // Without what a repository's own settings would start, and without writing into it.
    arguments.insert(arguments.begin(), {"git", "--no-optional-locks", "--no-pager", "-c", "core.fsmonitor=false"});
    ChildProcess git;
    const std::array passed{ChildProcess::PassedFd{write_end.get(), STDOUT_FILENO},
                            ChildProcess::PassedFd{nothing.get(), STDERR_FILENO}};
    if (git.start("git", arguments, passed, ChildProcess::ProcessGroup::Own, {.folder = folder}) != 0) return false;
    write_end.close();
    std::array<char, 1 << 16> buffer;
    for (;;) {
        if (cancelled.load()) {
            git.kill();
            (void)git.wait();
            return false;
        }
        pollfd output{read_end.get(), POLLIN, 0};
        const int ready = ::poll(&output, 1, kPollMilliseconds);
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        const auto count = ::read(read_end.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        sink(std::string_view(buffer.data(), static_cast<std::size_t>(count)));
    }
    return git.wait() == 0;
}

}  // namespace

GitQuery::GitQuery(std::filesystem::path folder, bool with_patch) : folder_(std::move(folder)), with_patch_(with_patch) {
    try {
        thread_ = std::thread([this] { ask(); });
    } catch (const std::system_error&) {  // no thread is to be had: no commit, then
        done_ = true;
    }
}

GitQuery::~GitQuery() {
    cancelled_ = true;
    if (thread_.joinable()) thread_.join();
}

std::optional<GitState> GitQuery::finish(double wait_seconds) {
    {
        std::unique_lock lock(mutex_);
        ended_.wait_for(lock, std::chrono::duration<double>(wait_seconds), [this] { return is_done(); });
    }
    cancelled_ = true;
    if (thread_.joinable()) thread_.join();
    return std::move(state_);
}

void GitQuery::ask() {
    std::string lines;
    const auto listen = [&](std::string_view text) { lines += text; };
    if (run_git(folder_, {"rev-parse", "--show-toplevel", "HEAD"}, cancelled_, listen)) {
        const std::size_t end = lines.find('\n');
        GitState& state = state_.emplace();
        state.root = lines.substr(0, end);
        state.commit = lines.substr(end + 1, lines.find('\n', end + 1) - end - 1);
        Sha256 sha;
        std::string patch;
        const auto take = [&](std::string_view text) {
            sha.update(text);
            state.diff_bytes += text.size();
            if (with_patch_ && state.diff_bytes <= kMaxPatchBytes) patch += text;
        };
        const bool whole = run_git(
            state.root,
            {"diff", "--no-ext-diff", "--no-textconv", "--no-color", "--binary", "--ignore-submodules=dirty", "HEAD"},
            cancelled_, take);
        if (whole) state.diff = sha.finish();
        if (whole && with_patch_ && state.diff_bytes <= kMaxPatchBytes) state.patch = std::move(patch);
    }
    const std::scoped_lock lock(mutex_);
    done_ = true;
    ended_.notify_all();
}

}  // namespace satdl
