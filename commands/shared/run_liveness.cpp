#include "commands/shared/run_liveness.h"

#include "pipeline/os/file_system.h"
#include "pipeline/store/process_mark.h"
#include "pipeline/store/store_lock.h"

namespace satdl {

bool may_be_running(const std::string& process, const std::filesystem::path& store_folder) {
    if (const auto lives = process_lives(process)) return *lives;
    try {
        return StoreLock::is_used(store_folder);
    } catch (const FileError&) {
        return true;
    }
}

}  // namespace satdl
