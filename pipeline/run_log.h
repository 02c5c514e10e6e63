// Runs and their records: runs/<id>/events.jsonl, one event a line (events.h), and runs/<id>/log.txt for people.
//
// What differs from run to run (when, where, seconds) stands here and never in an object. Events are appended while the run
// goes on, so that another program can follow them; a torn last line is the only damage a crash can do, and readers ignore
// it. Runs in which nothing ran share runs/reused.jsonl, one line each: they are many, and nothing of theirs is worth a
// sync.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/events.h"
#include "pipeline/index.h"
#include "pipeline/store.h"

namespace satdl {

struct RunFolders {
    std::filesystem::path store;  // runs/ is in it
    std::filesystem::path
        results;  // <dag>/<stage>.h5 are links to the current objects; .last is a link to the last run's DAG
};

// The record of a run; also brings the index's history and the links below `results` up to date. A record that cannot be
// written is told once, as a warning, and never fails a run.
[[nodiscard]] std::unique_ptr<Observer> run_record(RunFolders folders, RunInfo info, FileSystem& files, Index& index,
                                                   const Store& store);

// The name of a stage or of a DAG as a file's: what a file system or a shell could take for something else is %XX, and a
// name too long ends in a digest of the whole.
[[nodiscard]] std::string file_name_of(std::string_view name);

// The ids of the runs that have a record of their own, the newest first.
[[nodiscard]] std::vector<std::string> recorded_runs(const std::filesystem::path& store_folder, FileSystem& files);
// The lines of a record; the last may be torn by a crash.
[[nodiscard]] std::vector<std::string_view> lines_of(std::string_view record);
// The events of such a run, a line each.
[[nodiscard]] std::string read_record(const std::filesystem::path& store_folder, const std::string& id, FileSystem& files);

// What a run record says of the run that made an object.
struct MadeIn {
    std::string run;  // its id
    std::string host;
    double wall_time = 0;  // seconds since 1970, when it was done
    double seconds = 0;
    int threads = 1;
    std::string library_sha256;  // of the stage library's file; "" where the record does not say
};
// The newest record of a stage that ran under this key, where there is one.
[[nodiscard]] std::optional<MadeIn> find_making(const std::filesystem::path& store_folder, const Digest& key,
                                                FileSystem& files);

}  // namespace satdl
