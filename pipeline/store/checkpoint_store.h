// Checkpoints: states of stages, from which a later attempt starts instead of from nothing. There are two kinds, behind one interface:
//
//   a stage's own checkpoints   where an interrupted stage was. Under the key of its artifact; removed when that is in the store
//   final checkpoints           where trainings ended, for longer ones that differ in nothing else (plan/continuation.h). Under the key
//                               of the recipe without its length; each goes with the artifact that was made with it
//
// A checkpoint says nothing about what the result is: a stage that starts from one returns the bytes that it would have returned without.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/core/array.h"
#include "pipeline/core/digest.h"
#include "pipeline/stage.h"
#include "pipeline/store/recipe.h"

namespace satdl {

// How far a state is. Not a Progress, though it holds the same numbers: that has metrics, and two ways to say that an epoch ended.
struct CheckpointPosition {
    std::int64_t epoch = 0, epochs = 0;  // `epoch` has begun; both from 1
    std::int64_t step = 0, steps = 0;    // finished steps of this epoch
    bool operator==(const CheckpointPosition&) const = default;

    [[nodiscard]] double share() const;      // of the whole stage that is done, 0 to 1
    [[nodiscard]] std::string text() const;  // "epoch 7, step 210, 61 %"
};
[[nodiscard]] CheckpointPosition position_of(const Progress& at);
[[nodiscard]] bool is_farther(const CheckpointPosition& position, const CheckpointPosition& other);

struct Checkpoint {
    CheckpointPosition position;
    NamedArrays state;
};

enum class Start { Beginning, Checkpoint, FinalCheckpoint };
// Where a stage starts that has such checkpoints: at the farther one; at its own where both are as far. The one rule: the plan says what
// it chooses, and the attempt does it.
[[nodiscard]] Start choose_start(const std::optional<CheckpointPosition>& checkpoint, const std::optional<CheckpointPosition>& final_checkpoint);

// Which checkpoints of a key are retained, and how they are numbered.
enum class Retention {
    LastTwo,  // the last two, numbered in the order of writing: where the last one is damaged, the one before it is minutes old. For own ones
    First,    // the first one of each length, numbered by its epochs: it is never changed. For final ones
};

// Safe from any thread.
class CheckpointStore {
public:
    static constexpr auto kAny = std::numeric_limits<std::int64_t>::max();

    virtual ~CheckpointStore() = default;
    // The position of the one with the greatest number that is at most `max`, by its header; nullopt if absent. Throws nothing.
    [[nodiscard]] virtual std::optional<CheckpointPosition> newest(const Digest& key, std::int64_t max = kAny) = 0;
    // The one with the greatest number that is at most `max`, of which every byte is as it was written. Those with greater numbers that
    // are damaged go into quarantine, and what is wrong with them is added to `damaged`.
    [[nodiscard]] virtual std::optional<Checkpoint> load(const Digest& key, std::vector<std::string>& damaged, std::int64_t max = kAny) = 0;
    // Under the key of `recipe`; durable when it returns. `of`: the key of the artifact that the stage is making. Throws FileError.
    virtual void write(const Recipe& recipe, const Digest& of, const CheckpointPosition& position, const NamedArrays& state) = 0;
    virtual void remove(const Digest& key) = 0;  // all of this key; throws nothing
    // What other processes have written meanwhile is seen from now on. Throws nothing.
    virtual void look_again() {}
};

}  // namespace satdl
