// Uploads written behind: a run does not wait for them until its end, and then not for long.
//
// The queue has no more than keys, whose artifacts are in the store. One thread uploads, several at once. What fails waits until the remote
// answers again, and is given up after three tries or at the end of the run: the caller remembers it for the next.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <thread>
#include <vector>

#include "pipeline/core/digest.h"
#include "pipeline/remote/remote_cache.h"

namespace satdl {

// Safe from any thread.
class UploadQueue {
public:
    struct Uploader {
        std::function<std::vector<UploadResult>(std::span<const Digest>)> upload;  // by position; throws nothing
        std::function<bool()> answers;  // whether it is worth trying now
    };
    explicit UploadQueue(Uploader uploader) : uploader_(std::move(uploader)) {}
    ~UploadQueue();  // without waiting for what is queued
    UploadQueue(const UploadQueue&) = delete;
    UploadQueue& operator=(const UploadQueue&) = delete;

    void add(const Digest& key);
    [[nodiscard]] std::size_t waiting();
    // Waits until all are uploaded, or given up: after `patience`, or at once if the remote does not answer. `abandon` then makes an upload
    // that is under way end soon. Once, after the last add().
    struct Left {
        std::vector<Digest> later;
        std::size_t never = 0;
    };
    [[nodiscard]] Left finish(std::chrono::milliseconds patience, const std::function<void()>& abandon);

private:
    void run(const std::stop_token& stop);
    void note(std::span<const Digest> keys, const std::vector<UploadResult>& results);

    const Uploader uploader_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    // Guarded by mutex_:
    std::deque<Digest> queue_, given_up_;
    std::map<Digest, int> tries_;  // that failed
    std::set<Digest> seen_;
    std::size_t under_way_ = 0;
    std::size_t never_ = 0;
    bool is_ending_ = false;
    std::jthread thread_;  // from the first add() on; the last, for it uses all the others
};

}  // namespace satdl
