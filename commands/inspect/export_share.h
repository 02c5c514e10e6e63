// What `satdl export WHAT x.tar` puts into the file: a stage, a DAG or a run, with all that it was made of.
#pragma once

#include <string>

#include "commands/shared/session.h"
#include "commands/shared/share_file.h"

namespace satdl {

// `what`: a run (the beginning of its id), a DAG that ran, or what show takes. With it come the artifacts that it was made
// of, followed back by their digests, and the records of the runs that made them. Throws Error{Usage} if there is no such
// thing, or it could be two.
[[nodiscard]] Share share_of(const std::string& what, const std::string& dag, const StoreOptions& store, OpenStore& open);

}  // namespace satdl
