// Checkpoints in memory, of which all are kept, and ends.
#pragma once

#include <cerrno>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "pipeline/store/checkpoints.h"
#include "pipeline/store/final_checkpoints.h"

namespace satdl::test {

class MemoryCheckpoints final : public Checkpoints {
public:
    [[nodiscard]] std::optional<CheckpointPosition> newest(const Digest& key) override {
        const std::scoped_lock lock(mutex_);
        const auto found = kept_.find(key);
        return found == kept_.end() ? std::nullopt : std::optional(found->second.back().place);
    }
    [[nodiscard]] std::optional<Checkpoint> load(const Digest& key, std::vector<std::string>&) override {
        const std::scoped_lock lock(mutex_);
        const auto found = kept_.find(key);
        return found == kept_.end() ? std::nullopt : std::optional(found->second.back());
    }
    void keep(const Recipe& recipe, const CheckpointPosition& place, const NamedArrays& state) override {
        const std::scoped_lock lock(mutex_);
        if (full) throw FileError(ENOSPC, "write", "checkpoints");
        kept_[key_of(recipe)].push_back({place, state});
    }
    void drop(const Digest& key) override {
        const std::scoped_lock lock(mutex_);
        kept_.erase(key);
    }
    [[nodiscard]] std::size_t count(const Digest& key) {
        const std::scoped_lock lock(mutex_);
        return kept_.contains(key) ? kept_[key].size() : 0;
    }

    bool full = false;

private:
    std::mutex mutex_;
    std::map<Digest, std::vector<Checkpoint>> kept_;
};

class MemoryFinalCheckpoints final : public FinalCheckpoints {
public:
    [[nodiscard]] std::optional<CheckpointPosition> longest_prefix(const Recipe& base, std::int64_t target) override {
        std::vector<std::string> damaged;
        const auto found = load(base, target, damaged);
        return found ? std::optional(found->place) : std::nullopt;
    }
    [[nodiscard]] std::optional<Checkpoint> load(const Recipe& base, std::int64_t target, std::vector<std::string>&) override {
        const std::scoped_lock lock(mutex_);
        const auto& ends = kept_[key_of(base)];
        const auto after = ends.upper_bound(target);
        return after == ends.begin() ? std::nullopt : std::optional(std::prev(after)->second);
    }
    void keep(const Recipe& base, const Digest&, const CheckpointPosition& place, const NamedArrays& state) override {
        const std::scoped_lock lock(mutex_);
        if (full) throw FileError(ENOSPC, "write", "ends");
        kept_[key_of(base)].try_emplace(place.epoch, Checkpoint{place, state});
    }

    bool full = false;

private:
    std::mutex mutex_;
    std::map<Digest, std::map<std::int64_t, Checkpoint>> kept_;
};

}  // namespace satdl::test
