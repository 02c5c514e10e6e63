#include "pipeline/run/clock.h"

#include <chrono>

namespace satdl {
namespace {

class SteadyClock final : public Clock {
public:
    [[nodiscard]] double seconds() override {
        return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    }
};

}  // namespace

std::unique_ptr<Clock> steady_clock() { return std::make_unique<SteadyClock>(); }

}  // namespace satdl
