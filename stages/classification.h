// How well classes are distinguished: confusion matrix, precision and recall of each class.
#pragma once

#include <cstdint>
#include <vector>

#include "stages/ports.h"

namespace satdl::stages {

struct Confusion {
    std::int64_t classes = 0;
    std::vector<std::int64_t> counts;  // [classes, classes]: rows actual, columns predicted

    [[nodiscard]] std::int64_t at(std::int64_t actual, std::int64_t predicted) const;
};

// Preconditions: as many of one as of the other, each in [0, classes).
[[nodiscard]] Confusion confusion_of(std::span<const std::int64_t> actual, std::span<const std::int64_t> predicted,
                                     std::int64_t classes);

// "class 3", "classes 3, 5": for messages.
[[nodiscard]] std::string classes_text(const std::vector<std::int64_t>& classes);

// precision/C = right / all that were taken for class C; recall/C = right / all that are of class C; 0 if there is none
// of them. precision/macro, recall/macro: the mean over the classes, each counting the same.
[[nodiscard]] Numbers precision_and_recall(const Confusion& confusion);
// The same, for people.
[[nodiscard]] Table table_of(const Confusion& confusion);

}  // namespace satdl::stages
