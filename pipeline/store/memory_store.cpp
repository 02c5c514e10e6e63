#include "pipeline/store/memory_store.h"

#include <utility>

namespace satdl {

struct MemoryStore::Kept {
    ArtifactHeader header;
    StageOutput outcome;
};

std::optional<PortDigests> MemoryStore::find(const Digest& key) {
    const auto found = header(key);
    if (!found) return std::nullopt;
    return found->port_digests;
}

std::optional<ArtifactHeader> MemoryStore::header(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    const auto found = kept_.find(key);
    if (found == kept_.end()) return std::nullopt;
    return found->second->header;
}

std::optional<StageOutput> MemoryStore::load(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    const auto found = kept_.find(key);
    if (found == kept_.end()) return std::nullopt;
    return found->second->outcome;
}

Published MemoryStore::publish(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) {
    auto kept = std::make_shared<const Kept>(Kept{describe_artifact(recipe, description, outcome), outcome});
    const std::scoped_lock lock(mutex_);
    const auto [place, is_new] = kept_.emplace(kept->header.key, kept);
    if (is_new) return Published::New;
    return place->second->header.port_digests == kept->header.port_digests ? Published::Same : Published::Different;
}

std::vector<Digest> MemoryStore::keys() {
    const std::scoped_lock lock(mutex_);
    std::vector<Digest> keys;
    for (const auto& [key, kept] : kept_) keys.push_back(key);
    return keys;
}

std::filesystem::path MemoryStore::path_of(const Digest& key) const {
    return "memory/" + key.hex();
}

void MemoryStore::erase(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    kept_.erase(key);
}

}  // namespace satdl
