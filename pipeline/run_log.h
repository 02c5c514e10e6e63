// Runs and their records: runs/<id>/events.jsonl, one event a line (docs/json.md), and runs/<id>/log.txt.
//
// What differs from run to run (when, where, seconds) stands here and never in an object. Epoch rows are appended while the
// run goes on, so that another program can follow them; a torn last line is the only damage a crash can do, and readers
// ignore it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "pipeline/index.h"
#include "pipeline/observer.h"
#include "pipeline/schedule.h"
#include "pipeline/store.h"

namespace satdl {

// One event as one line of JSON, as `run --json` prints and run records keep it.
class JsonEvents final : public Observer {
public:
    using Sink = void (*)(void* target, const std::string& line, bool important);
    JsonEvents(Sink sink, void* target) : sink_(sink), target_(target) {}
    void run_started(const Dag&, const Plan&) override;
    void stage_started(const Dag&, const PlannedNode&) override;
    void stage_progress(const Dag&, NodeId, const Progress&) override;  // ends of epochs only
    void stage_log(const Dag&, NodeId, LogLevel, const std::string&) override;
    void stage_finished(const Dag&, const NodeResult&) override;
    void run_finished(const Dag&, const RunResult&) override;

private:
    Sink sink_;
    void* target_;
};

// The record of a run in the store's folder; also brings the index's history and `results/<dag>/<node>.h5` up to date.
[[nodiscard]] std::unique_ptr<Observer> run_record(const std::filesystem::path& store_folder, const std::filesystem::path& results_folder,
                                                   FileSystem& files, Index& index, const Store& store);

}  // namespace satdl
