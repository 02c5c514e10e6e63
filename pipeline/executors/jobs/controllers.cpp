#include "pipeline/executors/jobs/controllers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <thread>
#include <utility>

#include "pipeline/core/utf8.h"
#include "pipeline/executors/jobs/job_journal.h"
#include "pipeline/store/layout.h"
#include "pipeline/store/process_mark.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

// In the folder of jobs of a run that took over those of another: that one's id.
constexpr const char* kTakenOverFile = "taken-over";
constexpr std::chrono::seconds kLongestWait{70};  // for the lease of another host: a little longer than it lasts
constexpr std::chrono::milliseconds kLook{500};
constexpr std::size_t kRunsShown = 5;

Digest controller_key(const std::string& run) { return sha256("satdl controller of the jobs of\n" + run); }

std::optional<std::string> small_file(const fs::path& path, FileSystem& files) {
    if (!files.stamp(path)) return std::nullopt;
    return std::string(first_line(files.read(path, 0, 256)));
}

fs::path dag_path(const JobRun& run) { return (run.folder / run.dag).lexically_normal(); }

// The lease of jobs whose controller is dead, or may be.
std::unique_ptr<Claim> claim_when_dead(const std::string& run, KeyClaims& claims, const std::function<void(const std::string&)>& tell,
                                       const std::atomic<bool>& stop) {
    const auto began = std::chrono::steady_clock::now();
    for (bool is_first = true;; is_first = false) {
        auto claimed = claim_controller(claims, run);
        if (auto* const claim = std::get_if<std::unique_ptr<Claim>>(&claimed)) return std::move(*claim);
        const auto& holder = std::get<ClaimHolder>(claimed);
        const bool may_be_dead = !holder.host.empty() && holder.host != host_name();
        if (!may_be_dead || stop.load() || std::chrono::steady_clock::now() - began > kLongestWait) return nullptr;
        if (is_first) tell(fmt::format("{} has jobs of this DAG: waiting up to a minute to see whether it still lives", holder.text()));
        std::this_thread::sleep_for(kLook);
    }
}

}  // namespace

std::vector<std::string> runs_with_jobs(const fs::path& store_folder, FileSystem& files) {
    std::vector<std::string> runs = files.list(store_folder / store_layout::kRuns);
    std::erase_if(runs, [&](const std::string& run) { return !JobJournal(jobs_folder(store_folder, run), files).is_open(); });
    std::ranges::reverse(runs);
    return runs;
}

std::string find_run_with_jobs(const fs::path& store_folder, const std::string& prefix, FileSystem& files) {
    const std::vector<std::string> open = runs_with_jobs(store_folder, files);
    if (open.empty()) throw Error(ExitCode::Usage, fmt::format("no run in {} has jobs", printable(store_folder.string())));
    if (prefix.empty()) return open.front();
    std::vector<std::string> matches;
    for (const std::string& run : files.list(store_folder / store_layout::kRuns)) {
        if (!run.starts_with(prefix)) continue;
        const auto submitter = small_file(jobs_folder(store_folder, run) / kTakenOverFile, files).value_or(run);
        const bool is_known = std::ranges::find(matches, submitter) != matches.end();
        if (!is_known && std::ranges::find(open, submitter) != open.end()) matches.push_back(submitter);
        if (run == prefix && !matches.empty()) return submitter;
    }
    if (matches.size() == 1) return matches.front();
    const auto shown = std::span(matches.empty() ? open : matches);
    const std::string some = fmt::format("{}", fmt::join(shown.first(std::min(shown.size(), kRunsShown)), ", "));
    if (matches.empty())
        throw Error(ExitCode::Usage, fmt::format("no run with jobs begins with '{}'", printable(prefix)),
                    fmt::format("there are: {}", some));
    throw Error(ExitCode::Usage, fmt::format("several runs with jobs begin with '{}': {}", printable(prefix), some));
}

bool has_open_jobs(const fs::path& store_folder, const std::string& run) {
    return JobJournal(jobs_folder(store_folder, run), *real_file_system()).is_open();
}

JobRun open_job_run(const fs::path& store_folder, const std::string& run, FileSystem& files) {
    const fs::path folder = jobs_folder(store_folder, run);
    return read_job_run(folder, small_file(folder / kOpenFile, files).value_or(""), files);
}

std::variant<std::unique_ptr<Claim>, ClaimHolder> claim_controller(KeyClaims& claims, const std::string& run) {
    return claims.claim(controller_key(run));
}

bool has_controller(const fs::path& store_folder, const std::string& run) {
    return is_claim_held(store_folder / store_layout::kClaims / controller_key(run).hex());
}

ControlledJobs take_control(const JobRun& run, const fs::path& store_folder, KeyClaims& claims, FileSystem& files,
                            const std::function<void(const std::string&)>& tell, const std::atomic<bool>& stop) {
    files.make_folders(jobs_folder(store_folder, run.run));
    for (const std::string& other : runs_with_jobs(store_folder, files)) {
        const fs::path folder = jobs_folder(store_folder, other);
        try {
            const JobRun its = open_job_run(store_folder, other, files);
            if (its.queue != run.queue || dag_path(its) != dag_path(run)) continue;
        } catch (const Error&) {  // foreign or damaged: not ours to continue
            continue;
        }
        std::unique_ptr<Claim> lease = claim_when_dead(other, claims, tell, stop);
        if (lease == nullptr) continue;
        JobJournal journal(folder, files);
        if (journal.read().open.empty()) {
            journal.close();
            continue;
        }
        const fs::path mark = jobs_folder(store_folder, run.run) / kTakenOverFile;
        files.append(mark, other + '\n', false);
        return {other, std::move(lease), true};
    }
    auto claimed = claim_controller(claims, run.run);
    auto* const lease = std::get_if<std::unique_ptr<Claim>>(&claimed);
    return {run.run, lease != nullptr ? std::move(*lease) : std::make_unique<Claim>(), false};
}

Cancelled cancel_jobs(const fs::path& folder, JobQueue& queue, FileSystem& files) {
    JobJournal journal(folder, files);
    const JobJournal::State state = journal.read();
    Cancelled cancelled;
    std::vector<JobId> waiting, running;
    std::vector<std::string> names;
    const auto answer = queue.poll();
    for (const JournaledJob& job : state.open) {
        names.push_back(job.name);
        if (!answer) continue;
        const auto found = answer->find(job.name);
        if (found == answer->end()) continue;
        const auto& [id, status] = found->second;
        if (status.state == JobStatus::State::Pending) waiting.push_back(id);
        else if (status.state == JobStatus::State::Running) running.push_back(id);
    }
    if (!waiting.empty()) queue.cancel(waiting);
    if (!running.empty()) queue.ask_to_stop(running);
    if (!answer) queue.cancel_all();
    if (!names.empty()) journal.closed(names);
    journal.close();
    return {.waiting = waiting.size(), .running = running.size(), .answered = answer.has_value()};
}

}  // namespace satdl
