// satdl cache: the store itself: every byte of it verified, its index made anew, what nobody needs removed (gc).
#include <fmt/format.h>

#include <cstdio>

#include "commands/gc.h"
#include "commands/session.h"
#include "pipeline/text.h"

namespace satdl {

namespace {

ExitCode reindex(const StoreOptions& options) {
    OpenStore open(options, Access::Write);
    fmt::print("{} objects indexed\n", open.store().reindex());
    return ExitCode::Done;
}

// load() checks every byte and puts what is damaged into quarantine.
ExitCode verify(const StoreOptions& options) {
    OpenStore open(options, Access::Look);
    std::size_t good = 0, damaged = 0;
    std::uint64_t bytes = 0;
    for (const auto& key : open.store().keys()) {
        try {
            const auto header = open.store().header(key);
            if (!header || !open.store().load(key)) continue;  // somebody removed it meanwhile
            bytes += header->file_bytes;
            ++good;
        } catch (const DamagedObject& error) {
            fmt::print(stderr, "satdl: {}\n", without_mark(error.what()));
            ++damaged;
        }
    }
    fmt::print("{} objects good ({}), {} damaged{}\n", good, bytes_text(bytes), damaged,
               damaged == 0 ? "" : ": they are in quarantine, the next run makes them again");
    return damaged == 0 ? ExitCode::Done : ExitCode::Store;
}

}  // namespace

void add_cache_command(CLI::App& program, Work& work) {
    auto* command = program.add_subcommand("cache", "the store: verify it, index it anew, remove what nobody needs");
    command->footer("Examples:\n  satdl cache verify\n  satdl cache reindex --store /data/satdl");
    command->require_subcommand(1);
    add_gc_command(*command, work);
    const auto options = std::make_shared<StoreOptions>();
    auto* verify_command =
        command->add_subcommand("verify", "compare every byte with its digest; what is damaged is put aside");
    add_store_options(*verify_command, *options);
    verify_command->callback([options, &work] { work = [options] { return verify(*options); }; });
    auto* reindex_command = command->add_subcommand("reindex", "make the index anew from the objects");
    add_store_options(*reindex_command, *options);
    reindex_command->callback([options, &work] { work = [options] { return reindex(*options); }; });
}

}  // namespace satdl
