// What flows into the program of a command stage, written as files, and what it wrote, read back.
#pragma once

#include "pipeline/dag/dag.h"
#include "pipeline/executors/command_folder.h"
#include "pipeline/stage.h"

namespace satdl {

// What an input is written as: for each placeholder of `run` its format, the usual one if there is none.
[[nodiscard]] std::vector<std::string> formats_of(const CommandStage& command, const PortDescription& input);

// Writes every input in each of its formats. Throws Error{StageFailed} for one that a format cannot hold.
void write_inputs(const Node& node, const StageInputs& inputs, const CommandFolder& folder);

// Reads every output. `progress`: the history that the program reported, for a history that it did not write; empty: none.
// Throws Error{StageFailed} naming the output that is missing, of another kind than declared, or not readable.
[[nodiscard]] StageOutput read_outputs(const Node& node, const CommandFolder& folder, const NamedArrays& progress);

}  // namespace satdl
