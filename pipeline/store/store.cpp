// The store on disk. Locks would only save work and can be left behind, so there are none: names that must not exist yet
// decide who was first, and the one who was second compares, which checks for free that the stage is deterministic.
#include "pipeline/store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".h5";

}  // namespace

DiskStore::DiskStore(fs::path folder, FileSystem& files, Index& index, std::function<Hdf5LayoutFunction()> layout)
    : folder_(std::move(folder)), files_(files), index_(index), layout_(std::move(layout)), staging_(folder_ / "tmp", files) {
    if (index_.rebuilt()) reindex();
}

fs::path DiskStore::path_of(const Digest& key) const {
    const std::string hex = key.hex();
    return folder_ / "objects" / hex.substr(0, 2) / (hex + std::string(kExtension));
}

// What `read` finds in the key's object; nothing where there is none, also where it vanishes meanwhile. A damaged one is
// quarantined on the way out.
template <typename Function>
auto DiskStore::guarded(const Digest& key, Function read) -> decltype(read(FileStamp())) {
    const auto found = files_.stamp(path_of(key));
    if (!found) return std::nullopt;
    try {
        return read(*found);
    } catch (const DamagedArtifact&) {
        quarantine(key, *found);
        throw;
    } catch (const FileError& error) {
        if (error.number() == ENOENT) return std::nullopt;
        throw;
    }
}

ArtifactHeader DiskStore::header_of(const Digest& key) {
    const fs::path path = path_of(key);
    ArtifactHeader header = read_header(files_, path);
    if (header.key != key) throw DamagedArtifact(path, "it is the artifact of another key, " + header.key.hex());
    return header;
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

std::optional<ArtifactHeader> DiskStore::header(const Digest& key) {
    return guarded(key, [&](const FileStamp&) { return std::optional(header_of(key)); });
}

std::optional<StageOutput> DiskStore::load(const Digest& key) {
    return guarded(key, [&](const FileStamp& found) {
        const ArtifactHeader header = header_of(key);
        const MappedFile file = files_.map(path_of(key));
        const auto verified = [&]() -> std::optional<FileStamp> {
            const std::scoped_lock lock(mutex_);
            const auto known = verified_.find(key);
            return known == verified_.end() ? std::nullopt : std::optional(known->second);
        }();
        if (!verified || files_.stamp(path_of(key)) != verified) {
            verify_artifact(header, file.bytes, path_of(key));
            const std::scoped_lock lock(mutex_);
            verified_[key] = found;
        }
        return std::optional(view_artifact(header, file));
    });
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
            if (tries > 0) throw;  // it could not be moved away
        }
        if (tries > 2) throw FileError(ENOENT, "keep", path);  // it comes and goes
    }
}

// Once for each folder in this process: a folder that another process made, and died, may not be durable yet.
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
        sync_own_name();
        keep_out_of_git();
        staging_.sweep();
    }
    const std::scoped_lock lock(mutex_);
    prepared_.insert(object_folder);
}

// Who may not open the folder above the store cannot have made the store there.
void DiskStore::sync_own_name() {
    try {
        const fs::path above = folder_.parent_path();
        files_.sync_folder(above.empty() ? "." : above);
    } catch (const FileError& error) {
        if (error.number() != EACCES) throw;
    }
}

// A store is no part of the user's repository. In a folder that holds other things too, what Git sees is the user's
// business.
void DiskStore::keep_out_of_git() {
    constexpr std::array<std::string_view, 6> kOurs{"checkpoints", "index.sqlite", "index.sqlite-journal",
                                                    "objects",     "runs",         "tmp"};
    for (const std::string& name : files_.list(folder_)) {
        if (std::ranges::find(kOurs, name) == kOurs.end()) return;
    }
    const std::string everything = "*\n";
    const std::array extents{Extent{0, std::as_bytes(std::span(everything))}};
    try {
        files_.write_new(folder_ / ".gitignore", everything.size(), extents);
    } catch (const FileError& error) {
        if (error.number() != EEXIST) throw;
    }
}

// Does nothing where another process has put a new object there meanwhile. Where it cannot be moved, it stays, and is found
// again: it is never used.
void DiskStore::quarantine(const Digest& key, const FileStamp& found) {
    index_.remove_artifact(key);
    try {
        const fs::path folder = folder_ / "quarantine";
        const auto now = files_.stamp(path_of(key));
        if (!now || now->device != found.device || now->inode != found.inode) return;
        files_.make_folders(folder);
        int n = 1;
        const auto name = [&] { return folder / fmt::format("{}.{}{}", key.hex(), n, kExtension); };
        while (files_.stamp(name())) ++n;
        files_.rename(path_of(key), name());
    } catch (const FileError&) {
    }
}

void DiskStore::erase(const Digest& key) {
    index_.remove_artifact(key);
    files_.remove(path_of(key));
}

std::vector<Digest> DiskStore::keys() {
    std::vector<Digest> keys;
    const fs::path objects = folder_ / "objects";
    for (const std::string& two : files_.list(objects)) {
        for (const std::string& name : files_.list(objects / two)) {
            if (!name.ends_with(kExtension)) continue;
            const auto key = Digest::from_hex(std::string_view(name).substr(0, name.size() - kExtension.size()));
            if (key) keys.push_back(*key);
        }
    }
    return keys;
}

std::size_t DiskStore::reindex() {
    std::vector<ArtifactHeader> headers;
    for (const Digest& key : keys()) {
        try {
            headers.push_back(header_of(key));
        } catch (const Error&) {  // damaged or unreadable: told when it is asked for
        }
    }
    const Index::Batch batch(index_);
    for (const ArtifactHeader& header : headers) index_artifact(header);
    return headers.size();
}

void DiskStore::index_artifact(const ArtifactHeader& header) {
    index_.put_artifact(header.key, {header.port_digests, header.file_bytes});
}

}  // namespace satdl
