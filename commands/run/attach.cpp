// satdl attach: back to a run whose jobs go on without anybody who looks.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "commands/run/background.h"
#include "commands/shared/session.h"
#include "pipeline/executors/jobs/controllers.h"
#include "pipeline/records/run_record.h"
#include "pipeline/records/run_summary.h"
#include "pipeline/store/layout.h"

namespace satdl {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
constexpr std::chrono::milliseconds kLook{200};

struct AttachOptions {
    std::string store = kDefaultStore;
    std::string run;
};

// Prints the output of a run in the background until that ends.
ExitCode follow(const fs::path& store, const std::string& run) {
    const auto files = real_file_system();
    const fs::path output = background_output(store, run);
    for (std::uint64_t offset = 0;;) {
        const bool lives = is_in_background(store, run);  // before reading: what it wrote last is then read
        const std::string text = files->read(output, offset, kPieceBytes);
        offset += text.size();
        fmt::print("{}", text);
        std::fflush(stdout);
        if (!text.empty()) continue;
        if (!lives) break;
        std::this_thread::sleep_for(kLook);
    }
    if (!files->stamp(record_path(store, run))) return ExitCode::Done;  // nothing had to run
    OpenStore open(store, Access::ReadOnly);
    const Json summary = summary_of_run(store, run, open.files(), open.index());
    return summary.at("outcome") == "done" ? ExitCode::Done : ExitCode::StageFailed;
}

// This process becomes `satdl run` with the arguments of that run, in its folder: that takes its jobs over.
[[noreturn]] void continue_run(const JobRun& run) {
    std::error_code failed;
    fs::current_path(run.folder, failed);
    if (failed)
        throw Error(ExitCode::Store,
                    fmt::format("cannot enter the folder of the run, '{}': {}", printable(run.folder.string()), failed.message()));
    std::vector<std::string> arguments{"satdl"};
    for (const std::string& argument : run.arguments)
        if (argument != "--detach") arguments.push_back(argument);
    // The run may have had its store from the environment.
    ::setenv("SATDL_STORE", run.store.c_str(), 1);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::fflush(nullptr);
    ::execv("/proc/self/exe", argv.data());
    throw Error(ExitCode::Store, fmt::format("cannot start satdl again: {}", std::strerror(errno)));
}

// Of the runs in the background, the newest that begins so; "" if there is none. It may have no record yet. One that has ended counts if it is
// named: it may have been too short for whoever named it.
std::string find_in_background(const fs::path& store, const std::string& prefix, FileSystem& files) {
    const std::vector<std::string> runs = files.list(store / store_layout::kRuns);
    const auto has_ended_there = [&](const std::string& run) {
        return !prefix.empty() && files.stamp(background_output(store, run)) && !has_open_jobs(store, run);
    };
    const auto found = std::find_if(runs.rbegin(), runs.rend(), [&](const std::string& run) {
        return run.starts_with(prefix) && (is_in_background(store, run) || has_ended_there(run));
    });
    return found == runs.rend() ? "" : *found;
}

ExitCode attach(const AttachOptions& options) {
    check_is_store(options.store);
    const auto files = real_file_system();
    const std::string in_background = find_in_background(options.store, options.run, *files);
    if (!in_background.empty()) return follow(options.store, in_background);
    const std::string run = find_run_with_jobs(options.store, options.run, *files);
    if (has_controller(options.store, run))
        throw Error(ExitCode::Usage, fmt::format("the jobs of run {} are followed by a `satdl run` in another terminal", run),
                    "end that by SIGHUP, and its jobs go on");
    continue_run(open_job_run(options.store, run, *files));
}

}  // namespace

void add_attach_command(Command& program) {
    program.add_command<AttachOptions>(
        "attach", "show a run that was detached, or continue one whose jobs go on",
        "A run in the background is shown until it ends, one that has ended only if it is named; Ctrl-C leaves it alone. If its process has\n"
        "ended and its jobs have not, this is `satdl run` again as it was: it takes the jobs over (docs/cluster.md).\n"
        "Examples:\n"
        "  satdl attach                            the newest\n"
        "  satdl attach 20261124T031731",
        [](Command& command, AttachOptions& options) {
            command.add_option("run", options.run, "the run's id, or its first characters; default: the newest").type_name("RUN");
            add_store_option(command, options.store);
        },
        attach);
}

}  // namespace satdl
