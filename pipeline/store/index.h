// What can be looked up quickly, in SQLite: which artifacts exist, digests of source files with what stat said of them, what their headers
// say, the history of stages, summaries of runs. Disposable: deleted or damaged, it is rebuilt from the artifacts and the run records.
//
// SQLite: rollback journal, synchronous FULL; its WAL mode has a corrupting race before 3.51.3, and Debian has 3.40.1.
// A no-op run writes nothing here, and the file is made by the first write. Nothing here ever fails: where the file cannot
// be used (read-only, a full disk, a lock that another process never releases), a private one in memory takes its place.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/core/digest.h"
#include "pipeline/os/file_system.h"
#include "pipeline/stage.h"
#include "pipeline/store/recipe.h"

namespace satdl {

class IndexDatabase;

struct IndexedArtifact {
    PortDigests ports;
    std::uint64_t file_bytes = 0;
    std::vector<std::string> warnings{};
};

// How a stage of a DAG ended when it last ran or was reused.
struct StageHistory {
    Digest key;
    Recipe recipe;
    double seconds = 0;           // of the last time that it ran (0: it never ran)
    std::uint64_t peak_bytes = 0;
};

class Index {
public:
    // A file that is damaged or has another format is renamed to `<file>.damaged-<n>`, now or when that is detected.
    explicit Index(const std::filesystem::path& file);
    ~Index();
    Index(const Index&) = delete;
    Index& operator=(const Index&) = delete;

    // It was empty: the store then fills it.
    [[nodiscard]] bool rebuilt() const;
    // Why the file on disk is not, or was not, used; for a warning.
    [[nodiscard]] std::optional<std::string> problem() const;

    [[nodiscard]] std::optional<IndexedArtifact> artifact(const Digest& key);
    void put_artifact(const Digest& key, const IndexedArtifact& object);
    void remove_artifact(const Digest& key);

    [[nodiscard]] std::optional<Digest> file_digest(const std::filesystem::path& path, const FileStamp& identity);
    void put_file_digest(const std::filesystem::path& path, const FileStamp& identity, const Digest& digest);

    // Of the array `name` in a source file with this content.
    [[nodiscard]] std::optional<ArrayType> array_type(const Digest& content, const std::string& name);
    void put_array_type(const Digest& content, const std::string& name, const ArrayType& type);

    // What run_summary.h makes of the run's record, whose file has this stamp.
    [[nodiscard]] std::optional<std::string> run_summary(const std::string& run, const FileStamp& record);
    void put_run_summary(const std::string& run, const FileStamp& record, const std::string& summary);

    // Texts of others, by names of theirs: what is known of a remote (remote/remote_memory.h).
    [[nodiscard]] std::optional<std::string> note(const std::string& name);
    void put_note(const std::string& name, const std::string& text);
    void remove_note(const std::string& name);

    [[nodiscard]] std::optional<StageHistory> history(const std::string& dag, const std::string& stage);
    void put_history(const std::string& dag, const std::string& stage, const StageHistory& history);
    // Seconds of the last run under this key or, failing that, of the same kind of stage in any DAG.
    [[nodiscard]] std::optional<double> seconds(const Digest& key, const std::string& kind);

    // Within a batch, before a slow operation: commits; the next use begins another transaction.
    void commit_so_far();

    // Many lookups or writes as one transaction, which ends with the Batch: for bursts (a plan, a reindex), since other
    // processes cannot write meanwhile. Nested ones count as the outermost.
    class Batch {
    public:
        explicit Batch(Index& index);
        ~Batch();
        Batch(const Batch&) = delete;
        Batch& operator=(const Batch&) = delete;
    private:
        Index& index_;
    };

private:
    std::unique_ptr<IndexDatabase> file_;  // guarded by its own mutex: every call is safe from any thread
};

}  // namespace satdl
