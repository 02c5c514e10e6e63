// Stages as jobs of a batch system, whichever it is: grouped into jobs, submitted, watched, tried again.
//
// An attempt is Planned -> Intent (in the journal) -> Submitted -> Pending <-> Running -> Ended, and what it was for is then Done, Failed,
// Cancelled, or waits for another attempt. What became of a stage is decided by, in this order: its artifact in the store; what its job
// wrote at its end; the batch system; that the batch system does not know the job any more, in two complete answers that are two minutes
// apart. An answer that failed says nothing. A job whose stages have artifacts ends at once, so a job too many costs little, and a job
// too few nothing but time.
//
// This process may die at any point: the journal and the files of the jobs are all that the next one needs (job_journal.h).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipeline/executors/jobs/controllers.h"
#include "pipeline/executors/jobs/job_batches.h"
#include "pipeline/executors/jobs/job_journal.h"
#include "pipeline/executors/jobs/job_queue.h"
#include "pipeline/executors/jobs/retry_rules.h"
#include "pipeline/executors/jobs/tracked_job.h"
#include "pipeline/run/clock.h"
#include "pipeline/run/job_executor.h"
#include "pipeline/store/checkpoint_store.h"
#include "pipeline/store/store.h"

namespace satdl {

// In seconds.
struct JobTimes {
    double files = 0.3;              // between two looks at the jobs' files
    double first_query = 1;          // of the batch system, after the first jobs; then 2, 5, 10, 20, 40
    double longest_query = 60;       // between two queries
    double absence = 120;            // between two answers without a job, until it counts as gone
    double invisible = 120;          // until an artifact that a job made must be seen
    double late_files = 30;          // until the last files of a job that has ended must be seen
    double settling = 0.05;          // without a new stage, until those that wait are submitted ...
    double longest_settling = 0.3;   // ... or this long
    double stopping = 120;           // that jobs have to write their checkpoints after stop()
    double first_throttle = 5, longest_throttle = 300;
};

struct QueueExecutorOptions {
    std::filesystem::path folder;          // jobs_folder() of the run; it is there
    std::string run_file;                  // from write_job_run()
    std::vector<std::string> command;      // what a job runs; its folder follows
    std::filesystem::path working_folder;  // absolute
    std::function<bool(const Node&)> takes;
    BatchLimits batches{};
    RetryLimits retries{};
    JobTimes times{};
    std::size_t files_at_once = 64;  // of how many jobs the files are looked at, each time
};

class QueueExecutor final : public JobExecutor {
public:
    // Takes over the jobs that the run's journal has. `checkpoints` may be null; `lease`: held as long as this lives. Throws FileError.
    QueueExecutor(QueueExecutorOptions options, std::unique_ptr<JobQueue> queue, std::unique_ptr<Claim> lease, FileSystem& files,
                  Store& store, CheckpointStore* checkpoints, Clock& clock);
    ~QueueExecutor() override;

    [[nodiscard]] bool takes(const Node& node) const override { return options_.takes(node); }
    void submit(std::vector<JobStage> stages) override;
    void poll(JobListener& listener) override;
    void stop(Stop how) override;

    [[nodiscard]] std::size_t jobs() const { return jobs_.size(); }  // that are not closed

private:
    // A stage of this run that has not ended.
    struct Stage {
        JobStage stage;  // `resources`: of the next job
        JobHistory history{};
        std::vector<std::string> excluded_nodes{};
        std::map<std::string, int> failures{};  // of machines, while it was on them
        bool alone = false;
        std::optional<CheckpointPosition> position{};  // of its checkpoint, before the present job
        double queued_seconds = 0;
        std::string refused{};  // what the last machine said that refused it
    };
    using Slot = TrackedJob::Slot;

    // ---- jobs that a controller before this one submitted
    void take_over();
    [[nodiscard]] bool attach(const JobStage& stage);

    // ---- what waits
    void enqueue(NodeId node);
    void release_delayed(double now);
    void submit_waiting(double now);
    void submit_group(const std::vector<TrackedJob*>& jobs, double now);
    [[nodiscard]] std::vector<TrackedJob*> new_jobs(std::vector<JobBatch> batches);
    void throttle(const std::vector<TrackedJob*>& jobs, const std::string& because, double now);

    // ---- what runs
    void ask_queue(double now);
    void apply(TrackedJob& job, const JobStatus& status, double now);
    void apply_absence(const std::vector<TrackedJob*>& absent, double now);
    void query_at_latest(double seconds);
    void look_at_files(double now);
    void look_at(TrackedJob& job, double now);
    void conclude(TrackedJob& job, Slot& slot, double now);
    void conclude_ended(TrackedJob& job, double now);
    void conclude_refused(TrackedJob& job);
    [[nodiscard]] JobFailure failure_of(const TrackedJob& job, const Slot& slot);
    [[nodiscard]] bool has_artifact(const Slot& slot);
    [[nodiscard]] bool has_advanced(const Slot& slot);
    void close_settled();

    // ---- what became of a stage
    [[nodiscard]] JobOutcome outcome_of(const TrackedJob& job, const Slot& slot, JobOutcome::State state);
    void settle_ran(TrackedJob& job, Slot& slot);
    void settle_failed(TrackedJob& job, Slot& slot, std::string error, bool is_config = false);
    void settle_stopped(TrackedJob& job, Slot& slot);
    void try_again(TrackedJob& job, Slot& slot, JobFailure failure);
    void exclude_machine(Stage& stage, const std::string& machine, int failures_until);
    void end(NodeId node, JobOutcome outcome);
    void settle(Slot& slot);
    void tell(const TrackedJob& job, const std::string& reason);

    // ---- the end
    void look_for_cancel_file(double now);
    void cancel_jobs(double now);
    void give_up_stopping(double now);

    const QueueExecutorOptions options_;
    const std::unique_ptr<Claim> lease_;
    const std::unique_ptr<JobQueue> queue_;
    FileSystem& files_;
    Store& store_;
    CheckpointStore* const checkpoints_;
    Clock& clock_;
    JobJournal journal_;
    std::optional<JobLimits> limits_;
    JobListener* listener_ = nullptr;  // within poll()

    std::unordered_map<NodeId, Stage> stages_;
    BatchPool pool_;
    std::multimap<double, NodeId> delayed_;  // by when they may be submitted
    std::vector<std::pair<NodeId, JobOutcome>> ended_;  // to be told by the next poll()
    std::vector<NodeId> attached_;                      // likewise: they have a job already
    double last_arrival_ = 0, first_arrival_ = 0;

    std::map<int, TrackedJob> jobs_;                  // that are not closed, by number of their batch
    std::unordered_map<std::string, int> job_numbers_;  // by name
    std::vector<std::vector<TrackedJob*>> unsubmitted_;  // groups that the batch system did not take yet
    std::map<Digest, std::pair<int, std::size_t>> adoptable_;  // job and slot, of jobs taken over
    std::vector<int> settled_;                          // to be closed
    int batches_ = 0;
    int next_to_look_at_ = 0;

    double next_look_ = 0, next_query_ = 0, query_interval_ = 0, last_query_ = -1e9, next_cancel_look_ = 0;
    double throttled_until_ = 0;
    int throttles_ = 0, failed_queries_ = 0;
    double submissions_ = kMostSubmissions, submissions_seconds_ = 0;  // a bucket of calls
    std::optional<double> stopping_since_;
    bool is_to_cancel_ = false;  // by the next poll()
    bool is_cancelled_ = false, is_detached_ = false;
    std::minstd_rand random_;

    static constexpr double kMostSubmissions = 5, kSubmissionsPerSecond = 0.5;
};

}  // namespace satdl
