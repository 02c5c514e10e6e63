// A dvc.yaml as a DAG file of command stages (docs/programs.md has the mapping).
//
// A group of stages stays one entry (foreach, matrix) if all its stages say the same once `${item}` and `${key}` stand for what differs:
// that is tried, not guessed. Otherwise each becomes an entry of its own.
#pragma once

#include "commands/import/dvc_file.h"

namespace satdl {

// Whatever differs from DVC, or keeps the DAG from running, is in `notes`.
[[nodiscard]] ConfigValue dag_of(DvcFile& file, ImportNotes& notes);

}  // namespace satdl
