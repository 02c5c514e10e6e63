// A store that stores nothing: what is published is compared with the artifact of another store under the same key.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/store/store.h"

namespace satdl {

// The first tensor (by port, then name) that differs between two outputs.
struct TensorDifference {
    std::string tensor;          // "model/dense_1.weight"
    std::size_t differing = 1;   // how many tensors differ
    std::size_t tensors = 1;     // of how many
    std::int64_t elements = 0;   // how many elements of this tensor differ
    std::int64_t count = 0;      // of how many
    double max = 0;             // maximum of |a - b|; infinite if only one of the two is a number
    std::string details() const;
};
[[nodiscard]] std::optional<TensorDifference> difference_of(const StageOutput& a, const StageOutput& b);

class ComparingStore final : public Store {
public:
    explicit ComparingStore(Store& reference) : reference_(reference) {}

    [[nodiscard]] std::optional<StoredOutput> find(const Digest& key) override { return reference_.find(key); }
    [[nodiscard]] std::optional<ArtifactHeader> header(const Digest& key) override { return reference_.header(key); }
    [[nodiscard]] std::optional<StageOutput> load(const Digest& key) override { return reference_.load(key); }
    // Different if the other store has different bytes; New if it has none, so that there was nothing to compare with.
    Published publish(const Recipe& recipe, const StageDescription& description, const StageOutput& outcome) override;
    [[nodiscard]] std::vector<Digest> keys() override { return reference_.keys(); }
    [[nodiscard]] std::filesystem::path path_of(const Digest& key) const override { return reference_.path_of(key); }

    struct Comparison {
        bool had_counterpart = false;
        std::optional<TensorDifference> difference;
    };
    [[nodiscard]] std::optional<Comparison> comparison(const Digest& key);

private:
    Store& reference_;
    std::mutex mutex_;
    std::map<Digest, Comparison> comparisons_;  // guarded by mutex_
};

}  // namespace satdl
