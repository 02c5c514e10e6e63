// satdl note, satdl tag, satdl rm: what people add to the records of runs, and take away.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/shared/run_liveness.h"
#include "commands/shared/session.h"
#include "pipeline/core/json.h"
#include "pipeline/executors/jobs/controllers.h"
#include "pipeline/records/run_record.h"
#include "pipeline/records/run_summary.h"

namespace satdl {

namespace {

struct NoteOptions {
    std::string store = kDefaultStore;
    std::string run;
    std::vector<std::string> text;
    std::vector<std::string> add, remove;
    bool clear = false;
};

struct TagOptions {
    std::string store = kDefaultStore;
    std::string run;
    std::vector<std::string> tags;
    bool remove = false;
};

struct RmOptions {
    std::string store = kDefaultStore;
    std::vector<std::string> runs;
};

void check_tag(const std::string& tag) {
    if (tag.find_first_of(" \t\n,[]") == std::string::npos) return;
    throw Error(ExitCode::Usage, fmt::format("'{}' is no tag: it has a space, a comma or a bracket", printable(tag)),
                "a tag is one word");
}

void print_note(const std::string& run, const std::string& note, const std::vector<std::string>& tags) {
    fmt::print("{}:", run);
    for (const std::string& tag : tags) fmt::print(" [{}]", printable(tag));
    if (!note.empty() || tags.empty()) fmt::print(" {}", note.empty() ? "(no note)" : printable(note));
    fmt::print("\n");
}

ExitCode note(const NoteOptions& options) {
    check_is_store(options.store);
    for (const std::string& tag : options.add) check_tag(tag);
    OpenStore open(options.store, Access::ReadOnly);
    const std::string run = find_run(open.folder(), options.run, open.files());
    const Json summary = summary_of_run(open.folder(), run, open.files(), open.index());
    auto text = options.clear ? "" : summary.at("note").get<std::string>();
    auto tags = options.clear ? std::vector<std::string>{} : summary.at("tags").get<std::vector<std::string>>();
    if (!options.text.empty()) text = fmt::format("{}", fmt::join(options.text, " "));
    for (const std::string& tag : options.add)
        if (std::ranges::find(tags, tag) == tags.end()) tags.push_back(tag);
    for (const std::string& tag : options.remove)
        if (std::erase(tags, tag) == 0)
            throw Error(ExitCode::Usage, fmt::format("run {} has no tag '{}'", run, printable(tag)),
                        did_you_mean(tag, tags));
    if (options.clear || !options.text.empty() || !options.add.empty() || !options.remove.empty())
        open.files().append(record_path(open.folder(), run), with_check(note_event(text, tags), run) + '\n', true);
    print_note(run, text, tags);
    return ExitCode::Done;
}

ExitCode tag(const TagOptions& options) {
    NoteOptions as_note{.store = options.store, .run = options.run, .text = {}, .add = {}, .remove = {}};
    (options.remove ? as_note.remove : as_note.add) = options.tags;
    return note(as_note);
}

void remove_record(OpenStore& open, const std::string& run) {
    const auto folder = record_path(open.folder(), run).parent_path();
    std::error_code error;
    std::filesystem::remove_all(folder, error);
    if (error)
        throw Error(ExitCode::Store, fmt::format("cannot remove '{}': {}", printable(folder.string()), error.message()));
    open.files().sync_folder(folder.parent_path());
}

ExitCode rm(const RmOptions& options) {
    check_is_store(options.store);
    OpenStore open(options.store, Access::ReadOnly);
    std::vector<std::string> runs;
    for (const std::string& prefix : options.runs) {
        const std::string run = find_run(open.folder(), prefix, open.files());
        const Json summary = summary_of_run(open.folder(), run, open.files(), open.index());
        if (summary.at("outcome") == "unfinished" && may_be_running(summary.at("process").get<std::string>(), open.folder()))
            throw Error(ExitCode::Usage, fmt::format("run {} has no end yet: it may be running", run),
                        "nothing was removed");
        if (has_open_jobs(open.folder(), run))
            throw Error(ExitCode::Usage, fmt::format("run {} may have jobs: nothing was removed", run),
                        fmt::format("`satdl cancel {}` ends them, `satdl attach {}` continues the run", run, run));
        runs.push_back(run);
    }
    for (const std::string& run : runs) {
        remove_record(open, run);
        fmt::print("removed the record of run {}\n", run);
    }
    return ExitCode::Done;
}

}  // namespace

void add_note_command(Command& program) {
    program.add_command<NoteOptions>(
        "note", "attach a note or tags to a run",
        "Examples:\n"
        "  satdl note 20261124T031731 the second try, with the new labels\n"
        "  satdl note 20261124T031731 --tag baseline     satdl log -w 'tags contains baseline' finds it\n"
        "  satdl note 20261124T031731                    print what there is\n"
        "  satdl note 20261124T031731 --clear            without note and tags again",
        [](Command& command, NoteOptions& options) {
            command.add_option("run", options.run, "the run's id, or its first characters").required().type_name("RUN");
            command.add_option("text", options.text, "the note, instead of the one that it has").type_name("TEXT");
            command.add_option("--tag", options.add, "add a tag: one word").type_name("TAG");
            command.add_option("--untag", options.remove, "remove a tag").type_name("TAG");
            command.add_flag("--clear", options.clear, "remove the note and all tags, before others are added");
            add_store_option(command, options.store);
        },
        note);
}

void add_tag_command(Command& program) {
    program.add_command<TagOptions>(
        "tag", "add tags to a run, or remove them",
        "Examples:\n"
        "  satdl tag 20261124T031731 baseline             satdl log -w 'tags contains baseline' finds it\n"
        "  satdl tag 20261124T031731 baseline -d          without it again\n"
        "  satdl tag 20261124T031731                      print what there is",
        [](Command& command, TagOptions& options) {
            command.add_option("run", options.run, "the run's id, or its first characters").required().type_name("RUN");
            command.add_option("tags", options.tags, "one word each").type_name("TAG");
            command.add_flag("-d,--delete", options.remove, "remove these tags instead");
            add_store_option(command, options.store);
        },
        tag);
}

void add_rm_command(Command& program) {
    program.add_command<RmOptions>(
        "rm", "remove the records of runs",
        "The artifacts that the runs made stay: `satdl cache gc` removes those that nothing needs.\n"
        "Example:\n  satdl rm 20261124T031731",
        [](Command& command, RmOptions& options) {
            command.add_option("runs", options.runs, "ids of runs, or their first characters").required().type_name("RUN");
            add_store_option(command, options.store);
        },
        rm);
}

}  // namespace satdl
