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

void add_cache_command(CLI::App& program, Work& work) {
    auto* command = program.add_subcommand("cache", "the store: verify it, index it anew, remove what nobody needs");
    command->footer("Examples:\n  satdl cache verify\n  satdl cache reindex --store /data/satdl");
    command->require_subcommand(1);
    add_verify_command(*command, work);
    add_gc_command(*command, work);
    const auto options = std::make_shared<StoreOptions>();
    auto* reindex_command = command->add_subcommand("reindex", "make the index anew from the objects");
    add_store_options(*reindex_command, *options);
    reindex_command->callback([options, &work] { work = [options] { return reindex(*options); }; });
}

}  // namespace satdl
