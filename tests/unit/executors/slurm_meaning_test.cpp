#include "pipeline/executors/slurm/slurm_meaning.h"

#include <catch2/catch.hpp>

using namespace satdl;
using State = JobStatus::State;

namespace {

JobStatus of(const std::string& word, const std::string& nodes = "n1", int exit_code = 0, int signal = 0) {
    return status_of({word, "None", nodes, exit_code, signal});
}
JobEnd end_of(const std::string& word) {
    const JobStatus status = of(word);
    REQUIRE(status.state == State::Ended);
    return status.end;
}
JobStatus waiting_for(const std::string& reason) { return status_of({"PENDING", reason, ""}); }

}  // namespace

TEST_CASE("Each end that Slurm has a word for has a class") {
    CHECK(end_of("COMPLETED") == JobEnd::Exited);
    CHECK(end_of("FAILED") == JobEnd::Exited);
    CHECK(end_of("OUT_OF_MEMORY") == JobEnd::Memory);
    CHECK(end_of("TIMEOUT") == JobEnd::TimeLimit);
    CHECK(end_of("PREEMPTED") == JobEnd::Preempted);
    for (const char* word : {"NODE_FAIL", "BOOT_FAIL", "LAUNCH_FAILED", "RECONFIG_FAIL"}) CHECK(end_of(word) == JobEnd::Infrastructure);
    for (const char* word : {"CANCELLED", "CANCELLED by 0", "CANCELLED by 1000", "DEADLINE"}) CHECK(end_of(word) == JobEnd::Cancelled);
}

TEST_CASE("A program's end has its exit code, or 128 and the signal") {
    CHECK(of("COMPLETED").exit_code == 0);
    CHECK(of("FAILED", "n1", 3).exit_code == 3);
    CHECK(of("FAILED", "n1", 0, 9).exit_code == 137);
    CHECK(of("FAILED").exit_code == 1);  // Slurm did not say
    SlurmJobState never{"FAILED", "JobLaunchFailure", "n1"};
    never.never_started = true;
    CHECK(status_of(never).end == JobEnd::Infrastructure);
}

TEST_CASE("What Slurm is going to restart waits, and what has processes runs") {
    for (const char* word : {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD", "CONFIGURING"})
        CHECK(of(word).state == State::Pending);
    for (const char* word : {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT"})
        CHECK(of(word).state == State::Running);
    CHECK(of("REQUEUED").reason == "REQUEUED");
    CHECK(of("RUNNING").machine == "n1");
    CHECK(of("PENDING", "(null)").machine.empty());
}

TEST_CASE("A state of a version to come is no end: with a node it runs, without one it waits, and the user sees the word") {
    CHECK(of("HIBERNATING", "n3").state == State::Running);
    CHECK(of("HIBERNATING", "").state == State::Pending);
    CHECK(of("HIBERNATING", "").reason == "HIBERNATING");
    CHECK(of("\033[2J", "").reason == "\\x1b[2J");
}

TEST_CASE("A job is stuck if only a person can help it") {
    for (const char* reason : {"JobHeldUser", "JobHeldAdmin", "launch failed requeued held", "BadConstraints", "DependencyNeverSatisfied",
                               "QOSMaxCpuPerJobLimit", "AssocMaxWallDurationPerJobLimit", "QOSMinCpuNotSatisfied", "InvalidAccount",
                               "InvalidQOS", "PartitionDown", "PartitionInactive", "PartitionTimeLimit", "AssocGrpCPUMinutesLimit",
                               "AssocGrpBillingMinutes", "QOSNotAllowed", "AccountNotAllowed", "ReservationDeleted"})
        CHECK((waiting_for(reason).stuck && waiting_for(reason).reason == reason));
    for (const char* reason : {"None", "Resources", "Priority", "BeginTime", "Dependency", "Licenses", "JobArrayTaskLimit",
                               "AssocGrpCpuLimit", "QOSMaxCpuPerUserLimit", "QOSMaxJobsPerUserLimit", "AssocGrpCPURunMinutesLimit",
                               "Reservation",
                               "ReqNodeNotAvail, Reserved for maintenance", "Prolog", "NodeDown"})
        CHECK_FALSE(waiting_for(reason).stuck);
    for (const char* word : {"REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}) CHECK(of(word).stuck);
    CHECK_FALSE(status_of({"RUNNING", "JobHeldUser", "n1"}).stuck);
}

TEST_CASE("Only ends after which Slurm may queue a job again are waited out") {
    for (const char* word : {"PREEMPTED", "NODE_FAIL", "BOOT_FAIL"}) CHECK(may_be_requeued(word));
    for (const char* word : {"COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "OUT_OF_MEMORY", "RUNNING"}) CHECK_FALSE(may_be_requeued(word));
}

TEST_CASE("A refusal of sbatch is lost, busy, a limit or final") {
    const std::string failed = "Batch job submission failed: ";
    CHECK(refusal_of(failed + "Socket timed out on send/recv operation") == SlurmRefusal::Lost);
    CHECK(refusal_of("Slurm temporarily unable to accept job, sleeping and retrying.") == SlurmRefusal::Lost);
    CHECK(refusal_of(failed + "Zero Bytes were transmitted or received") == SlurmRefusal::Lost);
    CHECK(refusal_of(failed + "Unable to contact slurm controller (connect failure)") == SlurmRefusal::Busy);
    CHECK(refusal_of(failed + "Resource temporarily unavailable") == SlurmRefusal::Busy);
    CHECK(refusal_of(failed + "Required partition not available (inactive or drain)") == SlurmRefusal::Busy);
    const std::string policy = failed + "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)";
    CHECK(refusal_of("QOSMaxSubmitJobPerUserLimit; " + policy) == SlurmRefusal::Busy);
    CHECK(refusal_of("AssocGrpSubmitJobsLimit; " + policy) == SlurmRefusal::Busy);
    CHECK(refusal_of("QOSMaxCpuPerJobLimit; " + policy) == SlurmRefusal::Config);
    CHECK(refusal_of(policy) == SlurmRefusal::Limit);
    for (const char* words : {"Invalid partition name specified", "Invalid account or account/partition combination specified",
                              "Invalid qos specification", "Requested node configuration is not available", "Invalid feature specification",
                              "Requested time limit is invalid (missing or exceeds some limit)", "Access/permission denied"})
        CHECK(refusal_of(failed + words) == SlurmRefusal::Config);
}
