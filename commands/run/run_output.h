// What the end of a run shows: the tables that stages return, and what failed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pipeline/run/run_result.h"
#include "pipeline/store/store.h"

namespace satdl {

// Of the stages that nobody reads and of those named as targets, whether they ran now or were reused: they come from the
// objects' headers. Nothing where there are more than kMaxTables such stages; `satdl show STAGE` has each one's.
inline constexpr std::size_t kMaxTables = 16;
[[nodiscard]] std::vector<std::pair<std::string, Table>> final_tables(const Dag& dag, const RunResult& result,
                                                                      const std::vector<std::string>& targets, Store& store);

// The messages of what failed, on stderr, each once and whole.
void tell_failures(const Dag& dag, const RunResult& result);

}  // namespace satdl
