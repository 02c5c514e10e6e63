// The store on disk. Locks would only save work and could be left behind, so there are none: names that must not exist yet
// decide who was first, and the second one compares, which checks for free that the stage is deterministic.
#include "pipeline/store/store.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "pipeline/store/layout.h"
#include "pipeline/store/quarantine.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

ArtifactHeader header_in(File& file, const Digest& key) {
    ArtifactHeader header = read_header(file);
    if (header.key != key) throw DamagedArtifact(file.path(), "it is the artifact of another key, " + header.key.hex());
    return header;
}

}  // namespace

std::vector<PublishResult> Store::publish_all(std::span<const NewArtifact> artifacts) {
    std::vector<PublishResult> results;
    for (const NewArtifact& one : artifacts) {
        try {
            results.emplace_back(publish(one.recipe, one.description, one.outcome));
        } catch (...) {
            results.emplace_back(std::current_exception());
        }
    }
    return results;
}

DiskStore::DiskStore(fs::path folder, FileSystem& files, Index& index, std::function<Hdf5LayoutFunction()> layout)
    : folder_(std::move(folder)), files_(files), index_(index), layout_(std::move(layout)), staging_(folder_ / store_layout::kStaging, files) {
    if (index_.rebuilt()) reindex();
}

fs::path DiskStore::path_of(const Digest& key) const {
    const std::string hex = key.hex();
    // One text: joining paths took a tenth of a run in which nothing ran.
    std::string path = (folder_ / store_layout::kArtifacts).native();
    path.append("/").append(hex, 0, 2).append("/").append(hex).append(store_layout::kArtifactExtension);
    return path;
}

// What `read` finds in the key's object, opened once; nullopt if absent. A damaged one is put into quarantine on the way out.
template <typename Function>
auto DiskStore::guarded(const Digest& key, Function read) -> decltype(read(std::declval<File&>())) {
    try {
        const std::unique_ptr<File> file = files_.open(path_of(key));
        try {
            return read(*file);
        } catch (const DamagedArtifact&) {
            index_.remove_artifact(key);
            quarantine(folder_, files_, *file, key.hex());
            throw;
        }
    } catch (const FileError& error) {
        if (error.number() == ENOENT || error.number() == ENOTDIR) return std::nullopt;
        throw;
    }
}

std::optional<StoredOutput> DiskStore::find(const Digest& key) {
    auto row = index_.artifact(key);
    const auto found = files_.stamp(path_of(key));
    if (row && found && row->file_bytes == found->bytes) return StoredOutput{std::move(row->ports), std::move(row->warnings)};
    if (row) index_.remove_artifact(key);
    if (!found) return std::nullopt;
    try {
        auto read = header(key);
        if (!read) return std::nullopt;
        index_artifact(*read);
        return StoredOutput{std::move(read->port_digests), std::move(read->warnings)};
    } catch (const DamagedArtifact&) {
        return std::nullopt;
    }
}

std::optional<ArtifactHeader> DiskStore::header(const Digest& key) {
    return guarded(key, [&](File& file) { return std::optional(header_in(file, key)); });
}

std::optional<StageOutput> DiskStore::load(const Digest& key) {
    return guarded(key, [&](File& file) {
        const ArtifactHeader header = header_in(file, key);
        const MappedFile mapped = file.map();
        if (!is_verified(key, mapped.stamp)) {
            verify_artifact(header, mapped.bytes, file.path());
            const std::scoped_lock lock(mutex_);
            verified_[key] = mapped.stamp;
        }
        return std::optional(view_artifact(header, mapped));
    });
}

bool DiskStore::is_verified(const Digest& key, const FileStamp& stamp) {
    const std::scoped_lock lock(mutex_);
    const auto known = verified_.find(key);
    return known != verified_.end() && known->second == stamp;
}

// ---- publishing -------------------------------------------------------------------------------------------------------

// One artifact on its way. What fails is noted, and the later steps leave it out.
struct DiskStore::Publication {
    fs::path path;
    ArtifactImage image;
    std::optional<fs::path> written;  // in tmp/; else another writer was first
    LinkResult linked = LinkResult::AlreadyThere;
    Published published = Published::New;
    std::exception_ptr failure;

    template <typename Step>
    void attempt(Step step) {
        if (failure) return;
        try {
            step(*this);
        } catch (...) {
            failure = std::current_exception();
        }
    }
};

Published DiskStore::publish(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) {
    const NewArtifact artifact{recipe, description, outcome};
    const PublishResult result = publish_all({&artifact, 1}).front();
    if (const auto* failure = std::get_if<std::exception_ptr>(&result)) std::rethrow_exception(*failure);
    return std::get<Published>(result);
}

std::vector<PublishResult> DiskStore::publish_all(std::span<const NewArtifact> artifacts) {
    std::vector<Publication> group(artifacts.size());
    for (std::size_t i = 0; i < group.size(); ++i) {
        group[i].attempt([&](Publication& one) {
            one.image = make_artifact(artifacts[i].recipe, artifacts[i].description, artifacts[i].outcome, layout_());
            one.path = path_of(one.image.header.key);
        });
    }
    prepare(group);
    write(group);
    for (Publication& each : group) {
        each.attempt([&](Publication& one) {
            if (one.written) one.linked = staging_.link(*one.written, one.path);
        });
    }
    sync_names(group);

    for (Publication& each : group) {
        each.attempt([&](Publication& one) {
            if (one.linked == LinkResult::AlreadyThere) one.published = compare_or_replace(one.image, one.path);
        });
    }
    std::vector<PublishResult> results;
    const Index::Batch batch(index_);
    for (Publication& each : group) {
        each.attempt([&](Publication& one) {
            if (one.linked == LinkResult::Linked) index_artifact(one.image.header);
        });
        if (each.failure) results.emplace_back(each.failure);
        else results.emplace_back(each.published);
    }
    return results;
}

Published DiskStore::adopt(const ArtifactHeader& adopted, const fs::path& file) {
    std::vector<Publication> group(1);
    const fs::path path = group.front().path = path_of(adopted.key);
    prepare(group);
    if (group.front().failure) std::rethrow_exception(group.front().failure);
    const LinkResult linked = staging_.link(file, path);
    files_.sync_folder(path.parent_path());
    if (linked == LinkResult::AlreadyThere) {
        if (const auto first = header(adopted.key)) return same_or_different(*first, adopted.port_digests);
        throw FileError(ENOENT, "publish", path);  // it appeared and disappeared
    }
    index_artifact(adopted);
    return Published::New;
}

Published DiskStore::same_or_different(const ArtifactHeader& first, const PortDigests& ports) {
    index_artifact(first);
    return first.port_digests == ports ? Published::Same : Published::Different;
}

// Another writer was first; its artifact may be damaged, or disappear.
Published DiskStore::compare_or_replace(const ArtifactImage& image, const fs::path& path) {
    constexpr int kMaxTries = 3;
    for (int tries = 0; tries < kMaxTries; ++tries) {
        try {
            if (const auto first = header(image.header.key)) return same_or_different(*first, image.header.port_digests);
        } catch (const DamagedArtifact&) {
            if (tries > 0) throw;  // it could not be quarantined
        }
        const LinkResult linked = staging_.write_and_link(image.header.file_bytes, image.extents, path);
        files_.sync_folder(path.parent_path());
        if (linked == LinkResult::Linked) {
            index_artifact(image.header);
            return Published::New;
        }
    }
    throw FileError(ENOENT, "publish", path);  // it appears and disappears
}

// Makes the folders of objects durably, once per folder in this process: one that a process created before it died may not be durable
// yet.
void DiskStore::prepare(std::vector<Publication>& group) {
    std::set<fs::path> fresh;
    bool is_first = false;
    {
        const std::scoped_lock lock(mutex_);
        is_first = prepared_.empty();
        for (const Publication& one : group)
            if (!one.failure && !prepared_.contains(one.path.parent_path())) fresh.insert(one.path.parent_path());
    }
    if (fresh.empty()) return;
    const auto is_fresh = [&](const Publication& one) { return fresh.contains(one.path.parent_path()); };
    std::exception_ptr failure;
    try {
        staging_.prepare();
        files_.make_folders(folder_ / store_layout::kArtifacts);
        for (Publication& each : group)
            if (is_fresh(each)) each.attempt([&](Publication& one) { files_.make_folder(one.path.parent_path()); });
        files_.sync_folder(folder_ / store_layout::kArtifacts);
        files_.sync_folder(folder_);
        if (is_first) {
            sync_parent_folder();
            staging_.sweep();
        }
    } catch (...) {
        failure = std::current_exception();
    }
    const std::scoped_lock lock(mutex_);
    for (Publication& one : group) {
        if (one.failure || !is_fresh(one)) continue;
        if (failure) one.failure = failure;
        else prepared_.insert(one.path.parent_path());
    }
}

// Into tmp/, durably, unless the name is taken already.
void DiskStore::write(std::vector<Publication>& group) {
    std::vector<Draft> drafts;
    std::vector<Publication*> writers;
    for (Publication& each : group) {
        each.attempt([&](Publication& one) {
            if (files_.stamp(one.path)) return;
            drafts.push_back({one.path.filename().string(), one.image.header.file_bytes, one.image.extents});
            writers.push_back(&one);
        });
    }
    const std::vector<DraftResult> written = staging_.write_all(drafts);
    for (std::size_t i = 0; i < writers.size(); ++i) {
        if (const auto* failure = std::get_if<std::exception_ptr>(&written[i])) writers[i]->failure = *failure;
        else writers[i]->written = std::get<fs::path>(written[i]);
    }
}

// Each folder once; also where another writer was first, whose name may not be durable yet.
void DiskStore::sync_names(std::vector<Publication>& group) {
    std::set<fs::path> distinct;
    for (const Publication& one : group)
        if (!one.failure) distinct.insert(one.path.parent_path());
    const std::vector<fs::path> folders(distinct.begin(), distinct.end());
    const Failures failures = files_.sync_folders(folders);
    for (Publication& one : group) {
        if (one.failure) continue;
        const auto folder = std::ranges::lower_bound(folders, one.path.parent_path());
        one.failure = failures[static_cast<std::size_t>(folder - folders.begin())];
    }
}

// A user who may not open the folder above the store cannot have created the store there.
void DiskStore::sync_parent_folder() {
    try {
        const fs::path above = folder_.parent_path();
        files_.sync_folder(above.empty() ? "." : above);
    } catch (const FileError& error) {
        if (error.number() != EACCES) throw;
    }
}

void DiskStore::erase(const Digest& key) {
    index_.remove_artifact(key);
    files_.remove(path_of(key));
}

std::vector<Digest> DiskStore::keys() {
    std::vector<Digest> keys;
    const fs::path objects = folder_ / store_layout::kArtifacts;
    for (const std::string& two : files_.list(objects)) {
        for (const std::string& name : files_.list(objects / two)) {
            if (!name.ends_with(store_layout::kArtifactExtension)) continue;
            const auto key = Digest::from_hex(std::string_view(name).substr(0, name.size() - store_layout::kArtifactExtension.size()));
            if (key) keys.push_back(*key);
        }
    }
    return keys;
}

std::size_t DiskStore::reindex() {
    std::vector<ArtifactHeader> headers;
    for (const Digest& key : keys()) {
        try {
            headers.push_back(header_in(*files_.open(path_of(key)), key));
        } catch (const Error&) {  // damaged or unreadable: reported when it is used
        }
    }
    const Index::Batch batch(index_);
    for (const ArtifactHeader& header : headers) index_artifact(header);
    return headers.size();
}

void DiskStore::index_artifact(const ArtifactHeader& header) {
    index_.put_artifact(header.key, {header.port_digests, header.file_bytes, header.warnings});
}

}  // namespace satdl
