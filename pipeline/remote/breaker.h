// When a remote is not asked any more: a server that is gone must not cost seconds for each of a thousand look-ups.
//
// Three failures in a row open the breaker for a minute, in which nothing is asked; then one failure is enough to open it again. An answer
// of any kind closes it.
#pragma once

#include <functional>
#include <mutex>

namespace satdl {

// Safe from any thread.
class Breaker {
public:
    static constexpr int kFailures = 3;
    static constexpr double kOpenSeconds = 60;

    // `now`: seconds, from an arbitrary start.
    explicit Breaker(std::function<double()> now) : now_(std::move(now)) {}

    [[nodiscard]] bool allows() {
        const std::scoped_lock lock(mutex_);
        return failures_ < kFailures || now_() - opened_ >= kOpenSeconds;
    }
    void answered() {
        const std::scoped_lock lock(mutex_);
        failures_ = 0;
    }
    void failed() {
        const std::scoped_lock lock(mutex_);
        if (++failures_ >= kFailures) opened_ = now_();
    }

private:
    const std::function<double()> now_;
    std::mutex mutex_;
    int failures_ = 0;   // guarded by mutex_: in a row
    double opened_ = 0;  // guarded by mutex_
};

}  // namespace satdl
