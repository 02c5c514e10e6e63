#include "report/evidence.h"

#include <fmt/format.h>

namespace satdl {

void Evidence::note(const std::string& stage, const std::string& why) {
    if (noted_.insert(stage).second) run_.missing.push_back(fmt::format("{}: {}", stage, why));
}

// The result of `read` for the stage's key; nullopt, with a note, if there is none.
template <typename Read>
auto Evidence::guarded(const std::string& stage, Read read) -> decltype(read(Digest())) {
    const StageFacts* facts = run_.find(stage);
    if (facts == nullptr || !facts->key || !facts->has_outcome()) return std::nullopt;
    try {
        auto found = read(*facts->key);
        if (!found) note(stage, fmt::format("its artifact is no longer in the store (key {})", facts->key->short_hex()));
        return found;
    } catch (const Error& error) {
        note(stage, fmt::format("its artifact cannot be used: {}", error.what()));
    }
    return std::nullopt;
}

const ArtifactHeader* Evidence::header(const std::string& stage) {
    auto known = headers_.find(stage);
    if (known == headers_.end()) {
        known = headers_.emplace(stage, guarded(stage, [&](const Digest& key) { return store_.header(key); })).first;
    }
    return known->second ? &*known->second : nullptr;
}

std::optional<NamedArrays> Evidence::group(const std::string& stage, const std::string& port) {
    auto known = outcomes_.find(stage);
    if (known == outcomes_.end()) {
        known = outcomes_.emplace(stage, guarded(stage, [&](const Digest& key) { return store_.load(key); })).first;
    }
    if (!known->second) return std::nullopt;
    const auto found = known->second->outputs.find(port);
    return found == known->second->outputs.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Array> Evidence::array(const std::string& stage, const std::string& port) {
    const auto whole = group(stage, port);
    if (!whole) return std::nullopt;
    const auto found = whole->find("");
    return found == whole->end() ? std::nullopt : std::optional(found->second);
}

std::optional<Source> Evidence::source(const std::string& stage, const std::string& port) {
    const ArtifactHeader* found = header(stage);
    if (found == nullptr || !found->port_digests.contains(port)) return std::nullopt;
    return Source{stage, port, found->key, found->port_digests.at(port)};
}

}  // namespace satdl
