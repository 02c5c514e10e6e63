// The kind `command`, which is the engine's own: a program of the user's as a stage. This description is what `satdl stages` and
// `defaults:` show of it; each stage of the kind has another, with its own ports (dag/command.h).
#pragma once

#include "pipeline/stage.h"

namespace satdl {

[[nodiscard]] const StageDescription& command_kind();

}  // namespace satdl
