#include "pipeline/plan/knowledge.h"

namespace satdl {

std::optional<LastTime> StoreKnowledge::last_time(const Node& node) {
    auto history = index_.history(dag_, node.name);
    if (!history) return std::nullopt;
    LastTime last;
    last.recipe = std::move(history->recipe);
    if (history->seconds > 0) last.seconds = history->seconds;
    return last;
}

}  // namespace satdl
