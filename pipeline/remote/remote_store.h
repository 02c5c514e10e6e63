// A store on disk with a remote behind it. What the store has is used as if there were no remote; what only the remote has counts as
// stored, and its bytes come when somebody reads them. What is published goes to the store, and later to the remote.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "pipeline/remote/pending_uploads.h"
#include "pipeline/remote/remote_cache.h"
#include "pipeline/remote/upload_queue.h"
#include "pipeline/store/open_store.h"

namespace satdl {

class RemoteStore final : public Store {
public:
    // Both borrowed.
    RemoteStore(OpenStore& local, RemoteCache& remote);

    [[nodiscard]] std::optional<StoredOutput> find(const Digest& key) override;
    [[nodiscard]] std::optional<ArtifactHeader> header(const Digest& key) override;
    [[nodiscard]] std::optional<StageOutput> load(const Digest& key) override;
    Published publish(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) override;
    [[nodiscard]] std::vector<PublishResult> publish_all(std::span<const NewArtifact> artifacts) override;
    [[nodiscard]] std::vector<Digest> keys() override { return local_.store().keys(); }
    [[nodiscard]] std::filesystem::path path_of(const Digest& key) const override { return local_.store().path_of(key); }

    [[nodiscard]] bool is_slow() const override { return true; }
    void look_up(std::span<const Digest> keys) override;
    void fetch(std::span<const Digest> keys) override;
    [[nodiscard]] bool is_here(const Digest& key) override;
    void stored_by_another(const Digest& key) override;

    // Uploads what an earlier run could not, later.
    void upload_what_is_left();
    [[nodiscard]] std::size_t waiting_uploads() { return uploads_.waiting(); }
    // As UploadQueue::finish(). What is left is remembered.
    void finish_uploads(std::chrono::milliseconds patience, const std::function<void()>& abandon);

private:
    void note_uploads(std::span<const Digest> keys);
    [[nodiscard]] std::vector<UploadResult> upload_now(std::span<const Digest> keys);

    OpenStore& local_;
    RemoteCache& remote_;
    PendingUploads pending_;
    UploadQueue uploads_;
};

}  // namespace satdl
