// A remote as a cache of artifacts: looked up by key, downloaded, uploaded. What it says is checked, and whatever it does costs no more
// than the work that it would have saved: a record that nobody who is trusted has signed, an artifact with other bytes than its record
// says or none at all are misses; a remote that does not answer is left alone for a while (breaker.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipeline/remote/breaker.h"
#include "pipeline/remote/record.h"
#include "pipeline/remote/remote_memory.h"
#include "pipeline/remote/remote_use.h"
#include "pipeline/remote/transport.h"

namespace satdl {

struct RemotePolicy {
    RecordTrust trust{};
    std::optional<SigningKey> key{};  // what signs uploads, and is trusted; without it there are none, unless trust.everyone
    bool refresh = false;             // what is known of earlier runs is not used
    bool required = false;            // a remote that does not answer is an error
};

// An artifact of the store, to be uploaded. Every byte of it was verified.
struct LocalArtifact {
    ArtifactHeader header;
    MappedFile file;
};
enum class UploadResult {
    Done,
    Later,  // it may succeed another time
    Never,  // the remote does not take it
};

// Safe from any thread. What it warns of, it warns of once.
class RemoteCache {
public:
    struct World {
        std::function<double()> now;         // seconds, from an arbitrary start
        std::function<bool()> is_stopped;    // the user wants to stop: then it is not the remote that fails
        std::function<void(const std::string&)> warn;
    };
    RemoteCache(std::unique_ptr<Transport> transport, RemotePolicy policy, RemoteMemory memory, World world);

    // Those that are not known yet, together. Throws Error{Store} if the remote is required and does not answer.
    void look_up(std::span<const Digest> keys);
    // Looks it up if it is not known; null if the remote does not have it. Throws as look_up().
    [[nodiscard]] std::shared_ptr<const RemoteRecord> find(const Digest& key);

    // Downloads those that were found into `folder`. Each that is durable there, whole, and what its record says goes to `take`, in this
    // thread. What is not is forgotten: it counts as never found. Throws what cannot be written in the folder, what `take` throws, and as
    // look_up().
    void download(std::span<const Digest> keys, const std::filesystem::path& folder,
                  const std::function<void(const RemoteRecord&, const std::filesystem::path&)>& take);

    // Whether there may be any: the user has a key, and the remote has refused none so far.
    [[nodiscard]] bool takes_uploads();
    [[nodiscard]] bool answers() { return breaker_.allows(); }  // as far as is known
    // By position.
    [[nodiscard]] std::vector<UploadResult> upload(std::span<const LocalArtifact> artifacts);

    [[nodiscard]] RemoteMemory& memory() { return memory_; }
    [[nodiscard]] const std::string& place() const { return transport_->place(); }
    void count_lost_uploads(std::size_t count, const std::string& why);
    [[nodiscard]] RemoteUse use();
    [[nodiscard]] bool required() const { return policy_.required; }

private:
    using Record = std::shared_ptr<const RemoteRecord>;
    using Take = std::function<void(const RemoteRecord&, const std::filesystem::path&)>;

    [[nodiscard]] const RecordTrust& trust();
    [[nodiscard]] std::vector<Digest> unknown_of(std::span<const Digest> keys);
    [[nodiscard]] bool remember(const Digest& key);
    [[nodiscard]] Record known(const Digest& key);
    void ask(std::span<const Digest> keys);
    void take_record(const Digest& key, const std::string& bytes);
    void refuse_record(const Digest& key, RefusedRecord refused);
    [[nodiscard]] std::vector<Record> download_some(std::span<const Record> records, const std::filesystem::path& folder, const Take& take);
    void forget_artifact(const RemoteRecord& record, std::string_view why);
    [[nodiscard]] std::vector<std::string> signatures_for(const RemoteRecord& record);
    [[nodiscard]] bool went_on(const Transfer& transfer);
    [[nodiscard]] bool may(bool RemoteCache::* what);
    void warn_once(const std::string& about, const std::string& text);
    void fail_if_required(std::size_t lost);

    const std::unique_ptr<Transport> transport_;
    const RemotePolicy policy_;
    RemoteMemory memory_;
    const World world_;
    std::atomic<std::uint64_t> staged_{0};  // for names
    std::once_flag trust_made_;
    RecordTrust trust_;  // once that is set
    Breaker breaker_;
    std::mutex mutex_;
    // Guarded by mutex_:
    std::unordered_map<Digest, Record> known_;        // null: the remote does not have it
    std::set<Digest> lost_;                           // keys that could not be looked up
    std::map<Digest, RefusedRecord> refused_;         // records that are to be replaced
    std::set<Digest> refused_blobs_;                  // SHA-256 of artifacts that are to be replaced
    std::set<std::string> warned_;
    RemoteUse use_;
    bool may_read_ = true, may_write_ = true;
};

}  // namespace satdl
