// Stages are run again as the record of an earlier run says, whatever has become of its DAG file.
#pragma once

#include <string>
#include <vector>

#include "commands/shared/session.h"
#include "commands/shared/signals.h"
#include "pipeline/run/run_result.h"

namespace satdl {

struct RecordedRunOptions {
    std::vector<std::string> stages;  // further stage libraries
    bool trust = false;               // accept records, programs and sources that belong to another user
    bool quiet = false;               // nothing on stdout
    bool keep_going = false;          // after a failed stage
};

struct RerunResult {
    Dag dag;
    RunResult result;
    [[nodiscard]] const NodeResult* find(const std::string& stage) const;
};

class RecordedRunner {
public:
    // `records`: the store whose runs are meant. Throws Error{Usage} if its records, which say what to run, belong to
    // another user.
    RecordedRunner(const RecordedRunOptions& options, OpenStore& records, const StopSignals& signals);

    // These stages of the run and what they need; what `into` has is reused, and it gets the results.
    [[nodiscard]] RerunResult run(const std::string& id, const std::vector<std::string>& targets, OpenStore& into);

private:
    const RecordedRunOptions& options_;
    OpenStore& records_;
    const StopSignals& signals_;
    const Catalog catalog_;
    Machine machine_;
    StageLibraries libraries_;
    bool has_warned_ = false;
};

}  // namespace satdl
