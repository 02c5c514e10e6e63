#include "pipeline/plan/cache_view.h"

namespace satdl {

std::optional<PreviousRun> StoreCacheView::previous_run(const Node& node) {
    auto history = index_.history(dag_, node.name);
    if (!history) return std::nullopt;
    PreviousRun last;
    last.recipe = std::move(history->recipe);
    if (history->seconds > 0) last.seconds = history->seconds;
    return last;
}

}  // namespace satdl
