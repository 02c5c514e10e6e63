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

#include "pipeline/records/json_events.h"
#include "pipeline/store/index.h"
#include "pipeline/store/store.h"

namespace satdl {

struct RunFolders {
    std::filesystem::path store;  // runs/ is in it
    std::filesystem::path results;  // link_results.h
};

// The record of a run; also updates the index's history and the links below `results`. A record that cannot be
// written never fails a run: `warnings` gets one warning.
[[nodiscard]] std::unique_ptr<Observer> run_record(RunFolders folders, RunInfo info, FileSystem& files, Index& index,
                                                   Store& store, Observer& warnings);

}  // namespace satdl
