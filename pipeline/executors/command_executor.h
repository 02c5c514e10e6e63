// Stages of kind `command`: a program of the user's in a folder of its own (command_folder.h), under the same supervision as the stages
// that have a process of their own (supervised_process.h).
#pragma once

#include <filesystem>
#include <string>

#include "pipeline/run/executor.h"

namespace satdl {

class CommandExecutor final : public Executor {
public:
    // `work`: where the programs' folders are made. `program`: this program, or another one that answers to run_worker().
    explicit CommandExecutor(std::filesystem::path work, std::string program = "/proc/self/exe") : work_(std::move(work)), program_(std::move(program)) {}

    // Precondition: the node has a command. Throws Error{StageFailed}, with the program's last output, if it cannot be started, does not
    // exit with 0, or its outputs are not what the stage declares; Stopped.
    [[nodiscard]] StageOutput execute(const Node& node, const StageInputs& inputs, StageContext& context) override;

private:
    const std::filesystem::path work_;
    const std::string program_;
};

}  // namespace satdl
