// satdl cache: verifies every byte of the store (verify), removes unreferenced artifacts (gc), rebuilds the index (reindex); the keys of
// remotes (keygen, trust).
#include <fmt/format.h>

#include "commands/shared/session.h"
#include "commands/store/gc.h"
#include "commands/store/remote_keys.h"
#include "commands/store/verify.h"

namespace satdl {

namespace {

ExitCode reindex(const StoreOptions& options) {
    check_is_store(options.store);
    OpenStore open(options.store, Access::ReadWrite);
    fmt::print("{} artifacts indexed\n", open.store().reindex());
    return ExitCode::Done;
}

}  // namespace

void add_cache_command(Command& program) {
    Command cache = program.add_group("cache", "verify the store, rebuild its index, remove unreferenced artifacts",
                                      "Examples:\n  satdl cache verify\n  satdl cache reindex --store /data/satdl");
    add_verify_command(cache);
    add_gc_command(cache);
    add_remote_key_commands(cache);
    cache.add_command<StoreOptions>("reindex", "rebuild the index from the artifacts", nullptr, add_store_options, reindex);
}

}  // namespace satdl
