// satdl selftest: what holds on the file system on which a store is, or would be.
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>

#include "commands/shared/session.h"
#include "pipeline/display/text_format.h"
#include "pipeline/store/file_system_probe.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

struct SelftestOptions {
    StoreOptions store;
    bool json = false;
};

// A folder of its own that goes with it.
class TrialFolder {
public:
    explicit TrialFolder(const fs::path& parent) {
        std::string name = (parent / ".satdl-selftest-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) throw FileError(errno, "make a folder in", parent);
        path_ = name;
    }
    ~TrialFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    TrialFolder(const TrialFolder&) = delete;
    TrialFolder& operator=(const TrialFolder&) = delete;
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

// The store, else where it would be made.
fs::path place_of(const fs::path& store, FileSystem& files) {
    fs::path place = fs::absolute(store);
    while (!files.stamp(place) && place.has_relative_path()) place = place.parent_path();
    return place;
}

std::string_view word_for(Holds holds) { return holds == Holds::Yes ? "yes" : holds == Holds::No ? "no" : "NO"; }

ExitCode selftest(const SelftestOptions& options) {
    const auto files = real_file_system();
    const fs::path place = place_of(options.store.store, *files);
    const TrialFolder trial(place);
    const std::vector<DiskAnswer> answers = probe_file_system(trial.path(), *files);
    const bool usable = std::ranges::none_of(answers, [](const DiskAnswer& one) { return one.holds == Holds::NoAndMust; });
    if (options.json) {
        Json list = Json::array();
        for (const DiskAnswer& one : answers) {
            list.push_back({{"question", one.question}, {"holds", one.holds == Holds::Yes}, {"must", one.holds == Holds::NoAndMust},
                            {"found", one.found}, {"follows", one.follows}});
        }
        fmt::print("{}\n", dump_json({{"folder", place.string()}, {"usable", usable}, {"answers", std::move(list)}}));
    } else {
        Table table{.title = {}, .columns = {"on this file system", "holds", "found"}, .rows = {}, .notes = {}};
        for (const DiskAnswer& one : answers) {
            table.rows.push_back({one.question, std::string(word_for(one.holds)), one.found});
            if (!one.follows.empty()) table.notes.push_back(fmt::format("{}: {}", one.question, one.follows));
        }
        fmt::print("{}{}: {}\n", table_text(table), printable(place.string()), usable ? "a store may be kept there" : "no store must be kept there");
    }
    return usable ? ExitCode::Done : ExitCode::Store;
}

}  // namespace

void add_selftest_command(CLI::App& program, Work& work) {
    auto* command = program.add_subcommand("selftest", "try out what the store's file system can do");
    command->footer(
        "Each question is put by doing what a store does, in a folder of its own that is removed again.\n"
        "Exit code 3: no store must be kept there.\n"
        "Examples:\n  satdl selftest\n  satdl selftest --store /data/satdl");
    const auto options = std::make_shared<SelftestOptions>();
    command->add_flag("--json", options->json, "one JSON document on stdout (docs/json.md)");
    add_store_options(*command, options->store);
    command->callback([options, &work] { work = [options] { return selftest(*options); }; });
}

}  // namespace satdl
