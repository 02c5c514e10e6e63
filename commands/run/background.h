// A run that goes on in the background (`satdl run --detach`): a process of its own session, whose output goes to a file beside the record.
//
// Rejected: a controller that is a job itself, on by default. It waits in the queue before it can submit anything, and its time ends before
// a long run's does; where a site ends processes on its login nodes, `sbatch --wrap 'satdl run ...'` is just that.
#pragma once

#include <filesystem>
#include <string>
#include <variant>

#include "pipeline/core/error.h"
#include "pipeline/core/unique_fd.h"

namespace satdl {

// Of a run in the background; it is locked while that lives. Exists only if the run was detached.
[[nodiscard]] std::filesystem::path background_output(const std::filesystem::path& store_folder, const std::string& run);
// Whether the process of a detached run lives, as far as a flock reaches.
[[nodiscard]] bool is_in_background(const std::filesystem::path& store_folder, const std::string& run);

// Of the process in the background.
class Background {
public:
    Background(UniqueFd ready, UniqueFd lock) : ready_(std::move(ready)), lock_(std::move(lock)) {}
    // The plan is made, and the run begins: the process that was called says so, and ends.
    void is_ready();

private:
    UniqueFd ready_, lock_;
};

// Goes on in a new process, which gets a Background. The one that was called waits until that is ready, or has ended because of an error,
// which it prints; it gets the exit code. Called before anything has been opened or any thread started. Throws FileError.
[[nodiscard]] std::variant<Background, ExitCode> go_to_background(const std::filesystem::path& store_folder, const std::string& run);

}  // namespace satdl
