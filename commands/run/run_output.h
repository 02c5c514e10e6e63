// The output at the end of a run: the tables that stages return, and the failures.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pipeline/run/run_result.h"
#include "pipeline/store/store.h"

namespace satdl {

// Of the stages without consumers and of the targets, whether they ran now or were reused: they come from the
// artifacts' headers. Empty if there are more than kMaxTables such stages; `satdl show STAGE` prints them.
inline constexpr std::size_t kMaxTables = 16;
[[nodiscard]] std::vector<std::pair<std::string, Table>> final_tables(const Dag& dag, const RunResult& result,
                                                                      const std::vector<std::string>& targets, Store& store);

// Prints the complete error of each failed stage to stderr, once.
void print_failures(const Dag& dag, const RunResult& result);

}  // namespace satdl
