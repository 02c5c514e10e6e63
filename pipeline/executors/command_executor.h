// Stages of kind `command`: a program of the user's in a folder of its own (command_folder.h), under the same supervision as the stages
// that have a process of their own (supervised_process.h); a strict one held to what the stage declares (command_access.h).
#pragma once

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>

#include "pipeline/executors/declarations.h"
#include "pipeline/os/landlock.h"
#include "pipeline/run/executor.h"

namespace satdl {

class CommandExecutor final : public Executor {
public:
    // `work`: where the programs' folders are made. `landlock`: the kernel's version of it.
    explicit CommandExecutor(std::filesystem::path work, int landlock = landlock_version())
        : work_(std::move(work)), landlock_(landlock) {}

    // Precondition: the node has a command. Throws Error{StageFailed}, with the program's last output, if it cannot be started, does not
    // exit with 0, or its outputs are not what the stage declares; Stopped.
    [[nodiscard]] StageOutput execute(const Node& node, const StageInputs& inputs, StageContext& context) override;

    struct Trace {
        FilesRead read;
        std::optional<std::string> failure;  // why the program did not get to its end
    };
    // Runs the program where it finds all files of the project, may read everything, and writes only into its own folder, and returns what
    // it read. Throws Error{Usage} if the kernel does not allow to watch it; Stopped.
    [[nodiscard]] Trace trace(const Node& node, const StageInputs& inputs, StageContext& context);

private:
    const std::filesystem::path work_;
    const int landlock_;
    std::atomic<bool> warned_ = false;  // that nothing is enforced
};

}  // namespace satdl
