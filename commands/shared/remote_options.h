// The options of commands that use a remote, and the remote that they open.
#pragma once

#include <memory>

#include "commands/shared/command_line.h"
#include "pipeline/remote/remote.h"

namespace satdl {

// --remote and those about it.
void add_remote_options(Command& command, RemoteChoice& choice);

// Null if none is chosen, there or in the user's settings file. Its warnings go to stderr.
[[nodiscard]] std::unique_ptr<Remote> open_remote(const RemoteChoice& choice, OpenStore& open, Access access);

// The store with its remote, or without.
[[nodiscard]] Store& store_of(OpenStore& open, const std::unique_ptr<Remote>& remote);

}  // namespace satdl
