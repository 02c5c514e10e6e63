// Which jobs a run has given to the batch system, so that whoever comes after its controller (the process of `satdl run`) knows them:
// runs/RUN/jobs/journal.jsonl, one line for each step.
//
//   {"event":"intent","jobs":["b1.a1","b2.a1"]}        durable before they are submitted
//   {"event":"submitted","jobs":[["b1.a1","4711_1"]]}  with the batch system's ids
//   {"event":"closed","jobs":["b1.a1"]}                they have ended, and what followed from that is done
//
// A line that is lost costs nothing but time: a job without its id is found by its name, one that is not closed is looked at again. The
// file runs/RUN/jobs/open is there as long as the run may have jobs that are not closed, or has a controller; it holds the name of the
// run's file.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/executors/jobs/job_files.h"
#include "pipeline/os/file_system.h"

namespace satdl {

struct JournaledJob {
    std::string name;
    std::string id;  // "" if it is not known to be submitted
    bool operator==(const JournaledJob&) const = default;
};

inline constexpr const char* kOpenFile = "open";

class JobJournal {
public:
    JobJournal(std::filesystem::path jobs_folder, FileSystem& files) : folder_(std::move(jobs_folder)), files_(files) {}

    void open(const std::string& run_file);  // the marker `open`; throws FileError
    void close();                            // no job is left; throws nothing

    void intend(const std::vector<std::string>& names);  // durable when it returns; throws FileError
    // Throw nothing.
    void submitted(const std::vector<std::pair<std::string, std::string>>& ids);
    void closed(const std::vector<std::string>& names);

    [[nodiscard]] bool is_open() const;  // throws nothing
    struct State {
        std::vector<JournaledJob> open;  // in the order of their submission
        int batches = 0;                 // the greatest number of a batch: new ones begin after it
    };
    // Lines that are torn or foreign are skipped. Throws nothing.
    [[nodiscard]] State read() const;

private:
    void append(const std::string& line, bool durable);

    const std::filesystem::path folder_;
    FileSystem& files_;
};

// The name of a job: "b12.a1".
[[nodiscard]] std::string job_name(int batch, int attempt);

}  // namespace satdl
