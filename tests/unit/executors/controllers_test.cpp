#include "pipeline/executors/jobs/controllers.h"

#include <catch2/catch.hpp>

#include "pipeline/executors/jobs/job_journal.h"
#include "pipeline/store/process_mark.h"
#include "tests/support/scripted_cluster.h"

using namespace satdl;
using namespace satdl::test;
using Catch::Matchers::Contains;

namespace {

// A store with runs, some of which have jobs.
struct Runs {
    TempFolder store{TempFolder::Where::Memory};
    std::unique_ptr<FileSystem> files = real_file_system();
    std::atomic<bool> stop{false};
    std::vector<std::string> told;

    [[nodiscard]] JobRun run(const std::string& id, const std::string& dag = "full.yaml") const {
        JobRun run;
        run.run = id;
        run.folder = "/home/u";
        run.store = store.path();
        run.dag = dag;
        run.queue = "slurm";
        return run;
    }
    // A run whose controller has submitted jobs.
    void left(const std::string& id, const std::vector<std::string>& jobs, const std::string& dag = "full.yaml") {
        const auto folder = jobs_folder(store.path(), id);
        files->make_folders(folder);
        JobJournal journal(folder, *files);
        journal.open(write_job_run(folder, run(id, dag), *files));
        if (!jobs.empty()) journal.intend(jobs);
    }
    [[nodiscard]] std::unique_ptr<ClaimFiles> claims(const std::string& id) const {
        return std::make_unique<ClaimFiles>(store.path(),
                                            ClaimHolder{.process = name_with_process("satdl", 0), .host = host_name(), .run = id});
    }
    [[nodiscard]] ControlledJobs control(const JobRun& of, KeyClaims& with) {
        return take_control(of, store.path(), with, *files, [&](const std::string& text) { told.push_back(text); }, stop);
    }
};

}  // namespace

TEST_CASE("A run takes over the jobs that a dead controller of its DAG left, and only those") {
    Runs runs;
    runs.left("20260101T1", {"b1.a1"}, "other.yaml");
    runs.left("20260101T2", {"b1.a1"});
    runs.left("20260101T3", {});
    const auto claims = runs.claims("20260101T4");
    const ControlledJobs jobs = runs.control(runs.run("20260101T4", "../u/full.yaml"), *claims);
    CHECK(jobs.taken_over);
    CHECK(jobs.run == "20260101T2");
    CHECK(runs_with_jobs(runs.store.path(), *runs.files) == std::vector<std::string>{"20260101T2", "20260101T1"});
    CHECK(find_run_with_jobs(runs.store.path(), "20260101T4", *runs.files) == "20260101T2");
    CHECK(has_controller(runs.store.path(), "20260101T2"));

    const auto others = runs.claims("20260101T5");  // that controller lives
    const ControlledJobs own = runs.control(runs.run("20260101T5"), *others);
    CHECK_FALSE(own.taken_over);
    CHECK(own.run == "20260101T5");
    CHECK(runs.told.empty());
}

TEST_CASE("A controller that ends, however it ends, leaves its lease") {
    Runs runs;
    const auto claims = runs.claims("r1");
    {
        const ControlledJobs jobs = runs.control(runs.run("r1"), *claims);
        CHECK(has_controller(runs.store.path(), "r1"));
    }
    CHECK_FALSE(has_controller(runs.store.path(), "r1"));
    CHECK_FALSE(has_controller(runs.store.path(), "r2"));
}

TEST_CASE("The controller of another host is waited for, and the user is told") {
    Runs runs;
    runs.left("r1", {"b1.a1"});
    ClaimFiles theirs(runs.store.path(), {.process = "satdl.other-boot.1.0", .host = "login2", .run = "r1"});
    const auto held = claim_controller(theirs, "r1");
    // Its flock does not reach here, as on some network file systems: the file alone says who has it.
    const std::string name = runs.files->list(runs.store.path() / "claims").at(0);
    const std::string text = file_text(runs.store.path() / "claims" / name);
    std::filesystem::remove(runs.store.path() / "claims" / name);
    write_text(runs.store.path() / "claims" / name, text);
    ClaimFiles ours(runs.store.path(), {.process = name_with_process("satdl", 0), .host = host_name(), .run = "r2"},
                    {.expiry = std::chrono::milliseconds(300)});
    const ControlledJobs jobs = runs.control(runs.run("r2"), ours);
    CHECK(jobs.taken_over);
    REQUIRE(runs.told.size() == 1);
    CHECK_THAT(runs.told[0], Contains("run r1 on host login2 has jobs of this DAG"));
}

TEST_CASE("A run is named by the beginning of its id") {
    Runs runs;
    const auto find = [&](const std::string& prefix) { return find_run_with_jobs(runs.store.path(), prefix, *runs.files); };
    CHECK_THROWS_WITH(find(""), Contains("no run in") && Contains("has jobs"));
    runs.left("20260101T1", {"b1.a1"});
    runs.left("20260102T1", {"b1.a1"});
    CHECK(find("") == "20260102T1");
    CHECK(find("20260101") == "20260101T1");
    CHECK_THROWS_WITH(find("2026"), Contains("several runs with jobs begin with '2026': 20260101T1, 20260102T1"));
    CHECK_THROWS_WITH(find("2025"), Contains("no run with jobs begins with '2025'"));
    CHECK(open_job_run(runs.store.path(), "20260101T1", *runs.files).dag == "full.yaml");
    write_text(jobs_folder(runs.store.path(), "20260101T1") / kOpenFile, "../../secret\n");
    CHECK_THROWS_AS(open_job_run(runs.store.path(), "20260101T1", *runs.files), Error);
}

TEST_CASE("Cancelled without a controller, jobs that wait go, and those that run are asked to stop") {
    ClusterRun run;
    run.submit({ClusterRun::stage(0, 900), ClusterRun::stage(1, 900)});
    run.cluster.begin("b2.a1");
    run.executor->stop(JobExecutor::Stop::Detach);
    run.executor.reset();
    ClusterQueue queue(run.cluster);
    const Cancelled cancelled = cancel_jobs(run.folder.path(), queue, *run.files);
    CHECK(cancelled.waiting == 1);
    CHECK(cancelled.running == 1);
    CHECK(run.cluster.cancelled == std::vector<std::string>{"100"});
    CHECK(run.cluster.asked_to_stop == std::vector<std::string>{"101"});
    CHECK_FALSE(JobJournal(run.folder.path(), *run.files).is_open());

    run.connect();
    run.submit({ClusterRun::stage(2, 900)});
    run.executor->stop(JobExecutor::Stop::Detach);
    run.executor.reset();
    run.cluster.answers = false;
    CHECK_FALSE(cancel_jobs(run.folder.path(), queue, *run.files).answered);
    CHECK(run.cluster.cancelled_all == 1);
}

TEST_CASE("A journal with torn and foreign lines still names the jobs that are open") {
    const TempFolder folder;
    const auto files = real_file_system();
    JobJournal journal(folder.path(), *files);
    CHECK(journal.read().open.empty());
    journal.intend({"b1.a1", "b2.a1"});
    journal.submitted({{"b1.a1", "4711_0"}});
    files->append(folder.path() / "journal.jsonl", "{\"event\":\"inte", false);  // killed here
    journal.intend({"b3.a2"});
    files->append(folder.path() / "journal.jsonl",
                  "[]\n{\"event\":\"intent\",\"jobs\":[\"../x\",7]}\n{\"event\":\"intent\",\"jobs\":[\"bx.a1\",\"b99999999999.a1\"]}\n", false);
    journal.closed({"b2.a1"});
    const JobJournal::State state = journal.read();
    CHECK(state.open == std::vector<JournaledJob>{{"b1.a1", "4711_0"}, {"b3.a2", ""}});
    CHECK(state.batches == 3);
}
