#include "pipeline/remote/remote_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pipeline/store/layout.h"

namespace satdl {

RemoteStore::RemoteStore(OpenStore& local, RemoteCache& remote)
    : local_(local), remote_(remote), pending_(local.folder(), remote.place(), local.files()),
      uploads_({.upload = [this](std::span<const Digest> keys) { return upload_now(keys); },
                .answers = [this] { return remote_.takes_uploads() && remote_.answers(); }}) {}

std::optional<StoredOutput> RemoteStore::find(const Digest& key) {
    if (auto stored = local_.store().find(key)) return stored;
    const auto record = remote_.find(key);
    if (record == nullptr) return std::nullopt;
    return StoredOutput{.ports = record->header.port_digests, .warnings = record->header.warnings, .is_remote = true};
}

std::optional<ArtifactHeader> RemoteStore::header(const Digest& key) {
    if (auto header = local_.store().header(key)) return header;
    const auto record = remote_.find(key);
    return record == nullptr ? std::nullopt : std::optional(record->header);
}

// One that was damaged here may be whole there.
std::optional<StageOutput> RemoteStore::load(const Digest& key) {
    std::exception_ptr damage;
    try {
        if (auto outcome = local_.store().load(key)) return outcome;
    } catch (const DamagedArtifact&) {
        damage = std::current_exception();
    }
    fetch({&key, 1});
    auto outcome = local_.store().load(key);
    if (!outcome && damage) std::rethrow_exception(damage);
    return outcome;
}

Published RemoteStore::publish(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) {
    const Digest key = key_of(recipe);
    note_uploads({&key, 1});
    const Published published = local_.store().publish(recipe, description, outcome);
    if (published == Published::New && remote_.takes_uploads()) uploads_.add(key);
    return published;
}

std::vector<PublishResult> RemoteStore::publish_all(std::span<const NewArtifact> artifacts) {
    std::vector<Digest> keys;
    for (const NewArtifact& artifact : artifacts) keys.push_back(key_of(artifact.recipe));
    note_uploads(keys);
    std::vector<PublishResult> results = local_.store().publish_all(artifacts);
    for (std::size_t i = 0; i < results.size(); ++i) {
        const auto* const published = std::get_if<Published>(&results[i]);
        if (published != nullptr && *published == Published::New && remote_.takes_uploads()) uploads_.add(keys[i]);
    }
    return results;
}

// Before they are in the store: a run that is killed in between leaves them to the next.
void RemoteStore::note_uploads(std::span<const Digest> keys) {
    if (remote_.takes_uploads()) pending_.add(keys);
}

void RemoteStore::look_up(std::span<const Digest> keys) {
    std::vector<Digest> absent;
    std::ranges::copy_if(keys, std::back_inserter(absent), [&](const Digest& key) { return !is_here(key); });
    remote_.look_up(absent);
}

void RemoteStore::fetch(std::span<const Digest> keys) {
    std::vector<Digest> absent;
    std::ranges::copy_if(keys, std::back_inserter(absent), [&](const Digest& key) { return !is_here(key); });
    if (absent.empty()) return;
    const std::filesystem::path staging = local_.folder() / store_layout::kStaging;
    local_.files().make_folders(staging);
    remote_.download(absent, staging, [&](const RemoteRecord& record, const std::filesystem::path& file) {
        (void)local_.store().adopt(record.header, file);  // another process may have had it first
    });
}

bool RemoteStore::is_here(const Digest& key) {
    try {
        return local_.files().stamp(path_of(key)).has_value();
    } catch (const FileError&) {
        return false;
    }
}

void RemoteStore::stored_by_another(const Digest& key) {
    if (!is_here(key) || !remote_.takes_uploads()) return;
    pending_.add({&key, 1});
    uploads_.add(key);
}

void RemoteStore::upload_what_is_left() {
    if (!remote_.takes_uploads()) return;
    for (const Digest& key : pending_.take_over())
        if (is_here(key)) uploads_.add(key);
}

// Verified first: what is signed is right.
std::vector<UploadResult> RemoteStore::upload_now(std::span<const Digest> keys) {
    std::vector<UploadResult> results(keys.size(), UploadResult::Never);
    std::vector<LocalArtifact> artifacts;
    std::vector<std::size_t> positions;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        try {
            if (!local_.store().load(keys[i])) continue;
            auto header = local_.store().header(keys[i]);
            if (!header || header->text_bytes > kMaxRecordBytes / 2) continue;
            artifacts.push_back({*std::move(header), local_.files().map(path_of(keys[i]))});
            positions.push_back(i);
        } catch (const Error&) {  // damaged, or gone: who needs it is told
        }
    }
    try {
        const std::vector<UploadResult> uploaded = remote_.upload(artifacts);
        for (std::size_t k = 0; k < positions.size(); ++k) results[positions[k]] = uploaded[k];
    } catch (const std::exception& error) {  // memory is short, libcrypto fails
        remote_.count_lost_uploads(0, printable(describe(error)));
        for (const std::size_t i : positions) results[i] = UploadResult::Later;
    }
    return results;
}

void RemoteStore::finish_uploads(std::chrono::milliseconds patience, const std::function<void()>& abandon) {
    const UploadQueue::Left left = uploads_.finish(patience, abandon);
    pending_.finish(left.later);
    if (left.later.size() + left.never > 0) remote_.count_lost_uploads(left.later.size() + left.never, "");
}

}  // namespace satdl
