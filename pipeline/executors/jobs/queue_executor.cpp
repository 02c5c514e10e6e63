#include "pipeline/executors/jobs/queue_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "pipeline/catalog/execution_policy.h"
#include "pipeline/core/ascii.h"
#include "pipeline/core/utf8.h"

namespace satdl {
namespace {

constexpr int kKilled = 128 + 9, kCannotExecute = 126, kNotFound = 127;
constexpr double kNearTheLimit = 0.9;  // of a job's memory: whatever was killed there was killed because of it
constexpr int kFailuresUntilExcluded = 2;
constexpr double kCancelLook = 1;  // seconds between looks for the file by which `satdl cancel` asks

std::string exit_text(int code) {
    if (code > 128) return fmt::format("was killed by signal {}", code - 128);
    return fmt::format("ended with exit code {}", code);
}

std::string joined(std::initializer_list<std::string> paragraphs) {
    std::string text;
    for (const std::string& one : paragraphs)
        if (!one.empty()) text += (text.empty() ? "" : "\n") + one;
    return text;
}

// What kills a process for its memory may be known to nothing but its log: Slurm without control groups calls the job FAILED.
bool says_out_of_memory(std::string_view log) {
    const std::string text = lower(log);
    for (const char* const words : {"memory limit", "oom-kill", "oom_kill", "out of memory"})
        if (text.find(words) != std::string::npos) return true;
    return false;
}

}  // namespace

QueueExecutor::QueueExecutor(QueueExecutorOptions options, std::unique_ptr<JobQueue> queue, std::unique_ptr<Claim> lease, FileSystem& files,
                             Store& store, CheckpointStore* checkpoints, Clock& clock)
    : options_(std::move(options)),
      lease_(std::move(lease)),
      queue_(std::move(queue)),
      files_(files),
      store_(store),
      checkpoints_(checkpoints),
      clock_(clock),
      journal_(options_.folder, files),
      pool_(options_.batches),
      submissions_seconds_(clock.seconds()),
      random_(static_cast<unsigned>(std::hash<std::string>{}(options_.folder.string()))) {
    journal_.open(options_.run_file);
    files_.remove(options_.folder / kCancelFile);  // it was meant for the controller before
    take_over();
}

// Whoever comes next finds what is not closed, as after a crash.
QueueExecutor::~QueueExecutor() {
    if (!is_detached_ && jobs_.empty()) journal_.close();
}

// ---- jobs that a controller before this one submitted

void QueueExecutor::take_over() {
    JobJournal::State state = journal_.read();
    batches_ = state.batches;
    const double now = clock_.seconds();
    for (const JournaledJob& known : state.open) {
        std::optional<JobSpec> spec;
        try {
            spec = read_job_spec(options_.folder / known.name, files_);
        } catch (const Error&) {  // it was not submitted: its spec is written before
            journal_.closed({known.name});
            continue;
        }
        const int number = std::atoi(known.name.c_str() + 1);
        const auto [place, is_new] = jobs_.try_emplace(number, known.name, options_.folder / known.name, *spec);
        if (!is_new) continue;
        TrackedJob& job = place->second;
        job_numbers_.emplace(job.name, number);
        job.id = known.id;
        job.resources.cpus = spec->cpus;
        job.resources.memory_bytes = spec->memory_bytes;
        job.resources.seconds = spec->seconds;
        job.intended = job.submitted = true;
        job.submitted_seconds = now;
        for (std::size_t slot = 0; slot < job.slots.size(); ++slot) adoptable_.try_emplace(job.slots[slot].key, number, slot);
        query_interval_ = options_.times.first_query;
        next_query_ = now;
    }
}

bool QueueExecutor::attach(const JobStage& stage) {
    const auto found = adoptable_.find(stage.key);
    if (found == adoptable_.end()) return false;
    const auto [number, position] = found->second;
    const auto job = jobs_.find(number);
    if (job == jobs_.end()) return false;
    Slot& slot = job->second.slots[position];
    if (slot.settled || (stage.forced && !slot.forced)) return false;
    adoptable_.erase(found);
    slot.node = stage.node;
    slot.name = stage.name;
    slot.forced = stage.forced;
    Stage& its = stages_.at(stage.node);
    its.history.jobs = 1;
    attached_.push_back(stage.node);
    next_look_ = 0;
    return true;
}

// ---- what waits

void QueueExecutor::submit(std::vector<JobStage> stages) {
    const double now = clock_.seconds();
    for (JobStage& stage : stages) {
        const NodeId node = stage.node;
        Stage& its = stages_.insert_or_assign(node, Stage{.stage = std::move(stage)}).first->second;
        if (checkpoints_ != nullptr) its.position = checkpoints_->newest(its.stage.key);
        if (stopping_since_) {
            ended_.emplace_back(node, JobOutcome{.state = JobOutcome::State::Stopped, .attempts = 0});
            continue;
        }
        if (attach(its.stage)) continue;
        if (pool_.empty()) first_arrival_ = now;
        last_arrival_ = now;
        enqueue(node);
    }
}

void QueueExecutor::enqueue(NodeId node) {
    const Stage& stage = stages_.at(node);
    pool_.add({.stage = stage.stage, .excluded_nodes = stage.excluded_nodes, .alone = stage.alone});
}

void QueueExecutor::release_delayed(double now) {
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
        enqueue(delayed_.begin()->second);
        delayed_.erase(delayed_.begin());
    }
}

void QueueExecutor::submit_waiting(double now) {
    submissions_ = std::min(kMostSubmissions, submissions_ + (now - submissions_seconds_) * kSubmissionsPerSecond);
    submissions_seconds_ = now;
    if (now < throttled_until_) return;
    if (!limits_) {
        if (pool_.empty()) return;
        limits_ = queue_->limits();
    }
    for (auto groups = std::exchange(unsubmitted_, {}); !groups.empty(); groups.erase(groups.begin())) {
        if (submissions_ < 1 || now < throttled_until_) {
            unsubmitted_.insert(unsubmitted_.end(), groups.begin(), groups.end());
            return;
        }
        submit_group(groups.front(), now);
    }
    const bool is_settling =
        now - last_arrival_ < options_.times.settling && now - first_arrival_ < options_.times.longest_settling;
    if (is_settling) return;
    while (!pool_.empty() && submissions_ >= 1 && now >= throttled_until_ && jobs_.size() < limits_->jobs_at_once) {
        const std::size_t free = limits_->jobs_at_once - jobs_.size();
        submit_group(new_jobs(pool_.take(std::min(free, std::max<std::size_t>(limits_->array, 1)))), now);
    }
}

std::vector<TrackedJob*> QueueExecutor::new_jobs(std::vector<JobBatch> batches) {
    std::vector<TrackedJob*> jobs;
    for (JobBatch& batch : batches) {
        JobSpec spec{.run_file = options_.run_file,
                     .nodes = {},
                     .cpus = batch.resources.cpus,
                     .memory_bytes = batch.resources.memory_bytes,
                     .seconds = batch.resources.seconds};
        int attempt = 1;
        for (const NodeId node : batch.nodes) {
            const Stage& stage = stages_.at(node);
            spec.nodes.push_back({stage.stage.name, stage.stage.key, stage.stage.forced});
            attempt = std::max(attempt, stage.history.jobs + 1);
        }
        const int number = ++batches_;
        const std::string name = job_name(number, attempt);
        TrackedJob& job = jobs_.try_emplace(number, name, options_.folder / name, spec).first->second;
        job_numbers_.emplace(name, number);
        job.resources = std::move(batch.resources);
        job.excluded_nodes = std::move(batch.excluded_nodes);
        for (std::size_t i = 0; i < batch.nodes.size(); ++i) job.slots[i].node = batch.nodes[i];
        jobs.push_back(&job);
    }
    return jobs;
}

void QueueExecutor::submit_group(const std::vector<TrackedJob*>& jobs, double now) {
    std::vector<std::string> names;
    std::vector<JobRequest> requests;
    for (TrackedJob* const job : jobs) {
        if (!job->intended) names.push_back(job->name);
        JobRequest& request = requests.emplace_back();
        request.name = job->name;
        request.command = options_.command;
        request.command.push_back(job->folder.string());
        request.folder = options_.working_folder;
        request.log = job->folder / kJobLog;
        request.resources = job->resources;
        request.excluded_nodes = job->excluded_nodes;
    }
    try {
        for (TrackedJob* const job : jobs) {
            if (job->intended) continue;
            JobSpec spec{.run_file = options_.run_file,
                         .nodes = {},
                         .cpus = job->resources.cpus,
                         .memory_bytes = job->resources.memory_bytes,
                         .seconds = job->resources.seconds};
            for (const Slot& slot : job->slots) spec.nodes.push_back({slot.name, slot.key, slot.forced});
            files_.remove(job->folder / kSpecFile);  // of a try that failed
            write_job_spec(job->folder, spec, files_);
        }
        if (!names.empty()) journal_.intend(names);
    } catch (const Error& error) {  // a full disk, say: nothing is submitted that nobody would find again
        throttle(jobs, std::string(first_line(error.what())), now);
        return;
    }
    for (TrackedJob* const job : jobs) job->intended = true;
    submissions_ -= 1;
    std::vector<SubmitResult> results;
    try {
        results = queue_->submit(requests);
    } catch (const Error& error) {
        throttle(jobs, std::string(first_line(error.what())), now);
        return;
    }
    std::vector<std::pair<std::string, std::string>> ids;
    std::vector<TrackedJob*> refused;
    std::string because;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        TrackedJob& job = *jobs[i];
        if (i >= results.size()) {
            refused.push_back(&job);
            continue;
        }
        if (const auto* const id = std::get_if<JobId>(&results[i])) {
            job.submitted = true;
            job.id = *id;
            job.submitted_seconds = now;
            ids.emplace_back(job.name, job.id);
            for (const Slot& slot : job.slots)
                if (slot.node) ++stages_.at(*slot.node).history.jobs;
            tell(job, "");
            continue;
        }
        const auto& failure = std::get<SubmitFailure>(results[i]);
        if (failure.failure == SubmitFailure::Class::Throttled) {
            refused.push_back(&job);
            because = failure.text;
            continue;
        }
        for (Slot& slot : job.slots) {
            const std::string refusal = slot.node ? stages_.at(*slot.node).refused : "";
            settle_failed(job, slot,
                          refusal.empty() ? fmt::format("{} does not accept its job: {}", queue_->name(), failure.text)
                                          : fmt::format("{}\n{} has no other machine for it: {}", refusal, queue_->name(), failure.text),
                          true);
        }
        settled_.push_back(job_numbers_.at(job.name));
    }
    if (!ids.empty()) {
        journal_.submitted(ids);
        throttles_ = 0;
        if (query_interval_ == 0) {
            query_interval_ = options_.times.first_query;
            next_query_ = now + query_interval_;
        } else {
            query_interval_ = std::min(query_interval_, 5 * options_.times.first_query);
            query_at_latest(now + query_interval_);
        }
    }
    if (!refused.empty()) throttle(refused, because, now);
}

// They keep their names: if the batch system has taken them although it said otherwise, the next query shows them.
void QueueExecutor::throttle(const std::vector<TrackedJob*>& jobs, const std::string& because, double now) {
    unsubmitted_.push_back(jobs);
    const double seconds = back_off_seconds(throttles_++, options_.times.first_throttle, options_.times.longest_throttle);
    throttled_until_ = now + seconds * std::uniform_real_distribution(0.75, 1.25)(random_);
    query_at_latest(throttled_until_);
    for (TrackedJob* const job : jobs) tell(*job, fmt::format("{} takes no more jobs now: {}", queue_->name(), because));
}

// ---- the batch system

void QueueExecutor::query_at_latest(double seconds) {
    next_query_ = std::max(std::min(next_query_, seconds), last_query_ + options_.times.first_query);
}

void QueueExecutor::ask_queue(double now) {
    if (jobs_.empty() || now < next_query_) return;
    last_query_ = now;
    const auto answer = queue_->poll();
    const double longer = query_interval_ < 2 * options_.times.first_query ? 2 * query_interval_
                          : query_interval_ < 5 * options_.times.first_query ? 5 * options_.times.first_query
                                                                             : 2 * query_interval_;
    query_interval_ = std::min(std::max(longer, options_.times.first_query), options_.times.longest_query);
    next_query_ = now + query_interval_;
    if (!answer) {
        if (++failed_queries_ == 3)
            for (const auto& [number, job] : jobs_) tell(job, fmt::format("{} does not answer", queue_->name()));
        return;
    }
    if (std::exchange(failed_queries_, 0) >= 3)
        for (const auto& [number, job] : jobs_) tell(job, job.status.reason);
    std::vector<TrackedJob*> absent;
    for (auto& [number, job] : jobs_) {
        if (job.ended_seconds) continue;
        const auto found = answer->find(job.name);
        const bool is_known = found != answer->end() && found->second.second.state != JobStatus::State::Unknown;
        if (!is_known) {
            if (job.submitted) absent.push_back(&job);
            continue;
        }
        if (!job.submitted) {  // it was taken although the batch system said otherwise
            job.submitted = true;
            job.submitted_seconds = now;
            for (auto& group : unsubmitted_) std::erase(group, &job);
            for (const Slot& slot : job.slots)
                if (slot.node) ++stages_.at(*slot.node).history.jobs;
        }
        if (job.id != found->second.first) {
            job.id = found->second.first;
            journal_.submitted({{job.name, job.id}});
        }
        job.absent_since.reset();
        apply(job, found->second.second, now);
    }
    std::erase_if(unsubmitted_, [](const auto& group) { return group.empty(); });
    apply_absence(absent, now);
}

void QueueExecutor::apply(TrackedJob& job, const JobStatus& status, double now) {
    const JobStatus before = std::exchange(job.status, status);
    if (before.state != status.state) query_interval_ = std::min(query_interval_, 5 * options_.times.first_query);
    switch (status.state) {
        case JobStatus::State::Pending:
            if (before.state == JobStatus::State::Running) job.begun_seconds.reset();  // it is going to be restarted
            if (status.reason != job.told_reason || before.stuck != status.stuck) {
                job.told_reason = status.reason;
                tell(job, status.reason);
                if (status.stuck)
                    for (const Slot& slot : job.slots)
                        if (slot.node && listener_ != nullptr)
                            listener_->log(*slot.node, LogLevel::Warning,
                                           fmt::format("{} will not start by itself: {}", job.text(), printable(status.reason)));
            }
            break;
        case JobStatus::State::Ended:
            job.ended_seconds = now;
            look_at(job, now);
            break;
        case JobStatus::State::Running:
        case JobStatus::State::Unknown: break;
    }
}

// Not in a complete answer: the first time it may be late, or in the course of being restarted.
void QueueExecutor::apply_absence(const std::vector<TrackedJob*>& absent, double now) {
    std::vector<JobId> ids;
    std::vector<TrackedJob*> gone;
    for (TrackedJob* const job : absent) {
        if (!job->absent_since) {
            job->absent_since = now;
            query_at_latest(now + options_.times.absence);
        } else if (now - *job->absent_since >= options_.times.absence) {
            gone.push_back(job);
            if (!job->id.empty()) ids.push_back(job->id);
        }
    }
    if (gone.empty()) return;
    const auto accounting = ids.empty() ? std::map<JobId, JobStatus>{} : queue_->look_up(ids);
    for (TrackedJob* const job : gone) {
        const auto found = accounting.find(job->id);
        const bool has_ended = found != accounting.end() && found->second.state == JobStatus::State::Ended;
        const std::string machine = job->machine();
        job->status = has_ended ? found->second : JobStatus{.state = JobStatus::State::Unknown, .machine = machine};
        job->ended_seconds = now;
        look_at(*job, now);
    }
}

// ---- the jobs' files

void QueueExecutor::look_at_files(double now) {
    if (now < next_look_) return;
    next_look_ = now + options_.times.files;
    auto place = jobs_.lower_bound(next_to_look_at_);
    for (std::size_t count = std::min(options_.files_at_once, jobs_.size()); count > 0; --count) {
        if (place == jobs_.end()) place = jobs_.begin();
        if (place->second.submitted) look_at(place->second, now);
        ++place;
    }
    next_to_look_at_ = place == jobs_.end() ? 0 : place->first;
}

void QueueExecutor::look_at(TrackedJob& job, double now) {
    const TrackedJob::News news = job.read_files(now, files_);
    if (news.has_begun) {
        for (const Slot& slot : job.slots)
            if (slot.node && !slot.settled) stages_.at(*slot.node).queued_seconds += std::max(now - job.submitted_seconds, 0.0);
    }
    for (const JobEvent& event : news.events) {
        const Slot& slot = job.slots[event.node];
        if (!slot.node || slot.settled) continue;
        if (event.what == JobEvent::What::Started) listener_->started(*slot.node, job.text());
        else if (event.what == JobEvent::What::Progress) listener_->progress(*slot.node, event.progress);
        else if (event.what == JobEvent::What::Log) listener_->log(*slot.node, event.level, event.text);
    }
    bool waits_for_queue = false;
    for (Slot& slot : job.slots) {
        if (slot.settled || !slot.end) continue;
        conclude(job, slot, now);
        waits_for_queue = waits_for_queue || (!slot.settled && !slot.unseen_since);
    }
    if (job.finish && job.finish->refusal != JobFinish::Refusal::None) conclude_refused(job);
    if (job.ended_seconds) {
        conclude_ended(job, now);
    } else if (news.has_finished && waits_for_queue) {  // it was stopped: is it going to be restarted?
        query_interval_ = options_.times.first_query;
        query_at_latest(now);
    }
    if (job.is_settled()) settled_.push_back(job_numbers_.at(job.name));
}

bool QueueExecutor::has_artifact(const Slot& slot) { return !slot.forced && store_.find(slot.key).has_value(); }

bool QueueExecutor::has_advanced(const Slot& slot) {
    if (checkpoints_ == nullptr || !slot.node) return false;
    checkpoints_->look_again();  // its job wrote it
    const auto now = checkpoints_->newest(slot.key);
    const auto& before = stages_.at(*slot.node).position;
    return now && (!before || is_farther(*now, *before));
}

// Of a stage that has ended, in its job's words. One that was stopped is left to conclude_ended(): the batch system may restart the job.
void QueueExecutor::conclude(TrackedJob& job, Slot& slot, double now) {
    const JobNodeEnd& end = *slot.end;
    switch (end.outcome) {
        case JobNodeEnd::Outcome::Ran:
            if (slot.forced || has_artifact(slot)) {
                settle_ran(job, slot);
                return;
            }
            if (!slot.unseen_since) slot.unseen_since = now;
            else if (now - *slot.unseen_since >= options_.times.invisible) try_again(job, slot, JobFailure::Invisible);
            return;
        case JobNodeEnd::Outcome::Failed:
            if (has_artifact(slot)) settle_ran(job, slot);
            else settle_failed(job, slot, joined({end.error, job.end_of_log(files_)}));
            return;
        case JobNodeEnd::Outcome::Stopped:
        case JobNodeEnd::Outcome::Continued:
            if (stopping_since_ && job.asked_to_stop) settle_stopped(job, slot);
            return;
    }
}

void QueueExecutor::conclude_refused(TrackedJob& job) {
    const bool another_machine = job.finish->refusal == JobFinish::Refusal::Machine;
    const bool is_of_another_controller = job.run_file != options_.run_file;  // and so, perhaps, of a satdl that was replaced
    for (Slot& slot : job.slots) {
        if (slot.settled) continue;
        if (another_machine && slot.node) {
            Stage& stage = stages_.at(*slot.node);
            stage.refused = job.finish->refused;
            exclude_machine(stage, job.machine(), 1);
            listener_->log(*slot.node, LogLevel::Warning, std::string(first_line(stage.refused)));
            try_again(job, slot, JobFailure::Infrastructure);
        } else if (is_of_another_controller) {
            try_again(job, slot, JobFailure::Unblamed);
        } else {
            settle_failed(job, slot, fmt::format("{} refused: {}", job.text(), job.finish->refused));
        }
    }
}

void QueueExecutor::conclude_ended(TrackedJob& job, double now) {
    const bool exited = job.status.state == JobStatus::State::Ended && job.status.end == JobEnd::Exited;
    const double patience = !exited || job.finish              ? 0
                            : job.status.exit_code == 0 ? options_.times.invisible
                                                        : options_.times.late_files;
    const bool is_final = now - *job.ended_seconds >= patience;
    std::vector<std::pair<Slot*, JobFailure>> failed;  // decided before any is settled: whom to blame depends on the others
    for (Slot& slot : job.slots) {
        if (slot.settled || slot.unseen_since) continue;
        if (has_artifact(slot)) settle_ran(job, slot);
        else if (stopping_since_ && job.asked_to_stop) settle_stopped(job, slot);
        else if (is_final) failed.emplace_back(&slot, failure_of(job, slot));
    }
    for (const auto& [slot, failure] : failed) {
        if (failure == JobFailure::Infrastructure && slot->node && job.status.end != JobEnd::Preempted)
            exclude_machine(stages_.at(*slot->node), job.machine(), kFailuresUntilExcluded);
        if (failure == JobFailure::Stage)
            settle_failed(job, *slot, joined({fmt::format("{} {}", job.text(), exit_text(job.status.exit_code)), printable(job.bad_file),
                                              job.end_of_log(files_)}));
        else
            try_again(job, *slot, failure);
    }
}

// The table of docs/cluster.md. Precondition: the job has ended, and the stage has no artifact.
JobFailure QueueExecutor::failure_of(const TrackedJob& job, const Slot& slot) {
    const auto blamed = [&](JobFailure failure) { return job.may_be_to_blame(slot) ? failure : JobFailure::Unblamed; };
    const auto unless_advanced = [&](JobFailure failure) { return has_advanced(slot) ? JobFailure::Continued : failure; };
    if (job.status.state != JobStatus::State::Ended) return unless_advanced(JobFailure::Infrastructure);  // it vanished
    switch (job.status.end) {
        case JobEnd::Memory: return blamed(JobFailure::Memory);
        case JobEnd::TimeLimit: return unless_advanced(blamed(JobFailure::Time));
        case JobEnd::Preempted:
        case JobEnd::Infrastructure: return unless_advanced(JobFailure::Infrastructure);
        case JobEnd::Cancelled: return JobFailure::Cancelled;
        case JobEnd::Exited: break;
    }
    if (job.finish) {  // it was asked to stop before its time was up
        const bool had_begun = (slot.started && slot.end) || job.slots.size() == 1;
        return unless_advanced(had_begun ? JobFailure::Time : JobFailure::Unblamed);
    }
    const int code = job.status.exit_code;
    if (code == 0) return JobFailure::Invisible;
    if (code == kCannotExecute || code == kNotFound) return JobFailure::Stage;
    if (code == kKilled) {
        std::uint64_t peak = 0;
        for (const Slot& one : job.slots)
            if (one.end) peak = std::max(peak, one.end->peak_bytes);
        const bool is_near = job.resources.memory_bytes != 0 &&
                             static_cast<double>(peak) >= kNearTheLimit * static_cast<double>(job.resources.memory_bytes);
        return is_near || says_out_of_memory(job.end_of_log(files_)) ? blamed(JobFailure::Memory) : unless_advanced(JobFailure::Infrastructure);
    }
    return blamed(JobFailure::Stage);
}

// ---- what became of a stage

void QueueExecutor::settle(Slot& slot) {
    slot.settled = true;
    adoptable_.erase(slot.key);
}

void QueueExecutor::end(NodeId node, JobOutcome outcome) {
    const auto found = stages_.find(node);
    if (found == stages_.end()) return;
    if (is_cancelled_ && outcome.state == JobOutcome::State::Stopped) {  // nobody stopped the run itself
        outcome.state = JobOutcome::State::Failed;
        outcome.error = "`satdl cancel` cancelled its job";
    }
    outcome.queued_seconds = found->second.queued_seconds;
    outcome.attempts = found->second.history.jobs;
    stages_.erase(found);
    listener_->ended(node, std::move(outcome));
}

JobOutcome QueueExecutor::outcome_of(const TrackedJob& job, const Slot& slot, JobOutcome::State state) {
    JobOutcome outcome{.state = state};
    outcome.where = job.text();
    if (slot.end) {
        outcome.seconds = slot.end->seconds;
        outcome.peak_bytes = slot.end->peak_bytes;
    } else if (slot.started && job.begun_seconds) {
        outcome.seconds = std::max(clock_.seconds() - *job.begun_seconds, 0.0);
    }
    return outcome;
}

void QueueExecutor::settle_ran(TrackedJob& job, Slot& slot) {
    settle(slot);
    if (slot.end) pool_.learn(slot.name, slot.end->seconds);
    if (slot.node) end(*slot.node, outcome_of(job, slot, JobOutcome::State::Ran));
}

void QueueExecutor::settle_failed(TrackedJob& job, Slot& slot, std::string error, bool is_config) {
    settle(slot);
    JobOutcome outcome = outcome_of(job, slot, JobOutcome::State::Failed);
    outcome.error = std::move(error);
    outcome.is_config = is_config;
    if (slot.node) end(*slot.node, std::move(outcome));
}

void QueueExecutor::settle_stopped(TrackedJob& job, Slot& slot) {
    settle(slot);
    if (slot.node) end(*slot.node, outcome_of(job, slot, JobOutcome::State::Stopped));
}

void QueueExecutor::exclude_machine(Stage& stage, const std::string& machine, int failures_until) {
    if (machine.empty() || ++stage.failures[machine] < failures_until) return;
    const auto place = std::ranges::lower_bound(stage.excluded_nodes, machine);
    if (place == stage.excluded_nodes.end() || *place != machine) stage.excluded_nodes.insert(place, machine);
}

void QueueExecutor::try_again(TrackedJob& job, Slot& slot, JobFailure failure) {
    if (!slot.node) {
        settle(slot);
        return;
    }
    const NodeId node = *slot.node;
    Stage& stage = stages_.at(node);
    const std::uint64_t peak = slot.end ? slot.end->peak_bytes : 0;
    const auto next = next_job(failure, stage.stage.resources, peak, stage.history, options_.retries);
    if (const auto* const no_more = std::get_if<NoMoreJobs>(&next)) {
        settle_failed(job, slot,
                      joined({fmt::format("{}; the last was {}", no_more->because, job.text()), no_more->hint, job.end_of_log(files_)}));
        return;
    }
    settle(slot);
    const auto& another = std::get<NextJob>(next);
    const bool is_blamed = failure == JobFailure::Memory || failure == JobFailure::Time || failure == JobFailure::Invisible;
    if (failure != JobFailure::Unblamed) {
        std::string text = fmt::format("{} is {}; the stage gets another one", job.text(), text_of(failure));
        if (another.resources.memory_bytes != stage.stage.resources.memory_bytes)
            text += fmt::format(", with {}", memory_text(another.resources.memory_bytes));
        if (another.resources.seconds != stage.stage.resources.seconds) text += fmt::format(", with {:.0f} s", *another.resources.seconds);
        if (another.delay_seconds > 0) text += fmt::format(", in {:.0f} s", another.delay_seconds);
        listener_->log(node, LogLevel::Info, text);
    }
    stage.stage.resources = another.resources;
    stage.alone = stage.alone || is_blamed;
    if (checkpoints_ != nullptr) stage.position = checkpoints_->newest(stage.stage.key);
    if (stopping_since_) end(node, outcome_of(job, slot, JobOutcome::State::Stopped));
    else if (another.delay_seconds > 0) delayed_.emplace(clock_.seconds() + another.delay_seconds, node);
    else enqueue(node);
}

void QueueExecutor::tell(const TrackedJob& job, const std::string& reason) {
    if (listener_ == nullptr) return;
    for (const Slot& slot : job.slots)
        if (slot.node && !slot.settled) listener_->queued(*slot.node, job.text(), printable(reason));
}

void QueueExecutor::close_settled() {
    if (settled_.empty()) return;
    std::vector<std::string> names;
    for (const int number : std::exchange(settled_, {})) {
        const auto job = jobs_.find(number);
        if (job == jobs_.end()) continue;
        for (auto& group : unsubmitted_) std::erase(group, &job->second);
        names.push_back(job->second.name);
        job_numbers_.erase(job->second.name);
        jobs_.erase(job);
    }
    std::erase_if(unsubmitted_, [](const auto& group) { return group.empty(); });
    if (!names.empty()) journal_.closed(names);
}

// ---- the end

void QueueExecutor::stop(Stop how) {
    if (how == Stop::Detach) {
        is_detached_ = true;
        return;
    }
    if (stopping_since_) return;
    stopping_since_ = clock_.seconds();
    is_to_cancel_ = true;
}

// After a look at what they have written: one that has begun is to write a checkpoint, and not to be killed.
void QueueExecutor::cancel_jobs(double now) {
    for (auto& [number, job] : jobs_)
        if (job.submitted) look_at(job, now);
    const auto stopped = [&](NodeId node) { ended_.emplace_back(node, JobOutcome{.state = JobOutcome::State::Stopped}); };
    for (const NodeId node : pool_.take_all()) stopped(node);
    for (const auto& [seconds, node] : std::exchange(delayed_, {})) stopped(node);
    std::vector<JobId> waiting, running;
    for (auto& [number, job] : jobs_) {
        job.asked_to_stop = true;
        const bool may_run = job.begin || job.status.state != JobStatus::State::Pending;
        if (job.submitted && !job.id.empty()) (may_run ? running : waiting).push_back(job.id);
        if (may_run) continue;
        for (Slot& slot : job.slots) {
            if (slot.node && !slot.settled) stopped(*slot.node);
            slot.settled = true;
        }
        settled_.push_back(number);
    }
    adoptable_.clear();
    if (!waiting.empty()) queue_->cancel(waiting);
    if (!running.empty()) queue_->ask_to_stop(running);
    query_interval_ = options_.times.first_query;
    query_at_latest(*stopping_since_ + query_interval_);
    next_look_ = 0;
}

void QueueExecutor::look_for_cancel_file(double now) {
    if (now < next_cancel_look_ || stopping_since_) return;
    next_cancel_look_ = now + kCancelLook;
    try {
        if (!files_.stamp(options_.folder / kCancelFile)) return;
        files_.remove(options_.folder / kCancelFile);
    } catch (const Error&) {
        return;
    }
    is_cancelled_ = true;
    stop(Stop::Cancel);
}

void QueueExecutor::give_up_stopping(double now) {
    if (!stopping_since_ || jobs_.empty() || now - *stopping_since_ < options_.times.stopping) return;
    queue_->cancel_all();
    for (auto& [number, job] : jobs_) {
        for (Slot& slot : job.slots)
            if (!slot.settled) settle_stopped(job, slot);
        settled_.push_back(number);
    }
}

void QueueExecutor::poll(JobListener& listener) {
    listener_ = &listener;
    const double now = clock_.seconds();
    look_for_cancel_file(now);
    if (std::exchange(is_to_cancel_, false)) cancel_jobs(now);
    for (auto& [node, outcome] : std::exchange(ended_, {})) end(node, std::move(outcome));
    if (!attached_.empty()) {
        const std::set<NodeId> attached(attached_.begin(), attached_.end());
        attached_.clear();
        for (auto& [number, job] : jobs_)
            for (const Slot& slot : job.slots)
                if (slot.node && !slot.settled && attached.contains(*slot.node)) {
                    if (slot.started) listener.started(*slot.node, job.text());
                    else listener.queued(*slot.node, job.text(), printable(job.status.reason));
                }
    }
    look_at_files(now);
    ask_queue(now);
    give_up_stopping(now);
    close_settled();
    if (!stopping_since_) {
        release_delayed(now);
        submit_waiting(now);
        close_settled();
    }
    listener_ = nullptr;
}

}  // namespace satdl
