// Checkpoints in memory. All are retained, whatever the retention says of how many.
#pragma once

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "pipeline/os/file_error.h"
#include "pipeline/store/checkpoint_store.h"

namespace satdl::test {

class MemoryCheckpoints final : public CheckpointStore {
public:
    explicit MemoryCheckpoints(Retention retention) : retention_(retention) {}

    [[nodiscard]] std::optional<CheckpointPosition> newest(const Digest& key, std::int64_t max = kAny) override {
        const std::scoped_lock lock(mutex_);
        const Checkpoint* const found = find(key, max);
        return found == nullptr ? std::nullopt : std::optional(found->position);
    }
    [[nodiscard]] std::optional<Checkpoint> load(const Digest& key, std::vector<std::string>& damaged, std::int64_t max = kAny) override {
        const std::scoped_lock lock(mutex_);
        for (const Checkpoint* found = find(key, max); found != nullptr; found = find(key, max)) {
            if (!damaged_epochs.contains(found->position.epoch)) return *found;
            damaged.push_back(fmt::format("the checkpoint at {} is damaged", found->position.text()));
            std::erase_if(retained_[key], [&](const auto& one) { return &one.second == found; });
        }
        return std::nullopt;
    }
    void write(const Recipe& recipe, const Digest&, const CheckpointPosition& position, const NamedArrays& state) override {
        const std::scoped_lock lock(mutex_);
        if (full) throw FileError(ENOSPC, "write", "a checkpoint");
        auto& of_key = retained_[key_of(recipe)];
        const std::int64_t next = of_key.empty() ? 1 : of_key.rbegin()->first + 1;
        of_key.try_emplace(retention_ == Retention::First ? position.epoch : next, Checkpoint{position, state});
    }
    void remove(const Digest& key) override {
        const std::scoped_lock lock(mutex_);
        retained_.erase(key);
    }
    [[nodiscard]] std::size_t count(const Digest& key) {
        const std::scoped_lock lock(mutex_);
        return retained_.contains(key) ? retained_[key].size() : 0;
    }

    bool full = false;
    std::set<std::int64_t> damaged_epochs;  // whose headers are whole, and whose bytes are not

private:
    const Checkpoint* find(const Digest& key, std::int64_t max) {
        const auto& of_key = retained_[key];
        const auto after = of_key.upper_bound(max);
        return after == of_key.begin() ? nullptr : &std::prev(after)->second;
    }

    const Retention retention_;
    std::mutex mutex_;
    std::map<Digest, std::map<std::int64_t, Checkpoint>> retained_;  // guarded by mutex_; by number
};

}  // namespace satdl::test
