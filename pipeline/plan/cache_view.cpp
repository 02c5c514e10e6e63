#include "pipeline/plan/cache_view.h"

#include "pipeline/plan/run_state.h"

namespace satdl {

std::optional<PreviousRun> StoreCacheView::previous_run(const Node& node) {
    auto history = index_.history(dag_, node.name);
    if (!history) return std::nullopt;
    PreviousRun last;
    last.recipe = std::move(history->recipe);
    if (history->seconds > 0) last.seconds = history->seconds;
    return last;
}

bool StoreCacheView::is_state_of_last_run(const Digest& state) {
    const auto last = index_.history(dag_, kStateStage);
    return last && last->key == state;
}

Digest EmptyCacheView::file_digest(const SourceFile& file) {
    const auto stamp = source_stamp(file, files_);
    const auto known = read_.find(file.path);
    if (stamp && known != read_.end() && known->second.first == *stamp) return known->second.second;
    const Digest digest = source_digest(file, files_);
    if (stamp) read_.insert_or_assign(file.path, std::pair(*stamp, digest));
    return digest;
}

}  // namespace satdl
