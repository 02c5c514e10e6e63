#include "pipeline/executors/slurm/slurm_batch.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "pipeline/os/subprocess.h"
#include "tests/support/temp_folder.h"

using namespace satdl;

namespace {

JobRequest request(const std::string& name, const std::filesystem::path& folder = "/runs") {
    JobRequest made;
    made.name = name;
    made.command = {"/usr/bin/satdl", "exec-batch", (folder / name / "spec.json").string()};
    made.folder = folder;
    made.log = folder / name / "log.txt";
    return made;
}

bool has(const SlurmBatch& batch, const std::string& option) { return std::ranges::count(batch.argv, option) == 1; }

}  // namespace

TEST_CASE("What a stage asks for becomes options of sbatch, and extra options stay as they are") {
    JobRequest wanted = request("b1.a1");
    wanted.resources = {.cpus = 8, .memory_bytes = (std::uint64_t{3} << 30) + 1, .seconds = 5400.2, .gpus = 2, .partition = "gpu",
                        .account = "lab", .qos = "high", .constraint = "a100&ib", .extra = {"--licenses=foo:2", "--nice"}};
    wanted.excluded_nodes = {"n3", "n7"};
    const SlurmBatch batch = slurm_batch("satdl-r", std::span(&wanted, 1), "/runs/slurm", "b1.a1");
    CHECK(batch.argv.front() == "sbatch");
    for (const char* option : {"--parsable", "--job-name=satdl-r", "--comment=b1.a1", "--requeue", "--open-mode=append",
                               "--signal=B:USR1@120", "--nodes=1", "--ntasks=1", "--cpus-per-task=8", "--mem=3073M", "--time=90:01",
                               "--gres=gpu:2", "--partition=gpu", "--account=lab", "--qos=high", "--constraint=a100&ib", "--exclude=n3,n7",
                               "--licenses=foo:2", "--nice",
                               "--output=/runs/b1.a1/log.txt", "--chdir=/runs"})
        CHECK(has(batch, option));
    CHECK(batch.argv.back() == "/runs/slurm/b1.a1.sh");
    CHECK(batch.script_text ==
          "#!/bin/sh\ncd /runs || exit 1\nexec >>/runs/b1.a1/log.txt 2>&1\nexec /usr/bin/satdl exec-batch /runs/b1.a1/spec.json\n");
    CHECK(batch.tasks.empty());
}

TEST_CASE("What is not asked for is left to the partition") {
    const JobRequest plain = request("b1.a1");
    for (const std::string& option : slurm_batch("satdl-r", std::span(&plain, 1), "/runs/slurm", "b1.a1").argv)
        for (const char* name : {"--mem", "--time", "--gres", "--partition", "--account", "--qos", "--constraint", "--exclude", "--array"})
            CHECK_FALSE(option.starts_with(name));
}

TEST_CASE("Slurm replaces nothing in the names of logs") {
    const JobRequest odd = request("b1.a1", "/runs/100%j");
    CHECK(has(slurm_batch("satdl-r", std::span(&odd, 1), "/s", "b1.a1"), "--output=/runs/100%%j/b1.a1/log.txt"));
}

TEST_CASE("A job is warned early enough before its end, but not at its beginning") {
    CHECK(warning_seconds(std::nullopt) == 120);
    CHECK(warning_seconds(86400) == 120);
    CHECK(warning_seconds(60) == 15);
    CHECK(warning_seconds(61) == 30);  // Slurm gives it two minutes
    CHECK(warning_seconds(1) == 15);
}

TEST_CASE("Times are minutes and seconds, rounded up") {
    CHECK(slurm_time(0) == "0:01");
    CHECK(slurm_time(59.1) == "1:00");
    CHECK(slurm_time(86400) == "1440:00");
}

TEST_CASE("Each task of an array runs its own command, in its own folder and with its own log, whatever their names are") {
    const test::TempFolder folder;
    std::vector<JobRequest> requests;
    for (const char* name : {"b1.a1", "b5.a2", "b6.a1"}) {
        JobRequest made = request(name, folder.path() / "it's a $(folder)");
        std::filesystem::create_directories(made.log.parent_path());
        made.command = {"printf", "%s|", "a word", "quote'd", "$HOME", "line\nline", name};
        requests.push_back(made);
    }
    const SlurmBatch batch = slurm_batch("satdl-r", requests, folder.path(), "b1.a1.2");
    CHECK(has(batch, "--array=0-2"));
    CHECK(has(batch, "--comment=b1.a1.2"));
    CHECK(has(batch, "--output=" + folder.path().string() + "/b1.a1.2.logs/%a"));
    CHECK(batch.script_text.size() < 200);
    CHECK(parse_slurm_tasks(batch.tasks_text) == std::vector<std::string>{"b1.a1", "b5.a2", "b6.a1"});

    test::write_text(batch.script, batch.script_text);
    test::write_text(batch.tasks, batch.tasks_text);
    for (const char* task : {"0", "1", "2"}) {
        ProcessOptions options;
        options.environment = {"PATH=/usr/bin:/bin", std::string("SLURM_ARRAY_TASK_ID=") + task};
        CHECK(run_process({"sh", batch.script.string()}, options, [](auto) { return true; }).good());
    }
    for (const JobRequest& one : requests) CHECK(test::file_text(one.log) == "a word|quote'd|$HOME|line\nline|" + one.name + "|");
}
