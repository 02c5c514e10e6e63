// The commit that a folder is at, and what its files differ from it: asked of git itself, on a thread of its own, while the
// run goes on.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "pipeline/core/digest.h"

namespace satdl {

struct GitState {
    std::string commit;  // 40 hexadecimal digits
    std::string root;    // folder of the work tree
    // Of `git diff --binary HEAD`: tracked files alone. nullopt: git did not say in time.
    std::optional<Digest> diff;
    std::uint64_t diff_bytes = 0;        // 0: the work tree is as it was committed
    std::optional<std::string> patch{};  // its text, if it was asked for; nullopt: it is longer than kMaxPatchBytes
};

class GitQuery {
public:
    static constexpr std::size_t kMaxPatchBytes = 64U << 20;

    GitQuery(std::filesystem::path folder, bool with_patch);
    ~GitQuery();  // does not wait: git is killed
    GitQuery(const GitQuery&) = delete;
    GitQuery& operator=(const GitQuery&) = delete;

    [[nodiscard]] bool is_done() const { return done_.load(); }
    // Waits for git at most that long, then kills it. nullopt: no repository, no commit, or no git. To be called once.
    [[nodiscard]] std::optional<GitState> finish(double wait_seconds);

private:
    void ask();

    const std::filesystem::path folder_;
    const bool with_patch_;
    std::atomic<bool> cancelled_ = false, done_ = false;
    std::mutex mutex_;
    std::condition_variable ended_;
    std::optional<GitState> state_;  // the thread's, until it is joined
    std::thread thread_;             // last: it uses the others
};

}  // namespace satdl
