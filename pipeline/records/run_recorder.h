// Writes the records of runs: runs/<id>/events.jsonl, one event a line (json_events.h) with its check (run_record.h), and runs/<id>/log.txt for
// people.
//
// What differs from run to run (time, host, seconds) is here and never in an artifact. Events are appended while the run
// is in progress, so that another program can follow them; a torn last line is the only damage a crash can do, and readers ignore
// it. Runs in which nothing ran share runs/reused.jsonl, one line each: there are many of them, and none is worth a
// sync.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "pipeline/records/json_events.h"
#include "pipeline/store/index.h"
#include "pipeline/store/store.h"

namespace satdl {

struct RunFolders {
    std::filesystem::path store;  // runs/ is in it
    std::filesystem::path
        results;  // <dag>/<stage>.h5 are links to the current artifacts; .last is a link to the last run's DAG
};

// The record of a run; also updates the index's history and the links below `results`. A record that cannot be
// written never fails a run: `warnings` gets one warning.
[[nodiscard]] std::unique_ptr<Observer> run_record(RunFolders folders, RunInfo info, FileSystem& files, Index& index,
                                                   const Store& store, Observer& warnings);

// The name of a stage or of a DAG as a file name: characters that are special to a file system or a shell become %XX, and a
// name that is too long ends in a digest of the whole.
[[nodiscard]] std::string file_name_of(std::string_view name);

}  // namespace satdl
