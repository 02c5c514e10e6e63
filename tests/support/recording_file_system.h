// A file system around the real one that records, event by event, what a disk would hold after a power failure: the bytes
// of a file only once they are synced, a name only once its folder is. What each call makes durable is what file_system.h
// promises, no more. For one thread.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/os/file_system.h"
#include "tests/support/temp_folder.h"

namespace satdl::test {

enum class Inode { Folder, File, Link };

struct DiskEvent {
    enum class Kind {
        Make,        // a new inode under `path`
        Link,        // `path` names the inode that `from` names
        Move,        // ... and `from` no longer exists
        Remove,      // `path` no longer exists
        Write,       // `bytes` at the file's end
        SyncFile,    // the bytes of the file `path` are durable
        SyncFolder,  // the names in the folder `path` are durable
    };
    Kind kind;
    std::string path;
    std::string from{};
    Inode inode = Inode::File;
    std::string bytes{};  // of a link: its target
};

class RecordingFileSystem final : public FileSystem {
public:
    // A sync that is ignored: as if satdl had left it out.
    enum class Sync { Folder, File };
    using Forgets = std::function<bool(Sync, const std::filesystem::path&)>;

    RecordingFileSystem(FileSystem& below, std::filesystem::path root, Forgets forgets)
        : below_(below), root_(std::move(root)), forgets_(std::move(forgets)) {}

    [[nodiscard]] const std::vector<DiskEvent>& events() const { return events_; }

    std::optional<FileStamp> stamp(const std::filesystem::path& path) override { return below_.stamp(path); }
    std::unique_ptr<File> open(const std::filesystem::path& path) override { return below_.open(path); }
    std::vector<std::string> list(const std::filesystem::path& folder) override { return below_.list(folder); }
    std::uint64_t free_bytes(const std::filesystem::path& folder) override { return below_.free_bytes(folder); }

    void write_new(const std::filesystem::path& path, std::uint64_t size, std::span<const Extent> extents) override {
        below_.write_new(path, size, extents);
        note_new(path);
        sync(Sync::File, path);
    }
    // The syncs come last, as they may where all are written at once.
    Failures write_all_new(std::span<const NewFile> files) override {
        Failures failures(files.size());
        for (std::size_t i = 0; i < files.size(); ++i) {
            try {
                below_.write_new(files[i].path, files[i].bytes, files[i].extents);
                note_new(files[i].path);
            } catch (...) {
                failures[i] = std::current_exception();
            }
        }
        for (std::size_t i = 0; i < files.size(); ++i)
            if (!failures[i]) sync(Sync::File, files[i].path);
        return failures;
    }
    LinkResult link_new(const std::filesystem::path& from, const std::filesystem::path& to) override {
        const LinkResult result = below_.link_new(from, to);
        if (result == LinkResult::Linked) note({.kind = DiskEvent::Kind::Link, .path = name(to), .from = name(from)});
        return result;
    }
    void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
        below_.rename(from, to);
        note({.kind = DiskEvent::Kind::Move, .path = name(to), .from = name(from)});
    }
    void remove(const std::filesystem::path& path) override {
        const bool was_there = below_.stamp(path).has_value();
        below_.remove(path);
        if (was_there) note({.kind = DiskEvent::Kind::Remove, .path = name(path)});
    }
    void sync_folder(const std::filesystem::path& folder) override {
        below_.sync_folder(folder);
        sync(Sync::Folder, folder);
    }
    void make_folders(const std::filesystem::path& folder) override {
        std::vector<std::filesystem::path> missing;
        for (auto at = folder; at != root_ && !below_.stamp(at); at = at.parent_path()) missing.push_back(at);
        below_.make_folders(folder);
        for (auto made = missing.rbegin(); made != missing.rend(); ++made) {
            note({.kind = DiskEvent::Kind::Make, .path = name(*made), .inode = Inode::Folder});
            sync(Sync::Folder, made->parent_path());
        }
    }
    void make_folder(const std::filesystem::path& folder) override {
        const bool was_there = below_.stamp(folder).has_value();
        below_.make_folder(folder);
        if (!was_there) note({.kind = DiskEvent::Kind::Make, .path = name(folder), .inode = Inode::Folder});
    }
    void append(const std::filesystem::path& path, std::string_view text, bool durable) override {
        const auto before = below_.stamp(path);
        below_.append(path, text, durable);
        if (!before) note({.kind = DiskEvent::Kind::Make, .path = name(path)});
        note({.kind = DiskEvent::Kind::Write, .path = name(path), .bytes = std::string(text)});
        if (!durable) return;
        sync(Sync::File, path);
        if (!before || before->bytes == 0) sync(Sync::Folder, path.parent_path());
    }
    void point_link(const std::filesystem::path& target, const std::filesystem::path& link) override {
        std::error_code none;
        const bool is_new = std::filesystem::read_symlink(link, none) != target;
        below_.point_link(target, link);
        if (is_new) note({.kind = DiskEvent::Kind::Make, .path = name(link), .inode = Inode::Link, .bytes = target.string()});
    }

private:
    [[nodiscard]] std::string name(const std::filesystem::path& path) const { return path.lexically_relative(root_).string(); }
    void note_new(const std::filesystem::path& path) {
        note({.kind = DiskEvent::Kind::Make, .path = name(path)});
        note({.kind = DiskEvent::Kind::Write, .path = name(path), .bytes = file_text(path)});
    }
    void note(DiskEvent event) { events_.push_back(std::move(event)); }
    void sync(Sync what, const std::filesystem::path& path) {
        if (forgets_ && forgets_(what, path)) return;
        note({.kind = what == Sync::File ? DiskEvent::Kind::SyncFile : DiskEvent::Kind::SyncFolder, .path = name(path)});
    }

    FileSystem& below_;
    const std::filesystem::path root_;
    const Forgets forgets_;
    std::vector<DiskEvent> events_;
};

// What a power cut makes of bytes that were written and not synced.
enum class Torn { Lost, Whole, Half, Zeros, OddSectors };
inline constexpr std::array kTorn{Torn::Lost, Torn::Whole, Torn::Half, Torn::Zeros, Torn::OddSectors};

// A disk after some events: what is durable, and what is pending.
class Disk {
public:
    // Path -> kind, then a file's bytes or a link's target.
    using Image = std::map<std::string, std::pair<Inode, std::string>>;

    void take(const DiskEvent& event) {
        using Kind = DiskEvent::Kind;
        if (event.kind == Kind::SyncFile) {
            File& file = files_[names_.at(event.path)];
            file.durable = file.now;
        } else if (event.kind == Kind::Write) {
            files_[names_.at(event.path)].now += event.bytes;
        } else if (event.kind == Kind::SyncFolder) {
            sync_names(event.path);
        } else {
            take_name(event);
        }
    }

    [[nodiscard]] std::size_t pending() const { return pending_.size(); }
    // The pending changes of names that are `chosen` have reached the disk, the others not.
    [[nodiscard]] Image image(const std::vector<bool>& chosen, Torn torn) const {
        auto names = durable_;
        for (std::size_t i = 0; i < pending_.size(); ++i) {
            if (chosen[i]) apply(pending_[i], names);
        }
        Image image;
        for (const auto& [path, file] : names) {
            if (is_reachable(path, names)) image.emplace(path, std::pair(files_[file].inode, after_cut(files_[file], torn)));
        }
        return image;
    }
    [[nodiscard]] bool has_torn() const {
        return std::ranges::any_of(files_, [](const File& file) { return file.now != file.durable; });
    }

private:
    struct File {
        Inode inode = Inode::File;
        std::string now, durable;
    };
    struct Change {  // of a name; a move is one change of two names
        std::string path;
        std::optional<std::size_t> file;
        std::string gone{};  // a move's other name
    };
    using Names = std::map<std::string, std::size_t>;

    void take_name(const DiskEvent& event) {
        Change change{event.path, std::nullopt};
        if (event.kind == DiskEvent::Kind::Make) {
            change.file = files_.size();
            const bool is_file = event.inode == Inode::File;
            files_.push_back({event.inode, is_file ? "" : event.bytes, is_file ? "" : event.bytes});
        } else if (event.kind != DiskEvent::Kind::Remove) {
            change.file = names_.at(event.from);
            if (event.kind == DiskEvent::Kind::Move) change.gone = event.from;
        }
        apply(change, names_);
        pending_.push_back(std::move(change));
    }
    static void apply(const Change& change, Names& names) {
        if (!change.gone.empty()) names.erase(change.gone);
        if (change.file) names[change.path] = *change.file;
        else names.erase(change.path);
    }
    static std::string folder_of(const std::string& path) {
        const auto slash = path.rfind('/');
        return slash == std::string::npos ? "." : path.substr(0, slash);
    }
    void sync_names(const std::string& folder) {
        std::vector<Change> left;
        for (Change& change : pending_) {
            if (folder_of(change.path) == folder) apply(change, durable_);
            else left.push_back(std::move(change));
        }
        pending_ = std::move(left);
    }
    static bool is_reachable(const std::string& path, const Names& names) {
        const std::string folder = folder_of(path);
        return folder == "." || (names.contains(folder) && is_reachable(folder, names));
    }
    static std::string after_cut(const File& file, Torn torn) {
        std::string bytes = file.now;
        const std::size_t kept = file.durable.size();
        if (torn == Torn::Lost) return file.durable;
        if (torn == Torn::Half) bytes.resize(kept + (bytes.size() - kept) / 2);
        for (std::size_t i = kept; i < bytes.size(); ++i) {
            if (torn == Torn::Zeros || (torn == Torn::OddSectors && i / 512 % 2 == 1)) bytes[i] = '\0';
        }
        return bytes;
    }

    std::vector<File> files_;
    Names names_;    // as a program sees them
    Names durable_;
    std::vector<Change> pending_;
};

// Which of `count` pending changes may have reached the disk: every subset of the last `all_of`, with all those before them or none;
// every prefix; each one alone.
template <typename Use>
void for_subsets(std::size_t count, std::size_t all_of, const Use& use) {
    const std::size_t last = std::min(count, all_of);
    for (const bool before : {false, true}) {
        for (std::size_t bits = 0; bits < std::size_t{1} << last; ++bits) {
            std::vector<bool> chosen(count, before);
            for (std::size_t i = 0; i < last; ++i) chosen[count - last + i] = (bits >> i & 1) != 0;
            use(chosen);
        }
        if (count == last) return;
    }
    for (std::size_t i = 0; i < count; ++i) {
        std::vector<bool> prefix(count, false), single(count, false);
        std::fill_n(prefix.begin(), i, true);
        single[i] = true;
        use(prefix);
        use(single);
    }
}

inline void write_image(const Disk::Image& image, const std::filesystem::path& root) {
    for (const auto& [path, content] : image) {  // sorted: a folder before what is in it
        const auto& [inode, bytes] = content;
        if (inode == Inode::Folder) std::filesystem::create_directories(root / path);
        if (inode == Inode::File) write_text(root / path, bytes);
        if (inode == Inode::Link) std::filesystem::create_symlink(bytes, root / path);
    }
}

}  // namespace satdl::test
