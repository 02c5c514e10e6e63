// satdl cancel: ends the jobs of a run, whoever follows them.
#include <fmt/format.h>

#include <memory>
#include <variant>

#include "commands/shared/session.h"
#include "pipeline/executors/jobs/controllers.h"
#include "pipeline/executors/jobs/make_job_executor.h"
#include "pipeline/run/clock.h"
#include "pipeline/store/process_mark.h"

namespace satdl {

namespace {

struct CancelOptions {
    std::string store = kDefaultStore;
    std::string run;
};

ExitCode cancel(const CancelOptions& options) {
    check_is_store(options.store);
    const auto files = real_file_system();
    const std::string run = find_run_with_jobs(options.store, options.run, *files);
    const std::filesystem::path folder = jobs_folder(options.store, run);
    ClaimFiles claims(options.store, {.process = name_with_process("satdl", 0), .host = host_name(), .run = run});
    const auto claimed = claim_controller(claims, run);
    if (const auto* const holder = std::get_if<ClaimHolder>(&claimed)) {
        files->append(folder / kCancelFile, "", true);
        fmt::print("asked {} to cancel its jobs; stages that run write a checkpoint first\n", holder->text());
        return ExitCode::Done;
    }
    const auto clock = steady_clock();
    const auto queue = make_job_queue(open_job_run(options.store, run, *files).queue, run, folder, *files, *clock);
    const Cancelled cancelled = cancel_jobs(folder, *queue, *files);
    if (cancelled.answered)
        fmt::print("run {}: {} waiting jobs cancelled; {} running ones asked to write a checkpoint and end\n", run, cancelled.waiting,
                   cancelled.running);
    else
        fmt::print("run {}: {} does not say which jobs there are; it was asked to cancel all of the run's\n", run, queue->name());
    return ExitCode::Done;
}

}  // namespace

void add_cancel_command(Command& program) {
    program.add_command<CancelOptions>(
        "cancel", "cancel the jobs of a run",
        "Jobs that wait are cancelled; those that run are asked to write a checkpoint and to end. `satdl run` resumes them.\n"
        "Examples:\n"
        "  satdl cancel                            of the newest run that has jobs\n"
        "  satdl cancel 20261124T031731",
        [](Command& command, CancelOptions& options) {
            command.add_option("run", options.run, "the run's id, or its first characters; default: the newest that has jobs")
                .type_name("RUN");
            add_store_option(command, options.store);
        },
        cancel);
}

}  // namespace satdl
