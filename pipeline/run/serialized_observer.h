// Calls from many threads, passed to an observer one at a time; what it throws is not thrown back into the run.
#pragma once

#include <mutex>
#include <string>

#include "pipeline/run/forwarding_observer.h"

namespace satdl {

class SerializedObserver final : public ForwardingObserver {
public:
    explicit SerializedObserver(Observer& observer) : observer_(observer) {}

    // The message of what the observer threw first; "" if it threw nothing.
    [[nodiscard]] std::string observer_error();

private:
    void forward(const Call& call) override;

    Observer& observer_;
    std::mutex mutex_;
    std::string observer_error_;  // guarded by mutex_
};

}  // namespace satdl
