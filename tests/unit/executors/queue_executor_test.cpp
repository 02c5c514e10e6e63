#include "pipeline/executors/jobs/queue_executor.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/support/scripted_cluster.h"

using namespace satdl;
using namespace satdl::test;
using State = JobOutcome::State;
using Outcome = JobNodeEnd::Outcome;
using Catch::Matchers::Contains;

namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;

// One stage, submitted as the job b1.a1.
struct OneStage : ClusterRun {
    explicit OneStage(JobResources resources = with_memory(1000 * kMegabyte, 60)) {
        submit({stage(0, std::nullopt, std::move(resources))});
        REQUIRE(cluster.jobs.contains("b1.a1"));
    }
    [[nodiscard]] bool ended() const { return listener.outcomes.contains(0); }
    void epochs(std::int64_t epoch) { checkpoints.positions[key(0)] = {.epoch = epoch, .epochs = 10}; }
};

}  // namespace

TEST_CASE("A stage runs as a job, whose events come as they happen, before the batch system is asked") {
    OneStage run;
    CHECK(run.cluster.job("b1.a1").request.command.back() == (run.folder.path() / "b1.a1").string());
    CHECK(run.listener.queue == std::vector<std::string>{"job 100: "});
    const int polls = run.cluster.polls;
    run.cluster.begin("b1.a1", "n2");
    run.cluster.start("b1.a1");
    run.cluster.event("b1.a1", {.what = JobEvent::What::Progress, .progress = {.epoch = 1, .epochs = 2, .metrics = {}}});
    run.pass(0.4);
    CHECK(run.listener.starts == std::vector<std::string>{"job 100 on n2"});
    CHECK(run.listener.progresses.size() == 1);
    run.cluster.node_ends("b1.a1", {.outcome = Outcome::Ran, .seconds = 3, .peak_bytes = 5});
    run.pass(0.4);
    REQUIRE(run.ended());
    CHECK(run.outcome(0).state == State::Ran);
    CHECK(run.outcome(0).seconds == 3);
    CHECK(run.outcome(0).peak_bytes == 5);
    CHECK(run.outcome(0).where == "job 100 on n2");
    CHECK(run.outcome(0).queued_seconds > 0);
    CHECK(run.cluster.polls - polls <= 1);
    CHECK(run.executor->jobs() == 0);
    run.executor.reset();
    CHECK_FALSE(JobJournal(run.folder.path(), *run.files).is_open());
}

TEST_CASE("The batch system is asked ever less often") {
    OneStage run;
    const int first = run.cluster.polls;
    run.pass(10);
    CHECK(run.cluster.polls - first <= 4);
    const int then = run.cluster.polls;
    run.pass(600, 0.5);
    CHECK(run.cluster.polls - then <= 12);
}

// ---- the table of failures

TEST_CASE("A stage that failed is not tried again, and the log's end is shown") {
    OneStage run;
    run.cluster.begin("b1.a1");
    write_text(run.folder.path() / "b1.a1" / kJobLog, "Traceback\nboom\n");
    run.cluster.finish("b1.a1", {.nodes = {{.outcome = Outcome::Failed, .error = "it is broken"}}});
    run.pass(1);
    REQUIRE(run.ended());
    CHECK(run.outcome(0).state == State::Failed);
    CHECK_THAT(run.outcome(0).error, Contains("it is broken") && Contains("boom"));
    CHECK_FALSE(run.outcome(0).is_config);
    CHECK(run.cluster.jobs.size() == 1);
}

TEST_CASE("The artifact decides: whatever a job says of its end, a stage that has one has run") {
    for (const JobEnd how :
         {JobEnd::Exited, JobEnd::Memory, JobEnd::TimeLimit, JobEnd::Preempted, JobEnd::Infrastructure, JobEnd::Cancelled}) {
        OneStage run;
        run.store.stored.insert(ClusterRun::key(0));
        run.cluster.end("b1.a1", how, 1);
        run.pass(10);
        REQUIRE(run.ended());
        CHECK(run.outcome(0).state == State::Ran);
    }
}

TEST_CASE("A forced stage has run when its job says so, although the artifact was there before") {
    ClusterRun run;
    run.store.stored.insert(ClusterRun::key(0));
    JobStage forced = ClusterRun::stage(0);
    forced.forced = true;
    run.submit({forced});
    run.cluster.end("b1.a1", JobEnd::Infrastructure);
    run.pass(20);
    CHECK(run.listener.outcomes.empty());
    run.cluster.succeed("b2.a2");
    run.pass(5);
    CHECK(run.outcome(0).state == State::Ran);
}

TEST_CASE("Out of memory: half as much again, twice, then it fails") {
    OneStage run;
    std::vector<std::uint64_t> megabytes;
    for (const char* const name : {"b1.a1", "b2.a2", "b3.a3"}) {
        megabytes.push_back(run.cluster.job(name).request.resources.memory_bytes / kMegabyte);
        run.cluster.begin(name);
        run.cluster.end(name, JobEnd::Memory);
        run.pass(70);
    }
    CHECK(megabytes == std::vector<std::uint64_t>{1000, 1500, 2250});
    REQUIRE(run.ended());
    CHECK(run.outcome(0).state == State::Failed);
    CHECK(run.outcome(0).attempts == 3);
    CHECK_THAT(run.outcome(0).error, Contains("out of memory 3 times"));
}

TEST_CASE("Killed near the limit of memory is out of memory, killed elsewhere a failure of the infrastructure") {
    OneStage near, far;
    near.cluster.begin("b1.a1");
    far.cluster.begin("b1.a1");
    near.cluster.node_ends("b1.a1", {.outcome = Outcome::Stopped, .peak_bytes = 950 * kMegabyte});
    near.cluster.end("b1.a1", JobEnd::Exited, 137);
    far.cluster.end("b1.a1", JobEnd::Exited, 137);
    near.pass(70);
    far.pass(70);
    CHECK(near.cluster.job("b2.a2").request.resources.memory_bytes == 1500 * kMegabyte);
    CHECK(far.cluster.job("b2.a2").request.resources.memory_bytes == 1000 * kMegabyte);
}

TEST_CASE("Killed for its memory is what the job's log says, whatever the batch system does") {
    OneStage run;
    run.cluster.begin("b1.a1");
    std::ofstream(run.cluster.job("b1.a1").request.log) << "slurmstepd: error: Exceeded job memory limit\n";
    run.cluster.end("b1.a1", JobEnd::Exited, 137);
    run.pass(70);
    CHECK(run.cluster.job("b2.a2").request.resources.memory_bytes == 1500 * kMegabyte);
}

TEST_CASE("A training longer than a job's time goes on in as many jobs as it takes, while its checkpoint advances") {
    OneStage run;
    for (int i = 1; i <= 6; ++i) {
        const std::string name = job_name(i, i);
        run.cluster.begin(name);
        run.cluster.start(name);
        run.epochs(i);
        run.cluster.stop_with(name, Outcome::Continued, i % 2 == 0 ? JobEnd::TimeLimit : JobEnd::Exited);
        run.pass(10);
        REQUIRE_FALSE(run.ended());
    }
    CHECK(run.cluster.job("b7.a7").request.resources.seconds == 60);
    run.cluster.succeed("b7.a7");
    run.pass(5);
    CHECK(run.outcome(0).state == State::Ran);
    CHECK(run.outcome(0).attempts == 7);
}

TEST_CASE("Without a new checkpoint, a stage whose time is up gets twice as much once, then it fails") {
    OneStage run;
    run.cluster.begin("b1.a1");
    run.cluster.end("b1.a1", JobEnd::TimeLimit);
    run.pass(10);
    CHECK(run.cluster.job("b2.a2").request.resources.seconds == 120);
    run.cluster.begin("b2.a2");
    run.cluster.start("b2.a2");
    run.cluster.stop_with("b2.a2", Outcome::Continued);  // it says so, but the store has no checkpoint
    run.pass(10);
    REQUIRE(run.ended());
    CHECK_THAT(run.outcome(0).error, Contains("time was up 2 times without a new checkpoint"));
}

TEST_CASE("A job that the batch system restarts itself is waited for, and nothing is submitted") {
    OneStage run;
    run.cluster.begin("b1.a1");
    run.cluster.start("b1.a1");
    run.cluster.finish("b1.a1", {.nodes = {{.outcome = Outcome::Stopped}}});
    run.cluster.job("b1.a1").status = {.state = JobStatus::State::Pending, .reason = "BeginTime"};
    run.pass(300);
    CHECK(run.cluster.jobs.size() == 1);
    run.cluster.job("b1.a1").restart = 1;
    run.cluster.begin("b1.a1", "n2");
    run.cluster.start("b1.a1");
    run.pass(100);
    CHECK(run.listener.starts == std::vector<std::string>{"job 100 on n1", "job 100 on n2"});
    run.cluster.succeed("b1.a1");
    run.pass(1);
    CHECK(run.outcome(0).state == State::Ran);
    CHECK(run.outcome(0).attempts == 1);
}

TEST_CASE("Preempted and gone: another job, one that had a new checkpoint counts as continued") {
    OneStage run;
    for (int i = 1; i <= 8; ++i) {  // more often than the infrastructure may fail
        run.epochs(i);
        run.cluster.end(job_name(i, i), JobEnd::Preempted);
        run.pass(70);
    }
    CHECK_FALSE(run.ended());
    run.cluster.end("b9.a9", JobEnd::Preempted);
    run.pass(70);
    CHECK_FALSE(run.ended());
    CHECK(run.cluster.jobs.contains("b10.a10"));
}

TEST_CASE("Failures of machines: later and later, away from a machine after two, and an end after five") {
    OneStage run;
    std::vector<double> times;
    for (int i = 1; i <= 6; ++i) {
        const std::string name = job_name(i, i);
        REQUIRE(run.cluster.jobs.contains(name));
        if (i == 3) CHECK(run.cluster.job(name).request.excluded_nodes == std::vector<std::string>{"n1"});
        run.cluster.begin(name, i <= 2 ? "n1" : "n2");
        run.cluster.end(name, JobEnd::Infrastructure);
        const double began = run.clock.now;
        while (!run.cluster.jobs.contains(job_name(i + 1, i + 1)) && run.clock.now - began < 600) run.pass(1);
        times.push_back(run.clock.now - began);
    }
    CHECK(times[4] > times[0] + 60);
    REQUIRE(run.ended());
    CHECK_THAT(run.outcome(0).error, Contains("lost its job 6 times"));
}

TEST_CASE("A machine that would compute other bits is avoided at once") {
    OneStage run;
    run.cluster.begin("b1.a1", "old");
    run.cluster.finish("b1.a1", {.refusal = JobFinish::Refusal::Machine, .refused = "no AVX2"});
    run.pass(10);
    CHECK(run.cluster.job("b2.a2").request.excluded_nodes == std::vector<std::string>{"old"});
}

TEST_CASE("If every machine refuses, the error has the words of the last one") {
    OneStage run;
    run.cluster.begin("b1.a1", "old");
    run.cluster.refuse = [](const JobRequest&) { return SubmitFailure{SubmitFailure::Class::Config, "node configuration is not available"}; };
    run.cluster.finish("b1.a1", {.refusal = JobFinish::Refusal::Machine, .refused = "no AVX2"});
    run.pass(60);
    REQUIRE(run.ended());
    CHECK_THAT(run.outcome(0).error, Contains("no AVX2") && Contains("has no other machine for it: node configuration is not available"));
    CHECK(run.outcome(0).is_config);
}

TEST_CASE("A job that refuses the run fails its stages with its words") {
    OneStage run;
    run.cluster.begin("b1.a1");
    run.cluster.finish("b1.a1", {.refusal = JobFinish::Refusal::Run, .refused = "another build of satdl"});
    run.pass(1);
    REQUIRE(run.ended());
    CHECK(run.outcome(0).error == "job 100 on n1 refused: another build of satdl");
}

TEST_CASE("A job that somebody cancelled is not submitted again, even with a new checkpoint") {
    OneStage run;
    run.epochs(3);
    run.cluster.stop_with("b1.a1", Outcome::Continued, JobEnd::Cancelled);
    run.pass(10);
    REQUIRE(run.ended());
    CHECK(run.outcome(0).state == State::Failed);
    CHECK_THAT(run.outcome(0).error, Contains("somebody cancelled it"));
}

TEST_CASE("A crash fails the stage that was running, and the others of its job get another one") {
    ClusterRun run;
    run.submit({ClusterRun::stage(0, 1), ClusterRun::stage(1, 1), ClusterRun::stage(2, 1)});
    run.cluster.begin("b1.a1");
    run.cluster.start("b1.a1", 0);
    run.cluster.node_ends("b1.a1", {.node = 0, .outcome = Outcome::Ran});
    run.cluster.start("b1.a1", 1);
    run.cluster.end("b1.a1", JobEnd::Exited, 139);
    run.pass(60);
    CHECK(run.outcome(0).state == State::Ran);
    CHECK(run.outcome(1).state == State::Failed);
    CHECK_THAT(run.outcome(1).error, Contains("was killed by signal 11"));
    REQUIRE(run.cluster.jobs.contains("b2.a2"));
    CHECK(run.cluster.job("b2.a2").spec.nodes.at(0).name == "stage2");
}

TEST_CASE("A program that cannot be started fails the stage") {
    OneStage run;
    run.cluster.end("b1.a1", JobEnd::Exited, 127);
    run.pass(60);
    REQUIRE(run.ended());
    CHECK_THAT(run.outcome(0).error, Contains("exit code 127"));
}

TEST_CASE("An artifact may come into sight late, one that does not is computed once more, then the folder is to blame") {
    OneStage late, never;
    for (OneStage* const run : {&late, &never}) {
        run->cluster.begin("b1.a1");
        run->cluster.finish("b1.a1", {.nodes = {{.outcome = Outcome::Ran}}});
        run->cluster.end("b1.a1", JobEnd::Exited);
        run->pass(100);
        CHECK_FALSE(run->ended());
    }
    late.store.stored.insert(ClusterRun::key(0));
    late.pass(1);
    CHECK(late.outcome(0).state == State::Ran);

    never.pass(30);
    REQUIRE(never.cluster.jobs.contains("b2.a2"));
    never.cluster.end("b2.a2", JobEnd::Exited);  // this time without any file
    never.pass(300);
    REQUIRE(never.ended());
    CHECK_THAT(never.outcome(0).error, Contains("the shared folder does not show results"));
}

TEST_CASE("A job that the batch system does not take now is tried later, and no attempt is counted") {
    ClusterRun run;
    int refused = 0;
    run.cluster.refuse = [&](const JobRequest&) -> std::optional<SubmitFailure> {
        if (++refused > 4) return std::nullopt;
        return SubmitFailure{SubmitFailure::Class::Throttled, "QOSMaxSubmitJobPerUserLimit"};
    };
    run.submit({ClusterRun::stage(0)});
    CHECK(run.cluster.jobs.empty());
    CHECK_THAT(run.listener.queue.back(), Contains("takes no more jobs now: QOSMaxSubmitJobPerUserLimit"));
    run.pass(8);  // after 5 s, then 10 s, a quarter more or less
    CHECK(refused == 2);
    run.pass(100);
    REQUIRE(run.cluster.jobs.contains("b1.a1"));
    run.cluster.succeed("b1.a1");
    run.pass(1);
    CHECK(run.outcome(0).attempts == 1);
}

TEST_CASE("A job that was taken although the answer was lost is found by its name, and not submitted twice") {
    ClusterRun run;
    run.cluster.refuse = [](const JobRequest&) { return SubmitFailure{SubmitFailure::Class::Throttled, "Socket timed out"}; };
    run.cluster.takes_refused = true;
    run.submit({ClusterRun::stage(0)});
    run.pass(60);
    CHECK(run.cluster.submissions.size() == 1);
    run.cluster.begin("b1.a1");
    run.cluster.succeed("b1.a1");
    run.pass(70);
    CHECK(run.outcome(0).state == State::Ran);
    CHECK(run.outcome(0).attempts == 1);
}

TEST_CASE("What the batch system will never take is the user's mistake, in its words") {
    ClusterRun run;
    run.cluster.refuse = [](const JobRequest&) { return SubmitFailure{SubmitFailure::Class::Config, "invalid partition specified: x"}; };
    run.submit({ClusterRun::stage(0)});
    CHECK(run.outcome(0).state == State::Failed);
    CHECK(run.outcome(0).is_config);
    CHECK(run.outcome(0).error == "slurm does not accept its job: invalid partition specified: x");
    CHECK(run.executor->jobs() == 0);
}

TEST_CASE("Why a job waits is told, each time that the reason changes, and whether it will start by itself") {
    OneStage run;
    for (const char* const reason : {"Priority", "Priority", "Resources"}) {
        run.cluster.job("b1.a1").status.reason = reason;
        run.pass(70);
    }
    run.cluster.job("b1.a1").status = {.state = JobStatus::State::Pending, .reason = "JobHeldAdmin", .stuck = true};
    run.pass(200);
    CHECK(run.listener.queue ==
          std::vector<std::string>{"job 100: ", "job 100: Priority", "job 100: Resources", "job 100: JobHeldAdmin"});
    REQUIRE(run.listener.logs.size() == 1);
    CHECK_THAT(run.listener.logs[0], Contains("will not start by itself: JobHeldAdmin"));
}

// ---- absence

TEST_CASE("A job that is not in two complete answers two minutes apart is lost, and not before") {
    OneStage run;
    run.pass(5);
    run.cluster.vanish("b1.a1");
    run.pass(115);
    CHECK(run.cluster.jobs.size() == 1);
    run.pass(200);
    CHECK(run.cluster.jobs.contains("b2.a2"));
}

TEST_CASE("A query that failed is never an absence") {
    OneStage run;
    run.cluster.answers = false;
    run.pass(3600, 1);
    CHECK(run.cluster.jobs.size() == 1);
    CHECK(run.listener.queue.back() == "job 100: slurm does not answer");
    run.cluster.answers = true;
    run.cluster.hidden.insert("b1.a1");
    run.pass(70);
    run.cluster.hidden.clear();  // it was only late
    run.pass(600, 1);
    CHECK(run.cluster.jobs.size() == 1);
}

TEST_CASE("Of a job that is gone, accounting is asked how it ended") {
    OneStage run;
    run.pass(2);
    run.cluster.accounting["100"] = {.state = JobStatus::State::Ended, .end = JobEnd::Memory};
    run.cluster.vanish("b1.a1");
    run.pass(300, 0.5);
    CHECK(run.cluster.job("b2.a2").request.resources.memory_bytes == 1500 * kMegabyte);
}

TEST_CASE("A job that ended long before anybody looked is known by what it wrote") {
    OneStage run;
    run.cluster.vanish("b1.a1");
    run.cluster.begin("b1.a1");
    run.cluster.succeed("b1.a1");
    run.pass(1);
    CHECK(run.outcome(0).state == State::Ran);
}

// ---- limits

TEST_CASE("Arrays and jobs at once stay within the batch system's limits") {
    ClusterRun run;
    run.cluster.limits = {.jobs_at_once = 50, .array = 11};
    run.cluster.workers = 8;
    run.cluster.seconds_of = [](const std::string&) { return 400; };
    std::vector<JobStage> stages;
    for (NodeId node = 0; node < 120; ++node) stages.push_back(ClusterRun::stage(node, 400));
    run.executor->submit(std::move(stages));
    std::size_t most = 0;
    while (run.listener.outcomes.size() < 120 && run.clock.now < 100'000) {
        run.pass(10, 1);
        most = std::max(most, run.cluster.waiting.size() + run.cluster.running.size());
        CHECK(run.executor->jobs() <= 50);
    }
    CHECK(run.listener.outcomes.size() == 120);
    CHECK(most == 50);
    CHECK(*std::ranges::max_element(run.cluster.submissions) == 11);
}

TEST_CASE("A thousand trivial stages are a few jobs, submitted together") {
    ClusterRun run;
    std::vector<JobStage> stages;
    for (NodeId node = 0; node < 1000; ++node) stages.push_back(ClusterRun::stage(node, 0.1));
    run.submit(std::move(stages));
    CHECK(run.cluster.jobs.size() == 1);
    std::vector<JobStage> unknown;
    for (NodeId node = 1000; node < 2000; ++node) unknown.push_back(ClusterRun::stage(node));
    run.submit(std::move(unknown));
    CHECK(run.cluster.jobs.size() <= 150);
    CHECK(run.cluster.submissions.size() == 2);
}

TEST_CASE("Stages that become ready one after the other are submitted together") {
    ClusterRun run;
    for (NodeId node = 0; node < 20; ++node) {
        run.executor->submit({ClusterRun::stage(node, 1)});
        run.executor->poll(run.listener);
        run.clock.now += 0.01;
    }
    run.pass(1);
    CHECK(run.cluster.submissions.size() == 1);
    CHECK(run.cluster.jobs.size() == 1);
}

// ---- stopping

TEST_CASE("Stopping cancels what waits at once, and what runs may write its checkpoint") {
    ClusterRun run;
    run.submit({ClusterRun::stage(0, 900), ClusterRun::stage(1, 900), ClusterRun::stage(2, 900)});
    run.cluster.begin("b2.a1");
    run.cluster.start("b2.a1");
    run.pass(1);
    run.executor->stop(JobExecutor::Stop::Cancel);
    run.executor->submit({ClusterRun::stage(3)});
    run.pass(1);
    CHECK(run.cluster.cancelled == std::vector<std::string>{"100", "102"});
    CHECK(run.cluster.asked_to_stop == std::vector<std::string>{"101"});
    CHECK(run.listener.outcomes.size() == 3);
    run.cluster.stop_with("b2.a1", Outcome::Continued);
    run.pass(1);
    REQUIRE(run.listener.outcomes.size() == 4);
    for (const auto& [node, outcome] : run.listener.outcomes) CHECK(outcome.state == State::Stopped);
    CHECK(run.cluster.jobs.size() == 3);
    run.executor.reset();
    CHECK_FALSE(JobJournal(run.folder.path(), *run.files).is_open());
}

TEST_CASE("A job that has begun, of which nobody had seen that yet, may write its checkpoint") {
    OneStage run;
    run.cluster.begin("b1.a1");
    run.executor->stop(JobExecutor::Stop::Cancel);
    run.pass(0.1);
    CHECK(run.cluster.cancelled.empty());
    CHECK(run.cluster.asked_to_stop == std::vector<std::string>{"100"});
    CHECK_FALSE(run.ended());
    run.cluster.stop_with("b1.a1", Outcome::Continued);
    run.pass(1);
    CHECK(run.outcome(0).state == State::Stopped);
}

TEST_CASE("A job that does not stop is given up after two minutes, and everything is cancelled") {
    OneStage run;
    run.cluster.begin("b1.a1");
    run.pass(1);
    run.executor->stop(JobExecutor::Stop::Cancel);
    run.pass(110, 1);
    CHECK_FALSE(run.ended());
    run.pass(20, 1);
    CHECK(run.outcome(0).state == State::Stopped);
    CHECK(run.cluster.cancelled_all == 1);
}

TEST_CASE("The file by which satdl cancel asks stops the run") {
    OneStage run;
    write_text(run.folder.path() / kCancelFile, "");
    run.pass(3);
    REQUIRE(run.ended());
    CHECK(run.outcome(0).state == State::Failed);
    CHECK(run.outcome(0).error == "`satdl cancel` cancelled its job");
    CHECK(run.cluster.cancelled == std::vector<std::string>{"100"});
}

// ---- another controller

TEST_CASE("A controller that was detached leaves its jobs to the next one") {
    OneStage run;
    run.executor->stop(JobExecutor::Stop::Detach);
    run.cluster.begin("b1.a1", "n3");
    run.connect();
    run.executor->submit({ClusterRun::stage(7)});  // another key: another job
    JobStage same = ClusterRun::stage(0);
    same.node = 9;  // another plan, the same key
    run.executor->submit({same});
    run.pass(5);
    CHECK(run.cluster.jobs.size() == 2);
    CHECK(run.cluster.jobs.contains("b2.a1"));
    run.cluster.succeed("b1.a1");
    run.pass(1);
    CHECK(run.outcome(9).state == State::Ran);
    CHECK(run.outcome(9).where == "job 100 on n3");
}

TEST_CASE("A job of a controller before that refuses the run is submitted again by this one") {
    OneStage run;
    run.executor->stop(JobExecutor::Stop::Detach);
    run.run_file = "run-2.json";  // of another build of satdl, say
    run.connect();
    run.executor->submit({ClusterRun::stage(0)});
    run.cluster.begin("b1.a1");
    run.cluster.finish("b1.a1", {.refusal = JobFinish::Refusal::Run, .refused = "another build of satdl"});
    run.pass(2);
    CHECK(run.listener.outcomes.empty());
    CHECK(run.cluster.job("b2.a2").spec.run_file == "run-2.json");
}

TEST_CASE("Killed after each line of the journal, a controller's successor submits nothing twice and loses nothing") {
    // A whole run, to learn how long its journal is.
    const auto finish_all = [](ClusterRun& run) {
        for (int i = 0; i < 20 && run.listener.outcomes.size() < 3; ++i) {
            for (auto& [name, job] : run.cluster.jobs)
                if (job.status.state != JobStatus::State::Ended) {
                    run.cluster.begin(name);
                    run.cluster.succeed(name);
                }
            run.pass(60, 1);
        }
    };
    const auto stages = [] { return std::vector{ClusterRun::stage(0, 900), ClusterRun::stage(1, 900), ClusterRun::stage(2, 900)}; };
    std::string journal;
    {
        ClusterRun run;
        run.submit(stages());
        finish_all(run);
        journal = file_text(run.folder.path() / "journal.jsonl");
    }
    const auto lines = static_cast<std::size_t>(std::ranges::count(journal, '\n'));
    REQUIRE(lines >= 4);
    for (std::size_t cut = 0; cut <= journal.size(); cut += cut < journal.size() && journal.size() - cut > 9 ? 9 : 1) {
        ClusterRun run;
        run.submit(stages());
        // What the journal had on the disk when the controller was killed: the jobs are submitted, it may not know of them.
        const auto path = run.folder.path() / "journal.jsonl";
        const std::string now = file_text(path).substr(0, cut);
        write_text(path, now);
        const bool knows = now.find("intent") != std::string::npos && now.find("\"b3.a1\"]}\n") != std::string::npos;
        run.connect();
        run.executor->submit(stages());
        finish_all(run);
        CHECK(run.listener.outcomes.size() == 3);
        for (const auto& [node, outcome] : run.listener.outcomes) CHECK(outcome.state == State::Ran);
        // The line `intent` is durable before a job is submitted: without it, there was none, and this file is a fiction.
        if (knows) CHECK(run.cluster.jobs.size() == 3);
    }
}

TEST_CASE("A controller killed between its intent and the submission: the jobs come after two minutes of absence") {
    ClusterRun run;
    write_job_spec(run.folder.path() / "b1.a1",
                   {.run_file = "run-1.json", .nodes = {{"stage0", ClusterRun::key(0), false}}, .cpus = 1}, *run.files);
    JobJournal(run.folder.path(), *run.files).intend({"b1.a1"});
    run.connect();
    run.submit({ClusterRun::stage(0)});
    run.pass(100, 1);
    CHECK(run.cluster.jobs.empty());
    run.pass(100, 1);
    CHECK(run.cluster.jobs.contains("b2.a2"));
}

TEST_CASE("A file system that is full keeps jobs from being submitted, and says so") {
    ClusterRun run;
    write_text(run.folder.path() / "journal.jsonl" / "in the way", "");  // the journal cannot be written
    run.submit({ClusterRun::stage(0)});
    CHECK(run.cluster.jobs.empty());
    REQUIRE_FALSE(run.listener.queue.empty());
    CHECK_THAT(run.listener.queue.back(), Contains("journal.jsonl"));
    std::filesystem::remove_all(run.folder.path() / "journal.jsonl");
    run.pass(20);
    CHECK(run.cluster.jobs.contains("b1.a1"));
}

TEST_CASE("Hostile files of a job do no harm") {
    OneStage run;
    run.cluster.begin("b1.a1");
    const auto folder = run.folder.path() / "b1.a1";
    write_text(folder / kEndFile, R"({"format":1,"refusal":"none","refused":"","nodes":[{"node":7}]})");
    write_text(folder / kEventsFile, "{\"event\":\"ended\",\"node\":5}\n\xff\xfe\n");
    run.pass(5);
    CHECK_FALSE(run.ended());
    run.cluster.end("b1.a1", JobEnd::Exited, 3);
    run.pass(100);
    REQUIRE(run.ended());
    CHECK_THAT(run.outcome(0).error, Contains("exit code 3") && Contains("is not as satdl writes it"));
}
