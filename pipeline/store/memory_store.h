// A store in memory: for tests, benchmarks, and runs that store nothing.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "pipeline/store/store.h"

namespace satdl {

class MemoryStore final : public Store {
public:
    [[nodiscard]] std::optional<StoredOutput> find(const Digest& key) override;
    [[nodiscard]] std::optional<ArtifactHeader> header(const Digest& key) override;
    [[nodiscard]] std::optional<StageOutput> load(const Digest& key) override;
    Published publish(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) override;
    [[nodiscard]] std::vector<Digest> keys() override;
    [[nodiscard]] std::filesystem::path path_of(const Digest& key) const override;
    void erase(const Digest& key);

private:
    struct Entry;
    std::mutex mutex_;
    std::map<Digest, std::shared_ptr<const Entry>> entries_;  // guarded by mutex_
};

}  // namespace satdl
