// The store on disk. Locks would only save work and could be left behind, so there are none: names that must not exist yet
// decide who was first, and the second one compares, which checks for free that the stage is deterministic.
#include "pipeline/store/store.h"

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

DiskStore::DiskStore(fs::path folder, FileSystem& files, Index& index, std::function<Hdf5LayoutFunction()> layout)
    : folder_(std::move(folder)), files_(files), index_(index), layout_(std::move(layout)), staging_(folder_ / store_layout::kStaging, files) {
    if (index_.rebuilt()) reindex();
}

fs::path DiskStore::path_of(const Digest& key) const {
    const std::string hex = key.hex();
    return folder_ / store_layout::kArtifacts / hex.substr(0, 2) / (hex + std::string(store_layout::kArtifactExtension));
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

std::optional<PortDigests> DiskStore::find(const Digest& key) {
    const auto row = index_.artifact(key);
    const auto found = files_.stamp(path_of(key));
    if (row && found && row->file_bytes == found->bytes) return row->ports;
    if (row) index_.remove_artifact(key);
    if (!found) return std::nullopt;
    try {
        const auto read = header(key);
        if (!read) return std::nullopt;
        index_artifact(*read);
        return read->port_digests;
    } catch (const DamagedArtifact&) {
        return std::nullopt;
    }
}

std::vector<std::string> DiskStore::warnings(const Digest& key) {
    auto row = index_.artifact(key);
    return row ? std::move(row->warnings) : std::vector<std::string>();
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

Published DiskStore::publish(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) {
    const ArtifactImage image = make_artifact(recipe, description, outcome, layout_());
    const Digest key = image.header.key;
    const fs::path path = path_of(key);
    prepare(path.parent_path());
    for (int tries = 0;; ++tries) {
        const LinkResult linked = files_.stamp(path)
                                      ? LinkResult::AlreadyThere
                                      : staging_.write_and_link(image.header.file_bytes, image.extents, path);
        files_.sync_folder(path.parent_path());
        if (linked == LinkResult::Linked) {
            index_artifact(image.header);
            return Published::New;
        }
        try {
            const auto first = header(key);
            if (first) {
                index_artifact(*first);
                return first->port_digests == image.header.port_digests ? Published::Same : Published::Different;
            }
        } catch (const DamagedArtifact&) {
            if (tries > 0) throw;  // it could not be quarantined
        }
        if (tries > 2) throw FileError(ENOENT, "publish", path);  // it appears and disappears
    }
}

// Once per folder in this process: a folder that a process created before it died may not be durable yet.
void DiskStore::prepare(const fs::path& object_folder) {
    bool is_first = false;
    {
        const std::scoped_lock lock(mutex_);
        if (prepared_.contains(object_folder)) return;
        is_first = prepared_.empty();
    }
    staging_.prepare();
    files_.make_folders(object_folder);
    files_.sync_folder(object_folder.parent_path());
    files_.sync_folder(folder_);
    if (is_first) {
        sync_parent_folder();
        staging_.sweep();
    }
    const std::scoped_lock lock(mutex_);
    prepared_.insert(object_folder);
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
