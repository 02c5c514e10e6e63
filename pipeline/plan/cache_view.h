// What a plan may query: the store and its index.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "pipeline/plan/plan.h"
#include "pipeline/store/source_digest.h"
#include "pipeline/store/store.h"

namespace satdl {

class StoreCacheView final : public CacheView {
public:
    // `final_checkpoints`: null if they are not used.
    StoreCacheView(std::string dag, Store& store, Index& index, FileSystem& files, CheckpointStore& checkpoints,
                   CheckpointStore* final_checkpoints)
        : dag_(std::move(dag)), store_(store), index_(index), files_(files), checkpoints_(checkpoints), final_checkpoints_(final_checkpoints) {}

    [[nodiscard]] std::optional<StoredOutput> outcome(const Digest& key) override { return store_.find(key); }
    [[nodiscard]] bool is_slow() const override { return store_.is_slow(); }
    void look_up(std::span<const Digest> keys) override { store_.look_up(keys); }
    [[nodiscard]] std::optional<PreviousRun> previous_run(const Node& node) override;
    [[nodiscard]] bool is_state_of_last_run(const Digest& state) override;
    [[nodiscard]] Digest file_digest(const SourceFile& file) override { return source_digest(file, index_, files_); }
    [[nodiscard]] std::optional<FileStamp> file_stamp(const SourceFile& file) override { return source_stamp(file, files_); }
    [[nodiscard]] std::optional<double> expected_seconds(const Digest& key, const std::string& kind) override {
        return index_.seconds(key, kind);
    }
    [[nodiscard]] std::optional<CheckpointPosition> checkpoint(const Digest& key) override { return checkpoints_.newest(key); }
    [[nodiscard]] std::optional<CheckpointPosition> final_checkpoint(const Continuation& continuation) override {
        return final_checkpoints_ == nullptr ? std::nullopt : final_checkpoints_->newest(key_of(continuation.base_recipe), continuation.target);
    }

private:
    const std::string dag_;
    Store& store_;
    Index& index_;
    FileSystem& files_;
    CheckpointStore& checkpoints_;
    CheckpointStore* const final_checkpoints_;
};

// For a run that ignores stored results: what it computed itself, and source files as they are now.
class EmptyCacheView final : public CacheView {
public:
    EmptyCacheView(Store& store, FileSystem& files) : store_(store), files_(files) {}

    [[nodiscard]] std::optional<StoredOutput> outcome(const Digest& key) override { return store_.find(key); }
    [[nodiscard]] std::optional<PreviousRun> previous_run(const Node&) override { return std::nullopt; }
    // Read again only if stat says that it may have changed.
    [[nodiscard]] Digest file_digest(const SourceFile& file) override;
    [[nodiscard]] std::optional<FileStamp> file_stamp(const SourceFile& file) override { return source_stamp(file, files_); }
    [[nodiscard]] std::optional<double> expected_seconds(const Digest&, const std::string&) override { return std::nullopt; }

private:
    Store& store_;
    FileSystem& files_;
    std::map<std::filesystem::path, std::pair<FileStamp, Digest>> read_;
};

}  // namespace satdl
