// Time that only moves forward, as an interface, so that tests can have their own.
#pragma once

#include <memory>

namespace satdl {

// Safe from any thread.
class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual double seconds() = 0;  // monotonic, from an arbitrary start
};

[[nodiscard]] std::unique_ptr<Clock> steady_clock();

}  // namespace satdl
