// The process of one stage, from inside: satdl started as `satdl exec-node STAGE`, only by process_executor.h under a reaper (reaper.h).
//
// It receives its job, loads the stage library, runs the stage and sends its output back. Being a new program and no fork of a
// running one, it inherits no thread, lock or state of LibTorch, oneTBB or OpenMP.
#pragma once

#include <string_view>

namespace satdl {

inline constexpr std::string_view kWorkerCommand = "exec-node";
[[nodiscard]] bool is_worker_call(int argc, char** argv);
// Does not return, except with an exit code if it was not called by satdl.
[[nodiscard]] int run_worker(int argc, char** argv);

}  // namespace satdl
