#include "pipeline/executors/jobs/make_job_executor.h"

#include <fmt/format.h>

#include <utility>

#include "pipeline/core/utf8.h"
#include "pipeline/executors/jobs/controllers.h"
#include "pipeline/executors/jobs/queue_executor.h"
#include "pipeline/executors/slurm/slurm_queue.h"

namespace satdl {

std::unique_ptr<JobQueue> make_job_queue(const std::string& type, const std::string& run, const std::filesystem::path& jobs_folder,
                                         FileSystem& files, Clock& clock) {
    if (type == "slurm") return slurm_queue(run, jobs_folder / "slurm", files, clock);
    throw Error(ExitCode::Usage, fmt::format("satdl knows no batch system '{}'", printable(type)), "type: slurm");
}

std::unique_ptr<JobExecutor> make_job_executor(JobExecutorSetup setup) {
    const std::filesystem::path store = setup.run.store;
    ControlledJobs jobs = take_control(setup.run, store, setup.claims, setup.files, setup.tell, setup.stop);
    if (jobs.taken_over) setup.tell(fmt::format("takes over the jobs of run {}", jobs.run));
    setup.run.run = jobs.run;
    const std::filesystem::path folder = jobs_folder(store, jobs.run);
    auto queue = make_job_queue(setup.run.queue, jobs.run, folder, setup.files, setup.clock);
    const std::string run_file = write_job_run(folder, setup.run, setup.files);
    QueueExecutorOptions options{.folder = folder,
                                 .run_file = run_file,
                                 .command = {setup.program.string(), "exec-batch"},
                                 .working_folder = setup.run.folder,
                                 .takes = std::move(setup.takes)};
    return std::make_unique<QueueExecutor>(std::move(options), std::move(queue), std::move(jobs.lease), setup.files, setup.store,
                                           setup.checkpoints, setup.clock);
}

}  // namespace satdl
