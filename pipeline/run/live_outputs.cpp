#include "pipeline/run/live_outputs.h"

#include <utility>

#include "pipeline/os/sigbus_guard.h"

namespace satdl {
namespace {

std::uint64_t bytes_of(const StageOutput& outcome) {
    std::uint64_t bytes = 0;
    for (const auto& [port, group] : outcome.outputs) {
        for (const auto& [name, array] : group)
            if (array.bytes().empty() || !is_in_mapping(array.bytes().data())) bytes += array.bytes().size();
    }
    return bytes;
}

}  // namespace

LiveOutputs::LiveOutputs(const std::vector<std::size_t>& users) : held_outputs_(users.size()) {
    for (std::size_t node = 0; node < users.size(); ++node) held_outputs_[node].users = users[node];
}

LiveOutput LiveOutputs::find(std::size_t node) {
    const std::scoped_lock lock(mutex_);
    return held_outputs_[node].outcome;
}

void LiveOutputs::put_computed(std::size_t node, LiveOutput outcome) {
    const std::uint64_t bytes = bytes_of(*outcome);
    const std::scoped_lock lock(mutex_);
    HeldOutput& holding = held_outputs_[node];
    holding.outcome = std::move(outcome);
    holding.to_be_written = true;
    bytes_ += bytes - std::exchange(holding.bytes, bytes);
}

void LiveOutputs::put_loaded(std::size_t node, LiveOutput outcome) {
    const std::scoped_lock lock(mutex_);
    if (held_outputs_[node].users > 0) held_outputs_[node].outcome = std::move(outcome);
}

void LiveOutputs::written(std::size_t node) {
    LiveOutput freed;
    const std::scoped_lock lock(mutex_);
    held_outputs_[node].to_be_written = false;
    freed = release_if_done(held_outputs_[node]);
}

void LiveOutputs::user_done(std::size_t node) {
    LiveOutput freed;
    const std::scoped_lock lock(mutex_);
    --held_outputs_[node].users;
    freed = release_if_done(held_outputs_[node]);
}

LiveOutput LiveOutputs::release_if_done(HeldOutput& holding) {
    if (holding.users > 0 || holding.to_be_written) return nullptr;
    bytes_ -= std::exchange(holding.bytes, 0);
    return std::exchange(holding.outcome, nullptr);
}

std::uint64_t LiveOutputs::bytes(std::size_t node) {
    const std::scoped_lock lock(mutex_);
    return held_outputs_[node].bytes;
}

std::uint64_t LiveOutputs::bytes() {
    const std::scoped_lock lock(mutex_);
    return bytes_;
}

}  // namespace satdl
