// Whether a run whose record has no end may still be running.
#pragma once

#include <filesystem>
#include <string>

namespace satdl {

// `process`: of its event `run_started`. Where that does not tell, a run may be alive as long as any process uses the store, or that
// cannot be determined.
[[nodiscard]] bool may_be_running(const std::string& process, const std::filesystem::path& store_folder);

}  // namespace satdl
