// Slurm as a queue of jobs, by its commands: sbatch, squeue, scancel, scontrol, and sacct where there is accounting.
//
// libslurm was rejected, since a program that is linked with it belongs to one version of Slurm; so was slurmrestd, which needs a token
// of the administrator's. All jobs of a run have one name, "satdl-RUN", so that one call shows them all and one cancels them all; what
// they are to us is in their comments. Nothing is kept from one process to the next but the files that name the tasks of arrays.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pipeline/executors/jobs/job_queue.h"
#include "pipeline/executors/slurm/slurm_command.h"
#include "pipeline/executors/slurm/slurm_text.h"
#include "pipeline/os/file_system.h"
#include "pipeline/run/clock.h"

namespace satdl {

class SlurmQueue final : public JobQueue {
public:
    // `run`: its id, of letters, digits, '.', '_' and '-'. `folder`: on the shared file system, of this run's queue alone; made if absent.
    // Asks Slurm for its limits: throws Error{Usage} if its commands are not installed or its controller does not answer. submit() throws
    // FileError if the folder cannot be written to.
    SlurmQueue(const std::string& run, std::filesystem::path folder, std::unique_ptr<SlurmCommands> slurm, FileSystem& files, Clock& clock);

    [[nodiscard]] std::string name() const override { return "slurm"; }
    [[nodiscard]] JobLimits limits() override;
    [[nodiscard]] std::vector<SubmitResult> submit(std::span<const JobRequest> requests) override;
    [[nodiscard]] std::optional<std::map<std::string, std::pair<JobId, JobStatus>>> poll() override;
    [[nodiscard]] std::map<JobId, JobStatus> look_up(std::span<const JobId> jobs) override;
    void cancel(std::span<const JobId> jobs) override;
    void cancel_all() override;
    void ask_to_stop(std::span<const JobId> jobs) override;

private:
    [[nodiscard]] std::vector<SubmitResult> submit_new(std::span<const JobRequest> requests);
    // What squeue shows of this run; nullopt: no answer.
    [[nodiscard]] std::optional<std::vector<SlurmJobRow>> rows();
    // The request's name; "" if it is nobody's.
    [[nodiscard]] std::string name_of(const SlurmJobRow& row);
    [[nodiscard]] JobStatus settled_status(const SlurmJobRow& row);
    void call_for(std::vector<std::string> argv, std::span<const JobId> jobs);

    // Constant after construction.
    const std::string job_name_;
    const std::filesystem::path folder_;
    std::unique_ptr<SlurmCommands> slurm_;
    FileSystem& files_;
    Clock& clock_;
    SlurmConfig config_;

    std::map<JobId, std::string> names_;                        // of jobs that this process has submitted or recognised
    std::map<std::string, std::vector<std::string>> tasks_;     // of arrays, by their comments
    std::set<std::string> doubtful_;                            // requests of which it is not known whether Slurm has them
    std::map<JobId, double> ended_since_;                       // jobs that Slurm may be about to queue again
};

// With Slurm's own commands. Throws as the constructor does.
[[nodiscard]] std::unique_ptr<JobQueue> slurm_queue(const std::string& run, const std::filesystem::path& folder, FileSystem& files,
                                                    Clock& clock);

}  // namespace satdl
