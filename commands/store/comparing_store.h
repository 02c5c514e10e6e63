// A store that keeps nothing: what is published is held against what another store has under the same key.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/store/store.h"

namespace satdl {

// The first tensor (by port, then name) that two outcomes have differently.
struct TensorDifference {
    std::string tensor;          // "model/dense_1.weight"
    std::size_t differing = 1;   // how many tensors differ
    std::size_t tensors = 1;     // of how many
    std::int64_t elements = 0;   // of this one: how many differ
    std::int64_t count = 0;      // of how many
    double max = 0;             // |a - b|, the greatest; infinite where one is a number and the other none
    std::string words() const;
};
[[nodiscard]] std::optional<TensorDifference> difference_of(const StageOutput& a, const StageOutput& b);

class ComparingStore final : public Store {
public:
    explicit ComparingStore(Store& kept) : kept_(kept) {}

    [[nodiscard]] std::optional<PortDigests> find(const Digest& key) override { return kept_.find(key); }
    [[nodiscard]] std::optional<ArtifactHeader> header(const Digest& key) override { return kept_.header(key); }
    [[nodiscard]] std::optional<StageOutput> load(const Digest& key) override { return kept_.load(key); }
    // Different where the other store has other bytes; New where it has none: then there was nothing to compare with.
    Published publish(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) override;
    [[nodiscard]] std::vector<Digest> keys() override { return kept_.keys(); }
    [[nodiscard]] std::filesystem::path path_of(const Digest& key) const override { return kept_.path_of(key); }

    struct Comparison {
        bool had_counterpart = false;
        std::optional<TensorDifference> difference;
    };
    [[nodiscard]] std::optional<Comparison> comparison(const Digest& key);

private:
    Store& kept_;
    std::mutex mutex_;
    std::map<Digest, Comparison> comparisons_;  // guarded by mutex_
};

}  // namespace satdl
