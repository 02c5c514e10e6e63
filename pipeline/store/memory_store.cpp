#include "pipeline/store/memory_store.h"

#include <utility>

namespace satdl {

struct MemoryStore::Entry {
    ArtifactHeader header;
    StageOutput outcome;
};

std::optional<StoredOutput> MemoryStore::find(const Digest& key) {
    const auto found = header(key);
    if (!found) return std::nullopt;
    return StoredOutput{found->port_digests, found->warnings};
}

std::optional<ArtifactHeader> MemoryStore::header(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    return found->second->header;
}

std::optional<StageOutput> MemoryStore::load(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    return found->second->outcome;
}

Published MemoryStore::publish(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) {
    auto entry = std::make_shared<const Entry>(Entry{describe_artifact(recipe, description, outcome), outcome});
    const std::scoped_lock lock(mutex_);
    const auto [place, is_new] = entries_.emplace(entry->header.key, entry);
    if (is_new) return Published::New;
    return place->second->header.port_digests == entry->header.port_digests ? Published::Same : Published::Different;
}

std::vector<Digest> MemoryStore::keys() {
    const std::scoped_lock lock(mutex_);
    std::vector<Digest> keys;
    for (const auto& [key, entry] : entries_) keys.push_back(key);
    return keys;
}

std::filesystem::path MemoryStore::path_of(const Digest& key) const {
    return "memory/" + key.hex();
}

void MemoryStore::erase(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    entries_.erase(key);
}

}  // namespace satdl
