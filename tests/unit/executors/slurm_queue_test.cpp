#include "pipeline/executors/slurm/slurm_queue.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>

#include "tests/support/temp_folder.h"

using namespace satdl;
using State = JobStatus::State;
using Kind = SlurmReply::Kind;

namespace {

class TestClock final : public Clock {
public:
    [[nodiscard]] double seconds() override { return now; }
    double now = 1000;
};

// Answers by command: the next of its replies, or the last one again.
class TestSlurm final : public SlurmCommands {
public:
    [[nodiscard]] SlurmReply call(const std::vector<std::string>& argv) override {
        calls.push_back(argv);
        std::deque<SlurmReply>& next = replies[argv[0]];
        if (next.empty()) return {};
        const SlurmReply reply = next.front();
        if (next.size() > 1) next.pop_front();
        return reply;
    }
    void say(const std::string& program, Kind kind, const std::string& out, const std::string& words = "") {
        replies[program].push_back({kind, out, words});
    }
    void squeue(const std::string& rows) { replies["squeue"] = {{Kind::Good, rows, ""}}; }
    [[nodiscard]] std::size_t count(const std::string& program) const {
        return static_cast<std::size_t>(std::ranges::count_if(calls, [&](const auto& argv) { return argv[0] == program; }));
    }

    std::map<std::string, std::deque<SlurmReply>> replies;
    std::vector<std::vector<std::string>> calls;
};

class Borrowed final : public SlurmCommands {
public:
    explicit Borrowed(TestSlurm& slurm) : slurm_(slurm) {}
    [[nodiscard]] SlurmReply call(const std::vector<std::string>& argv) override { return slurm_.call(argv); }

private:
    TestSlurm& slurm_;
};

struct World {
    test::TempFolder folder;
    TestSlurm slurm;
    TestClock clock;
    std::unique_ptr<FileSystem> files = real_file_system();

    World() {
        slurm.say("sbatch", Kind::Good, "slurm-wlm 22.05.8\n");
        slurm.say("scontrol", Kind::Good,
                  "MaxArraySize            = 11\nMaxJobCount             = 50\nAccountingStorageType   = accounting_storage/slurmdbd\n");
    }
    SlurmQueue queue() {
        SlurmQueue made("r1", folder.path() / "slurm", std::make_unique<Borrowed>(slurm), *files, clock);
        slurm.replies.clear();
        slurm.calls.clear();
        return made;
    }
    std::vector<JobRequest> requests(std::initializer_list<const char*> names) {
        std::vector<JobRequest> made;
        for (const char* name : names) {
            JobRequest one;
            one.name = name;
            one.command = {"true"};
            one.folder = folder.path();
            one.log = folder.path() / (std::string(name) + ".log");
            made.push_back(one);
        }
        return made;
    }
};

JobId id_of(const SubmitResult& result) {
    if (const auto* failure = std::get_if<SubmitFailure>(&result)) FAIL(failure->text);
    return std::get<JobId>(result);
}
SubmitFailure failure_of(const SubmitResult& result) {
    REQUIRE(std::holds_alternative<SubmitFailure>(result));
    return std::get<SubmitFailure>(result);
}

}  // namespace

TEST_CASE("The limits of the queue are the cluster's, and never more than a thousand") {
    World world;
    SlurmQueue queue = world.queue();
    CHECK(queue.limits().array == 11);
    CHECK(queue.limits().jobs_at_once == 25);
    World large;
    large.slurm.replies["scontrol"] = {{Kind::Good, "MaxArraySize = 4000001\nMaxJobCount = 500000\n", ""}};
    CHECK(large.queue().limits().array == 1000);
    World none;
    none.slurm.replies["scontrol"] = {{Kind::Good, "MaxArraySize = 0\n", ""}};
    CHECK(none.queue().limits().array == 1);
}

TEST_CASE("Without Slurm's commands, or without its controller, the error says what to do") {
    World world;
    world.slurm.replies["sbatch"] = {{Kind::NotInstalled, "", ""}};
    CHECK_THROWS_WITH(world.queue(), Catch::Contains("sbatch is not installed here") && Catch::Contains("login node"));
    World down;
    down.slurm.replies["scontrol"] = {{Kind::Refused, "", "Unable to contact slurm controller (connect failure)"}};
    CHECK_THROWS_WITH(down.queue(),
                      Catch::Contains("Slurm does not answer: Unable to contact slurm controller") && Catch::Contains("scontrol ping"));
}

TEST_CASE("One request is a job, several are an array, and both are found again by another process") {
    World world;
    {
        SlurmQueue queue = world.queue();
        world.slurm.say("sbatch", Kind::Good, "41\n");
        CHECK(id_of(queue.submit(world.requests({"b1.a1"}))[0]) == "41");
        world.slurm.replies["sbatch"] = {{Kind::Good, "sbatch: lua: welcome\n42;cluster\n", ""}};
        const auto results = queue.submit(world.requests({"b2.a1", "b3.a4"}));
        CHECK(id_of(results[0]) == "42_0");
        CHECK(id_of(results[1]) == "42_1");
        CHECK(std::filesystem::read_symlink(world.folder.path() / "slurm" / "b2.a1.logs" / "1") == world.folder.path() / "b3.a4.log");
    }
    world.slurm.replies.clear();
    world.slurm.say("sbatch", Kind::Good, "");
    world.slurm.say("scontrol", Kind::Good, "");
    SlurmQueue queue = world.queue();
    world.slurm.squeue("41|RUNNING|0|b1.a1|n1|None|\n42_0|PENDING|0|b2.a1||Priority|\n42_1|FAILED|0|b2.a1|n2|NonZeroExitCode|\n"
                       "43|RUNNING|0|(null)|n1|None|\n44|RUNNING|0|../etc|n1|None|\n45_7|RUNNING|0|b9.a1|n1|None|\n");
    const auto jobs = queue.poll();
    REQUIRE(jobs);
    REQUIRE(jobs->size() == 3);
    CHECK(jobs->at("b1.a1").first == "41");
    CHECK(jobs->at("b1.a1").second.machine == "n1");
    CHECK(jobs->at("b2.a1").first == "42_0");
    CHECK(jobs->at("b2.a1").second.state == State::Pending);
    CHECK(jobs->at("b3.a4").first == "42_1");
    CHECK(jobs->at("b3.a4").second.state == State::Ended);
    CHECK(world.slurm.count("squeue") == 1);
}

TEST_CASE("A job whose answer was lost is not submitted twice") {
    World world;
    SlurmQueue queue = world.queue();
    world.slurm.say("sbatch", Kind::Refused, "", "Batch job submission failed: Socket timed out on send/recv operation");
    world.slurm.squeue("7|PENDING|0|b1.a1||None|\n");
    CHECK(id_of(queue.submit(world.requests({"b1.a1"}))[0]) == "7");

    // An array is recognised by its comment, whatever task is shown first.
    world.slurm.replies["sbatch"] = {{Kind::NoAnswer, "", ""}};
    world.slurm.squeue("8_1|RUNNING|0|b2.a1|n1|None|\n8_0|PENDING|0|b2.a1||None|\n");
    const auto results = queue.submit(world.requests({"b2.a1", "b3.a1"}));
    CHECK(id_of(results[0]) == "8_0");
    CHECK(id_of(results[1]) == "8_1");
    CHECK(world.slurm.count("sbatch") == 2);
}

TEST_CASE("A job whose answer was lost and that is shown only later is found before the next try") {
    World world;
    SlurmQueue queue = world.queue();
    world.slurm.say("sbatch", Kind::Refused, "", "Batch job submission failed: Socket timed out on send/recv operation");
    world.slurm.squeue("");
    CHECK(failure_of(queue.submit(world.requests({"b1.a1", "b2.a1"}))[1]).failure == SubmitFailure::Class::Throttled);
    // squeue does not answer: nothing is submitted.
    world.slurm.replies["squeue"] = {{Kind::Refused, "", "Socket timed out"}};
    CHECK(failure_of(queue.submit(world.requests({"b2.a1"}))[0]).failure == SubmitFailure::Class::Throttled);
    CHECK(world.slurm.count("sbatch") == 1);
    // It answers: one is there, the other goes with a new one.
    world.slurm.replies["sbatch"] = {{Kind::Good, "9\n", ""}};
    world.slurm.squeue("8_0|PENDING|0|b1.a1||None|\n8_1|PENDING|0|b1.a1||None|\n");
    const auto results = queue.submit(world.requests({"b2.a1", "b3.a1"}));
    CHECK(id_of(results[0]) == "8_1");
    CHECK(id_of(results[1]) == "9");
    CHECK(world.slurm.count("sbatch") == 2);
}

TEST_CASE("An array that may be there keeps its file of tasks when its first request is submitted again") {
    World world;
    SlurmQueue queue = world.queue();
    world.slurm.say("sbatch", Kind::Refused, "", "Socket timed out");
    world.slurm.squeue("");
    (void)queue.submit(world.requests({"b1.a1", "b2.a1"}));
    world.slurm.replies["sbatch"] = {{Kind::Good, "5\n", ""}};
    (void)queue.submit(world.requests({"b1.a1", "b3.a1"}));
    CHECK(test::file_text(world.folder.path() / "slurm" / "b1.a1.tasks").starts_with("# b1.a1\n# b2.a1\n"));
    CHECK(test::file_text(world.folder.path() / "slurm" / "b1.a1.2.tasks").starts_with("# b1.a1\n# b3.a1\n"));
}

TEST_CASE("Refusals: busy ones are tried again without a look, final ones have Slurm's words") {
    World world;
    SlurmQueue queue = world.queue();
    const auto refused = [&](const std::string& words) {
        world.slurm.replies["sbatch"] = {{Kind::Refused, "", words}};
        return failure_of(queue.submit(world.requests({"b1.a1"}))[0]);
    };
    CHECK(refused("Batch job submission failed: Unable to contact slurm controller").failure == SubmitFailure::Class::Throttled);
    const SubmitFailure config = refused("invalid partition specified: x; Batch job submission failed: Invalid partition name specified");
    CHECK(config.failure == SubmitFailure::Class::Config);
    CHECK(config.text.starts_with("invalid partition specified: x"));
    CHECK(world.slurm.count("squeue") == 0);

    // Without a name it may be the limit on the number of jobs, if there is any job of ours.
    const std::string policy =
        "Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)";
    world.slurm.squeue("3|RUNNING|0|b0.a1|n1|None|\n");
    CHECK(refused(policy).failure == SubmitFailure::Class::Throttled);
    world.slurm.squeue("");
    CHECK(refused(policy).failure == SubmitFailure::Class::Config);
}

TEST_CASE("A query that failed says nothing of any job") {
    World world;
    SlurmQueue queue = world.queue();
    for (const Kind kind : {Kind::Refused, Kind::NoAnswer, Kind::NotInstalled}) {
        world.slurm.replies["squeue"] = {{kind, "", "x"}};
        CHECK_FALSE(queue.poll());
    }
    world.slurm.squeue("7|FAILED|1|b1.a1||BadConstraints|\n");  // what sbatch has refused
    CHECK(queue.poll()->empty());
}

TEST_CASE("A preempted job, or one whose node failed, may come back for some seconds, and has ended then") {
    World world;
    SlurmQueue queue = world.queue();
    for (const std::string word : {"PREEMPTED", "NODE_FAIL"}) {
        world.slurm.squeue("5|RUNNING|0|b1.a1|n1|None|\n");
        CHECK(queue.poll()->at("b1.a1").second.state == State::Running);
        world.slurm.squeue("5|" + word + "|0|b1.a1|n1|None|\n");
        CHECK(queue.poll()->at("b1.a1").second.state == State::Pending);
        CHECK(queue.poll()->at("b1.a1").second.reason == word);
        world.clock.now += 11;
        CHECK(queue.poll()->at("b1.a1").second.state == State::Ended);
    }
    CHECK(queue.poll()->at("b1.a1").second.end == JobEnd::Infrastructure);
}

TEST_CASE("Of two jobs of one name the one that has come farther counts") {
    World world;
    SlurmQueue queue = world.queue();
    world.slurm.squeue("5|CANCELLED|0|b1.a1|n1|None|\n6|RUNNING|0|b1.a1|n2|None|\n7|PENDING|0|b1.a1||None|\n");
    CHECK(queue.poll()->at("b1.a1").first == "6");
    world.slurm.squeue("5|COMPLETED|0|b1.a1|n1|None|\n6|RUNNING|0|b1.a1|n2|None|\n");
    CHECK(queue.poll()->at("b1.a1").first == "5");
}

TEST_CASE("Accounting is asked for jobs that squeue has forgotten, where there is one, the newest of a job's rows counts") {
    World world;
    SlurmQueue queue = world.queue();
    world.slurm.say("sacct", Kind::Good,
                    "5|NODE_FAIL|1:0|n1|60\n5|COMPLETED|0:0|n2|90\n6_1|CANCELLED by 1000|0:0|None assigned|0\n"
                    "7|OUT_OF_MEMORY|0:125|n1|7\n");
    const std::vector<JobId> ids{"5", "6_1", "7", "8", "--uid=1"};
    const auto found = queue.look_up(ids);
    REQUIRE(found.size() == 3);
    CHECK(found.at("5").end == JobEnd::Exited);
    CHECK(found.at("5").machine == "n2");
    CHECK(found.at("6_1").end == JobEnd::Cancelled);
    CHECK(found.at("7").end == JobEnd::Memory);
    CHECK(world.slurm.calls.back()[6] == "5,6_1,7,8");

    World without;
    without.slurm.replies["scontrol"] = {{Kind::Good, "AccountingStorageType = accounting_storage/none\n", ""}};
    SlurmQueue blind = without.queue();
    CHECK(blind.look_up(ids).empty());
    CHECK(without.slurm.count("sacct") == 0);
}

TEST_CASE("Thousands of jobs are cancelled in a few calls, all of a run in one, and only ids are passed on") {
    World world;
    SlurmQueue queue = world.queue();
    std::vector<JobId> ids;
    for (int i = 0; i < 1200; ++i) ids.push_back(std::to_string(100 + i));
    ids.push_back("--user=root");
    queue.cancel(ids);
    CHECK(world.slurm.count("scancel") == 3);
    CHECK(std::ranges::none_of(world.slurm.calls, [](const auto& argv) { return argv.back() == "--user=root"; }));
    queue.cancel_all();
    CHECK(world.slurm.calls.back().back() == "satdl-r1");
    queue.ask_to_stop(std::span(ids).first(2));
    CHECK(world.slurm.calls.back() == std::vector<std::string>{"scancel", "--quiet", "--signal=TERM", "--batch", "100", "101"});
    const std::size_t before = world.slurm.calls.size();
    queue.cancel({});
    CHECK(world.slurm.calls.size() == before);
}
