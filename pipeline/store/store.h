// What a store of outputs promises, and the one on disk.
//
// objects/ab/<key>.h5 is immutable, and the first writer wins. What else is in a store's folder: layout.h.
//
// An object is written to tmp/, made durable, given its name (which must not exist yet), and the folder is made durable; its
// row in the index comes last. So a process that dies in between leaves nothing that looks like a result. Several that are published
// together take each of these steps together: the disk makes all their bytes durable at once, then all their names.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "pipeline/store/artifact.h"
#include "pipeline/store/index.h"
#include "pipeline/store/staging.h"

namespace satdl {

enum class Published {
    New,       // it is stored now, durably
    Same,      // another writer was first, with the same digests
    Different, // ... with other digests: the stage is not deterministic; the first one stays
};

// What the store tells of an output without reading it.
struct StoredOutput {
    PortDigests ports;
    std::vector<std::string> warnings;  // of the stage, when it made the output
    bool is_remote = false;             // its bytes are elsewhere, and come when it is loaded
};

// An output to be published; borrowed.
struct NewArtifact {
    const Recipe& recipe;
    const StageDescription& description;
    const StageOutput& outcome;
};
using PublishResult = std::variant<Published, std::exception_ptr>;  // the latter: why it could not be written

// Safe from any thread.
class Store {
public:
    virtual ~Store() = default;
    // nullopt if the store does not have it. Does not read the tensors.
    [[nodiscard]] virtual std::optional<StoredOutput> find(const Digest& key) = 0;
    // The whole header. Throws DamagedArtifact (then it has been quarantined); nullopt if absent.
    [[nodiscard]] virtual std::optional<ArtifactHeader> header(const Digest& key) = 0;
    // The outcome, mapped; every byte verified at the first load in this process. Throws DamagedArtifact (quarantined).
    [[nodiscard]] virtual std::optional<StageOutput> load(const Digest& key) = 0;
    // Durable when it returns. Throws FileError if it could not be written.
    virtual Published publish(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) = 0;
    // Each as publish() does, but they may wait for the disk together; what became of each, in their order.
    [[nodiscard]] virtual std::vector<PublishResult> publish_all(std::span<const NewArtifact> artifacts);
    [[nodiscard]] virtual std::vector<Digest> keys() = 0;
    [[nodiscard]] virtual std::filesystem::path path_of(const Digest& key) const = 0;  // where its file is, or will be

    // ---- of a store that has a remote (remote/remote_store.h); any other has everything here ----

    // Whether find() may take as long as a network does. Then keys that are known together are better looked up together, before.
    [[nodiscard]] virtual bool is_slow() const { return false; }
    virtual void look_up(std::span<const Digest> /*keys*/) {}
    // Makes the files of these outputs be where path_of() says, as far as they can be had. Throws FileError if they cannot be written.
    virtual void fetch(std::span<const Digest> /*keys*/) {}
    // Of an output that find() has: whether its file is here.
    [[nodiscard]] virtual bool is_here(const Digest& /*key*/) { return true; }
    // Another process has stored this output for this run: it is uploaded like one that was published here.
    virtual void stored_by_another(const Digest& /*key*/) {}
};

class DiskStore final : public Store {
public:
    // `layout`: gives the HDF5 writer when the first object is written (see hdf5_layout.h).
    DiskStore(std::filesystem::path folder, FileSystem& files, Index& index, std::function<Hdf5LayoutFunction()> layout);

    [[nodiscard]] std::optional<StoredOutput> find(const Digest& key) override;
    [[nodiscard]] std::optional<ArtifactHeader> header(const Digest& key) override;
    [[nodiscard]] std::optional<StageOutput> load(const Digest& key) override;
    Published publish(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) override;
    [[nodiscard]] std::vector<PublishResult> publish_all(std::span<const NewArtifact> artifacts) override;
    [[nodiscard]] std::vector<Digest> keys() override;
    [[nodiscard]] std::filesystem::path path_of(const Digest& key) const override;

    // An artifact's file as another store had it, complete, durable and verified, in this store's tmp/: it gets its name, unless there is
    // an artifact of its key. Either way it leaves tmp/. Throws FileError.
    Published adopt(const ArtifactHeader& header, const std::filesystem::path& file);

    // Absent is fine. Only with the store locked exclusively (store_lock.h).
    void erase(const Digest& key);

    // Fills the index from the objects' headers; returns how many.
    std::size_t reindex();

private:
    template <typename Function>
    auto guarded(const Digest& key, Function read) -> decltype(read(std::declval<File&>()));
    [[nodiscard]] bool is_verified(const Digest& key, const FileStamp& stamp);
    struct Publication;
    void prepare(std::vector<Publication>& group);
    [[nodiscard]] Published same_or_different(const ArtifactHeader& first, const PortDigests& ports);
    void write(std::vector<Publication>& group);
    void sync_names(std::vector<Publication>& group);
    [[nodiscard]] Published compare_or_replace(const ArtifactImage& image, const std::filesystem::path& path);
    void sync_parent_folder();
    void index_artifact(const ArtifactHeader& header);

    const std::filesystem::path folder_;
    FileSystem& files_;
    Index& index_;
    const std::function<Hdf5LayoutFunction()> layout_;
    Staging staging_;
    std::mutex mutex_;
    // Guarded by mutex_:
    std::map<Digest, FileStamp> verified_;        // by this process, and of which file
    std::set<std::filesystem::path> prepared_;       // folders of objects that are there durably
};

}  // namespace satdl
