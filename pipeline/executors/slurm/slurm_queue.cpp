#include "pipeline/executors/slurm/slurm_queue.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "pipeline/core/ascii.h"
#include "pipeline/core/check.h"
#include "pipeline/core/error.h"
#include "pipeline/executors/slurm/slurm_batch.h"

namespace satdl {
namespace {

// Slurm may show an end before it queues a job again. A job that is taken for ended too early runs twice for a moment, which does no harm.
constexpr double kRequeueSeconds = 10;
constexpr std::size_t kIdsInACall = 500;
constexpr std::size_t kMaxTasksBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxStems = 1000;
constexpr std::size_t kJobsAtOnce = 1000;

bool is_name(std::string_view text) { return is_made_of(text, "._-") && text.front() != '-'; }

std::string user() { return std::to_string(::geteuid()); }

// Of two jobs of one name, after a lost answer: the one that has come farther.
int rank(const JobStatus& status) {
    switch (status.state) {
        case JobStatus::State::Running: return 3;
        case JobStatus::State::Pending: return 2;
        case JobStatus::State::Ended: return status.end == JobEnd::Exited && status.exit_code == 0 ? 4 : 1;
        case JobStatus::State::Unknown: break;
    }
    return 0;
}

void write_whole(const std::filesystem::path& path, std::string_view text, FileSystem& files) {
    const Extent whole{0, std::as_bytes(std::span(text))};
    files.write_new(path, text.size(), std::span(&whole, 1));
}

// The task's number in its array: of "4711_3", 3.
std::optional<std::size_t> task_of(const JobId& id) {
    const std::size_t bar = id.find('_');
    if (bar == JobId::npos || id.size() - bar > 9) return std::nullopt;
    return std::stoul(id.substr(bar + 1));
}

SlurmConfig ask_for_config(SlurmCommands& slurm) {
    // sbatch, since that is what a machine lacks that only has Slurm's daemons; it says its version without asking anybody.
    for (const std::vector<std::string>& argv : {std::vector<std::string>{"sbatch", "--version"}, {"scontrol", "show", "config"}}) {
        const SlurmReply reply = slurm.call(argv);
        if (reply.kind == SlurmReply::Kind::NotInstalled)
            throw Error(ExitCode::Usage, fmt::format("Slurm's command {} is not installed here", argv[0]),
                        "start satdl on a machine from which jobs are submitted, such as the cluster's login node, or load Slurm's\n"
                        "module; Debian's package is slurm-client");
        if (!reply.good())
            throw Error(ExitCode::Usage, fmt::format("Slurm does not answer: {}", reply.words),
                        "`scontrol ping` shows whether its controller is up; SLURM_CONF names the cluster's configuration file");
        if (argv[0] == "scontrol") return parse_slurm_config(reply.out);
    }
    return {};
}

}  // namespace

SlurmQueue::SlurmQueue(const std::string& run, std::filesystem::path folder, std::unique_ptr<SlurmCommands> slurm, FileSystem& files,
                       Clock& clock)
    : job_name_("satdl-" + run),
      folder_(std::move(folder)),
      slurm_(std::move(slurm)),
      files_(files),
      clock_(clock),
      config_(ask_for_config(*slurm_)) {
    SATDL_CHECK(is_name(run), "a run's id with other characters");
    files_.make_folders(folder_);
}

JobLimits SlurmQueue::limits() {
    // Half: MaxJobCount is for all users, and for jobs that ended some minutes ago.
    return {.jobs_at_once = std::clamp<std::size_t>(config_.max_job_count / 2, 1, kJobsAtOnce),
            .array = std::clamp<std::size_t>(config_.max_array_size, 1, kJobsAtOnce)};
}

std::vector<SubmitResult> SlurmQueue::submit(std::span<const JobRequest> requests) {
    std::vector<SubmitResult> results(requests.size());
    std::map<std::string, JobId> there;
    if (std::ranges::any_of(requests, [&](const JobRequest& request) { return doubtful_.contains(request.name); })) {
        const auto shown = rows();
        if (!shown) {
            std::ranges::fill(results, SubmitFailure{SubmitFailure::Class::Throttled, "squeue does not say whether the job is there"});
            return results;
        }
        for (const SlurmJobRow& row : *shown) there[name_of(row)] = row.id;
    }
    std::vector<JobRequest> fresh;
    std::vector<std::size_t> positions;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        doubtful_.erase(requests[i].name);
        if (const auto found = there.find(requests[i].name); found != there.end()) {
            results[i] = found->second;
        } else {
            fresh.push_back(requests[i]);
            positions.push_back(i);
        }
    }
    if (!fresh.empty()) {
        std::vector<SubmitResult> answers = submit_new(fresh);
        for (std::size_t i = 0; i < answers.size(); ++i) results[positions[i]] = std::move(answers[i]);
    }
    return results;
}

std::vector<SubmitResult> SlurmQueue::submit_new(std::span<const JobRequest> requests) {
    // Another name each time: an array of which we know nothing may still read its file.
    SlurmBatch batch;
    for (std::size_t i = 1; i <= kMaxStems; ++i) {
        batch = slurm_batch(job_name_, requests, folder_, requests[0].name + (i == 1 ? "" : fmt::format(".{}", i)));
        if (!files_.stamp(batch.script) && (batch.tasks.empty() || !files_.stamp(batch.tasks))) break;
    }
    if (!batch.tasks.empty()) {
        write_whole(batch.tasks, batch.tasks_text, files_);
        files_.make_folder(batch.logs);
        for (std::size_t i = 0; i < requests.size(); ++i) files_.point_link(requests[i].log, batch.logs / std::to_string(i));
    }
    write_whole(batch.script, batch.script_text, files_);
    const SlurmReply reply = slurm_->call(batch.argv);
    files_.remove(batch.script);

    std::vector<SubmitResult> results(requests.size());
    const auto accepted = [&](const JobId& job) {
        for (std::size_t i = 0; i < requests.size(); ++i) {
            const JobId id = requests.size() == 1 ? job : fmt::format("{}_{}", job, i);
            names_[id] = requests[i].name;
            results[i] = id;
        }
    };
    const auto refused = [&](SubmitFailure::Class failure) {
        std::ranges::fill(results, SubmitFailure{failure, reply.words});
        return results;
    };
    if (const auto job = parse_sbatch(reply.out); reply.good() && job) {
        accepted(*job);
        return results;
    }
    if (reply.kind == SlurmReply::Kind::NotInstalled) return refused(SubmitFailure::Class::Config);
    const SlurmRefusal refusal = reply.kind == SlurmReply::Kind::Refused ? refusal_of(reply.words) : SlurmRefusal::Lost;
    if (refusal == SlurmRefusal::Config) return refused(SubmitFailure::Class::Config);
    if (refusal == SlurmRefusal::Busy) return refused(SubmitFailure::Class::Throttled);

    const auto shown = rows();
    if (shown) {
        const auto same = std::ranges::find(*shown, batch.comment, &SlurmJobRow::comment);
        if (same != shown->end()) {
            accepted(same->id.substr(0, same->id.find('_')));
            return results;
        }
        // A limit that is met without a job of ours is one on the size of a job.
        if (refusal == SlurmRefusal::Limit && shown->empty()) return refused(SubmitFailure::Class::Config);
    }
    for (const JobRequest& request : requests) doubtful_.insert(request.name);
    return refused(SubmitFailure::Class::Throttled);
}

std::optional<std::vector<SlurmJobRow>> SlurmQueue::rows() {
    const SlurmReply reply = slurm_->call({"squeue", "-h", "-r", "-t", "all", "-u", user(), "-n", job_name_, "-O", kSqueueFormat});
    if (!reply.good()) return std::nullopt;
    std::vector<SlurmJobRow> jobs = parse_squeue(reply.out);
    // What sbatch refuses (BadConstraints) stays in squeue for a while.
    std::erase_if(jobs, [](const SlurmJobRow& row) { return row.job.word == "FAILED" && status_of(row.job).machine.empty(); });
    return jobs;
}

std::string SlurmQueue::name_of(const SlurmJobRow& row) {
    if (const auto known = names_.find(row.id); known != names_.end()) return known->second;
    if (!is_name(row.comment)) return "";
    const std::optional<std::size_t> task = task_of(row.id);
    std::string name = row.comment;
    if (task) {
        if (!tasks_.contains(row.comment)) {
            try {
                tasks_[row.comment] = parse_slurm_tasks(files_.read(slurm_tasks_file(folder_, row.comment), 0, kMaxTasksBytes));
            } catch (const FileError&) {
                return "";  // not there, or not to be read now: asked again next time
            }
        }
        const std::vector<std::string>& tasks = tasks_[row.comment];
        name = *task < tasks.size() ? tasks[*task] : "";
    }
    if (!name.empty()) names_[row.id] = name;
    return name;
}

JobStatus SlurmQueue::settled_status(const SlurmJobRow& row) {
    JobStatus status = status_of(row.job);
    if (!may_be_requeued(row.job.word)) {
        ended_since_.erase(row.id);
        return status;
    }
    const double since = ended_since_.try_emplace(row.id, clock_.seconds()).first->second;
    if (clock_.seconds() - since < kRequeueSeconds) {
        status.state = JobStatus::State::Pending;
        status.reason = row.job.word;
    }
    return status;
}

std::optional<std::map<std::string, std::pair<JobId, JobStatus>>> SlurmQueue::poll() {
    const auto shown = rows();
    if (!shown) return std::nullopt;
    std::map<std::string, std::pair<JobId, JobStatus>> jobs;
    for (const SlurmJobRow& row : *shown) {
        const std::string name = name_of(row);
        if (name.empty()) continue;
        JobStatus status = settled_status(row);
        const auto [at, added] = jobs.try_emplace(name, row.id, status);
        if (!added && rank(at->second.second) < rank(status)) at->second = {row.id, std::move(status)};
    }
    return jobs;
}

std::map<JobId, JobStatus> SlurmQueue::look_up(std::span<const JobId> jobs) {
    std::map<JobId, JobStatus> found;
    if (!config_.accounting) return found;
    for (std::size_t from = 0; from < jobs.size(); from += kIdsInACall) {
        std::vector<JobId> ids;
        std::ranges::copy_if(jobs.subspan(from, std::min(kIdsInACall, jobs.size() - from)), std::back_inserter(ids), is_slurm_id);
        if (ids.empty()) continue;
        const std::string list = fmt::format("{}", fmt::join(ids, ","));
        const SlurmReply reply = slurm_->call({"sacct", "-X", "-D", "-P", "-n", "-j", list, "-o", kSacctFormat});
        if (!reply.good()) continue;
        for (const SlurmJobRow& row : parse_sacct(reply.out)) {
            JobStatus status = status_of(row.job);
            // Slurm itself, or its administrator, before it ran: nobody who wants it to end.
            const bool by_slurm = row.job.word == "CANCELLED by 0" && row.ran_seconds == 0 && ::geteuid() != 0;
            if (by_slurm) status.end = JobEnd::Infrastructure;
            found[row.id] = status;  // the last of several is the newest
        }
    }
    return found;
}

void SlurmQueue::call_for(std::vector<std::string> argv, std::span<const JobId> jobs) {
    const std::size_t options = argv.size();
    for (std::size_t from = 0; from < jobs.size(); from += kIdsInACall) {
        argv.resize(options);
        std::ranges::copy_if(jobs.subspan(from, std::min(kIdsInACall, jobs.size() - from)), std::back_inserter(argv), is_slurm_id);
        if (argv.size() > options) (void)slurm_->call(argv);  // that a job has just ended is an error to scancel
    }
}

void SlurmQueue::cancel(std::span<const JobId> jobs) { call_for({"scancel", "--quiet"}, jobs); }

void SlurmQueue::cancel_all() { (void)slurm_->call({"scancel", "--quiet", "-u", user(), "-n", job_name_}); }

void SlurmQueue::ask_to_stop(std::span<const JobId> jobs) { call_for({"scancel", "--quiet", "--signal=TERM", "--batch"}, jobs); }

std::unique_ptr<JobQueue> slurm_queue(const std::string& run, const std::filesystem::path& folder, FileSystem& files, Clock& clock) {
    return std::make_unique<SlurmQueue>(run, folder, slurm_commands(clock), files, clock);
}

}  // namespace satdl
