// A job as its controller sees it: which stages it has, what the batch system says of it, and what its files say.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/executors/jobs/job_files.h"
#include "pipeline/executors/jobs/job_queue.h"
#include "pipeline/os/file_system.h"

namespace satdl {

struct TrackedJob {
    // A stage's place in the job.
    struct Slot {
        std::string name;
        Digest key;
        bool forced = false;
        std::optional<NodeId> node{};      // of this run; nullopt: of a job that was taken over, while nobody has asked for its key
        bool started = false;
        bool settled = false;              // it needs nothing more of this job
        std::optional<JobNodeEnd> end{};   // in the job's words
        std::optional<double> unseen_since{};  // it ran, the job says, but its artifact is not to be seen
    };

    TrackedJob(std::string job_name, std::filesystem::path job_folder, const JobSpec& spec);

    const std::string name;
    const std::filesystem::path folder;
    const std::string run_file;  // of the controller that submitted it
    std::vector<Slot> slots;
    JobResources resources{};
    std::vector<std::string> excluded_nodes{};

    // ---- the batch system's view
    bool intended = false;   // its line `intent` is in the journal
    bool submitted = false;
    JobId id{};
    JobStatus status{};
    double submitted_seconds = 0;             // when; of the run's clock, as all that follow
    std::optional<double> absent_since{};     // the first of the complete answers without it
    std::optional<double> ended_seconds{};    // when it was known that it has ended, as `status` says
    std::string told_reason{};                // why it waits, as the listener knows it
    bool asked_to_stop = false;               // by this run

    // ---- its files' view
    std::optional<JobBegin> begin{};
    std::optional<double> begun_seconds{};
    std::optional<JobFinish> finish{};
    std::string bad_file{};                   // what is wrong with one of them

    struct News {
        bool has_begun = false;  // or again, after a restart by the batch system
        bool has_finished = false;
        std::vector<JobEvent> events{};
    };
    // Reads what is new. An event or an end of a stage becomes Slot::started and Slot::end, too; both are forgotten if the job has been
    // restarted.
    [[nodiscard]] News read_files(double now, FileSystem& files);

    [[nodiscard]] std::string machine() const;
    [[nodiscard]] std::string text() const;  // "job 4711 on n2"
    [[nodiscard]] bool is_settled() const;   // all its slots are
    // Whether the stage may be why the whole job ended: it was running, or nobody knows who was.
    [[nodiscard]] bool may_be_to_blame(const Slot& slot) const;
    // "the end of its log, PATH:" and some lines; "" if there are none.
    [[nodiscard]] std::string end_of_log(FileSystem& files) const;

private:
    void forget_stages();

    JobEventReader events_;
    std::optional<FileStamp> begin_stamp_, finish_stamp_;
};

}  // namespace satdl
