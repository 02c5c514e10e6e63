// satdl cache: the store itself: every byte of it verified (verify), what nobody needs removed (gc), its index made anew.
#include <fmt/format.h>

#include "commands/shared/session.h"
#include "commands/store/gc.h"
#include "commands/store/verify.h"

namespace satdl {

namespace {

ExitCode reindex(const StoreOptions& options) {
    OpenStore open(options.store, Access::ReadWrite);
    fmt::print("{} objects indexed\n", open.store().reindex());
    return ExitCode::Done;
}

}  // namespace

void add_cache_command(Command& program) {
    Command cache = program.add_group("cache", "the store: verify it, index it anew, remove what nobody needs",
                                      "Examples:\n  satdl cache verify\n  satdl cache reindex --store /data/satdl");
    add_verify_command(cache);
    add_gc_command(cache);
    cache.add_command<StoreOptions>("reindex", "make the index anew from the objects", "", add_store_options, reindex);
}

}  // namespace satdl
