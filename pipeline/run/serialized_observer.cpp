#include "pipeline/run/serialized_observer.h"

#include <exception>
#include <utility>

#include "pipeline/core/error.h"

namespace satdl {

void SerializedObserver::forward(const Call& call) {
    const std::scoped_lock lock(mutex_);
    std::string thrown;
    try {
        call(observer_);
    } catch (const std::exception& error) {
        thrown = describe(error);
    } catch (...) {
        thrown = "an observer threw something that is not an exception";
    }
    if (observer_error_.empty()) observer_error_ = std::move(thrown);
}

std::string SerializedObserver::observer_error() {
    const std::scoped_lock lock(mutex_);
    return observer_error_;
}

}  // namespace satdl
