// What a plan may know, from the store and its index.
#pragma once

#include <string>

#include "pipeline/plan/plan.h"
#include "pipeline/store/source_digest.h"
#include "pipeline/store/store.h"

namespace satdl {

class StoreCacheView final : public CacheView {
public:
    // `ends`: null where nothing is to begin at one.
    StoreCacheView(std::string dag, Store& store, Index& index, FileSystem& files, CheckpointStore& checkpoints, CheckpointStore* ends)
        : dag_(std::move(dag)), store_(store), index_(index), files_(files), checkpoints_(checkpoints), final_checkpoints_(ends) {}

    [[nodiscard]] std::optional<PortDigests> outcome(const Digest& key) override { return store_.find(key); }
    [[nodiscard]] std::optional<PreviousRun> previous_run(const Node& node) override;
    [[nodiscard]] Digest file_digest(const SourceFile& file) override { return source_digest(file, index_, files_); }
    [[nodiscard]] std::optional<FileStamp> file_stamp(const SourceFile& file) override { return files_.stamp(file.path); }
    [[nodiscard]] std::optional<double> expected_seconds(const Digest& key, const std::string& kind) override {
        return index_.seconds(key, kind);
    }
    [[nodiscard]] std::optional<CheckpointPosition> checkpoint(const Digest& key) override { return checkpoints_.newest(key); }
    [[nodiscard]] std::optional<CheckpointPosition> end(const Continuation& continuation) override {
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

// Of a run that looks at nothing that was kept: what it made itself, and source files as they are now.
class EmptyCacheView final : public CacheView {
public:
    EmptyCacheView(Store& store, FileSystem& files) : store_(store), files_(files) {}

    [[nodiscard]] std::optional<PortDigests> outcome(const Digest& key) override { return store_.find(key); }
    [[nodiscard]] std::optional<PreviousRun> previous_run(const Node&) override { return std::nullopt; }
    [[nodiscard]] Digest file_digest(const SourceFile& file) override { return source_digest(file, files_); }
    [[nodiscard]] std::optional<double> expected_seconds(const Digest&, const std::string&) override { return std::nullopt; }

private:
    Store& store_;
    FileSystem& files_;
};

}  // namespace satdl
