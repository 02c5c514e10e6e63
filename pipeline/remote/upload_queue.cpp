#include "pipeline/remote/upload_queue.h"

#include <algorithm>
#include <utility>

namespace satdl {
namespace {

constexpr std::size_t kTogether = 8;
constexpr int kTries = 3;
constexpr std::chrono::seconds kLookInterval{1};

}  // namespace

UploadQueue::~UploadQueue() {
    thread_.request_stop();
    changed_.notify_all();
}

void UploadQueue::add(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    if (!seen_.insert(key).second) return;
    queue_.push_back(key);
    if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    changed_.notify_all();
}

std::size_t UploadQueue::waiting() {
    const std::scoped_lock lock(mutex_);
    return queue_.size() + under_way_;
}

void UploadQueue::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [&] { return !queue_.empty(); }) && !stop.stop_requested()) {
        if (!uploader_.answers()) {
            if (is_ending_) break;
            changed_.wait_for(lock, stop, kLookInterval, [&] { return is_ending_; });
            continue;
        }
        const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(kTogether, queue_.size()));
        const std::vector<Digest> keys(queue_.begin(), end);
        queue_.erase(queue_.begin(), end);
        under_way_ = keys.size();
        lock.unlock();
        const std::vector<UploadResult> results = uploader_.upload(keys);
        lock.lock();
        under_way_ = 0;
        note(keys, results);
        changed_.notify_all();
    }
    changed_.notify_all();
}

void UploadQueue::note(std::span<const Digest> keys, const std::vector<UploadResult>& results) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (results[i] == UploadResult::Later) (++tries_[keys[i]] < kTries ? queue_ : given_up_).push_back(keys[i]);
        if (results[i] == UploadResult::Never) ++never_;
    }
}

UploadQueue::Left UploadQueue::finish(std::chrono::milliseconds patience, const std::function<void()>& abandon) {
    {
        std::unique_lock lock(mutex_);
        is_ending_ = true;
        changed_.notify_all();
        const auto has_ended = [&] { return under_way_ == 0 && (queue_.empty() || !uploader_.answers()); };
        changed_.wait_for(lock, patience, has_ended);
    }
    thread_.request_stop();
    abandon();
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    const std::scoped_lock lock(mutex_);
    Left left{{queue_.begin(), queue_.end()}, never_};
    left.later.insert(left.later.end(), given_up_.begin(), given_up_.end());
    return left;
}

}  // namespace satdl
