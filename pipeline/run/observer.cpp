#include "pipeline/run/observer.h"

#include <exception>
#include <utility>

#include "pipeline/run/forwarding_observer.h"

namespace satdl {
namespace {

class BroadcastObserver final : public ForwardingObserver {
public:
    explicit BroadcastObserver(std::vector<Observer*> observers) : observers_(std::move(observers)) {}

private:
    void forward(const Call& call) override {
        std::exception_ptr first;
        for (Observer* observer : observers_) {
            try {
                call(*observer);
            } catch (...) {
                if (!first) first = std::current_exception();
            }
        }
        if (first) std::rethrow_exception(first);
    }

    const std::vector<Observer*> observers_;
};

}  // namespace

std::unique_ptr<Observer> broadcast(std::vector<Observer*> observers) { return std::make_unique<BroadcastObserver>(std::move(observers)); }

}  // namespace satdl
