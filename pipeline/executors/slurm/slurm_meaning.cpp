#include "pipeline/executors/slurm/slurm_meaning.h"

#include <algorithm>
#include <array>

#include "pipeline/core/ascii.h"
#include "pipeline/core/utf8.h"

namespace satdl {
namespace {

using State = JobStatus::State;

struct Meaning {
    std::string_view word;
    State state;
    JobEnd end = JobEnd::Exited;  // of Ended
    bool stuck = false;           // of Pending
};

constexpr auto kMeanings = std::to_array<Meaning>({
    {"BOOT_FAIL", State::Ended, JobEnd::Infrastructure},
    {"CANCELLED", State::Ended, JobEnd::Cancelled},
    {"COMPLETED", State::Ended, JobEnd::Exited},
    {"COMPLETING", State::Running},   // its processes are ending, or it is going to be queued again
    {"CONFIGURING", State::Pending},  // its nodes are booting
    {"DEADLINE", State::Ended, JobEnd::Cancelled},
    {"FAILED", State::Ended, JobEnd::Exited},
    {"LAUNCH_FAILED", State::Ended, JobEnd::Infrastructure},
    {"NODE_FAIL", State::Ended, JobEnd::Infrastructure},
    {"OUT_OF_MEMORY", State::Ended, JobEnd::Memory},
    {"PENDING", State::Pending},
    {"PREEMPTED", State::Ended, JobEnd::Preempted},
    {"RECONFIG_FAIL", State::Ended, JobEnd::Infrastructure},
    {"REQUEUED", State::Pending},
    {"REQUEUE_FED", State::Pending},
    {"REQUEUE_HOLD", State::Pending, JobEnd::Exited, true},
    {"RESIZING", State::Running},
    {"RESV_DEL_HOLD", State::Pending, JobEnd::Exited, true},
    {"RUNNING", State::Running},
    {"SIGNALING", State::Running},
    {"SPECIAL_EXIT", State::Pending, JobEnd::Exited, true},
    {"STAGE_OUT", State::Running},
    {"STOPPED", State::Running},
    {"SUSPENDED", State::Running},  // it goes on where it was
    {"TIMEOUT", State::Ended, JobEnd::TimeLimit},
});

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
    return std::ranges::any_of(parts, [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

// The name of a limit, such as QOSMaxSubmitJobPerUserLimit, which newer versions say before the sentence that all have in common.
bool names_a_limit(std::string_view words) {
    for (const std::string_view prefix : {"QOS", "Assoc"})
        for (std::size_t at = words.find(prefix); at != std::string_view::npos; at = words.find(prefix, at + 1)) {
            const std::string_view rest = words.substr(at + prefix.size());
            if (!rest.empty() && is_upper(rest.front())) return true;
        }
    return false;
}

}  // namespace

JobStatus status_of(const SlurmJobState& job) {
    JobStatus status;
    status.reason = printable(job.reason);
    if (job.nodes != "(null)" && job.nodes != "None assigned") status.machine = printable(job.nodes);
    const std::string_view word = std::string_view(job.word).substr(0, job.word.find(' '));
    const auto* const known = std::ranges::find(kMeanings, word, &Meaning::word);
    if (known == kMeanings.end()) {
        status.state = status.machine.empty() ? State::Pending : State::Running;
        status.reason = printable(word);
        return status;
    }
    status.state = known->state;
    status.end = known->end;
    if (known->state != State::Pending) status.reason.clear();
    else if (word != "PENDING") status.reason = printable(word);
    status.stuck = known->state == State::Pending && (known->stuck || waits_in_vain(job.reason));
    if (word == "FAILED" && job.never_started) status.end = JobEnd::Infrastructure;
    if (status.state == State::Ended && status.end == JobEnd::Exited) {
        status.exit_code = job.signal != 0 ? 128 + job.signal : job.exit_code;
        if (word == "FAILED" && status.exit_code == 0) status.exit_code = 1;
    }
    return status;
}

bool may_be_requeued(std::string_view word) {
    return word == "PREEMPTED" || word == "NODE_FAIL" || word == "BOOT_FAIL" || word == "LAUNCH_FAILED" || word == "RECONFIG_FAIL";
}

bool waits_in_vain(std::string_view reason) {
    const std::string text = lower(reason);
    if (contains_any(text, {"held", "perjob", "notsatisfied", "neversatisfied", "notallowed", "invalid", "badconstraints"})) return true;
    // A budget of CPU minutes is used up, as opposed to the minutes of what runs now.
    if (contains_any(text, {"minutes"}) && !contains_any(text, {"runminutes"})) return true;
    constexpr auto kOthers = std::to_array<std::string_view>(
        {"partitiondown", "partitioninactive", "partitionnodelimit", "partitiontimelimit", "qosusagethreshold", "qostimelimit",
         "jobholdmaxrequeue", "reservationdeleted"});
    return std::ranges::find(kOthers, text) != kOthers.end();
}

SlurmRefusal refusal_of(std::string_view words) {
    const std::string text = lower(words);
    if (contains_any(text, {"timed out", "sleeping and retrying", "zero bytes were transmitted", "message receive failure",
                            "unexpected message", "connection reset", "broken pipe"}))
        return SlurmRefusal::Lost;
    if (contains_any(text, {"submitjob", "temporarily unavailable", "unable to contact", "connect failure", "connection refused",
                            "send failure", "no route to host", "not available (inactive or drain)", "standby mode", "rate limit",
                            "authentication", "munge", "error writing script", "cannot allocate memory", "too many open files"}))
        return SlurmRefusal::Busy;
    if (contains_any(text, {"job submit limit"}) && !names_a_limit(words)) return SlurmRefusal::Limit;
    return SlurmRefusal::Config;
}

}  // namespace satdl
