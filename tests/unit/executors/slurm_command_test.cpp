#include "pipeline/executors/slurm/slurm_command.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/support/temp_folder.h"

using namespace satdl;

TEST_CASE("Variables that act as options do not reach Slurm's commands, but the one that names the cluster does") {
    const std::vector<const char*> ours{"PATH=/bin", "SLURM_CONF=/etc/slurm.conf", "SLURM_MEM_PER_CPU=100", "SBATCH_PARTITION=x",
                                        "SQUEUE_FORMAT=%i", "SACCT_FORMAT=x", "SCANCEL_NAME=x", "SLURMX=kept", "LC_ALL=de_DE.UTF-8"};
    CHECK(slurm_environment(ours, "squeue") ==
          std::vector<std::string>{"PATH=/bin", "SLURM_CONF=/etc/slurm.conf", "SLURMX=kept", "LC_ALL=C"});
    // A job has its user's locale.
    CHECK(slurm_environment(ours, "sbatch") ==
          std::vector<std::string>{"PATH=/bin", "SLURM_CONF=/etc/slurm.conf", "SLURMX=kept", "LC_ALL=de_DE.UTF-8"});
}

TEST_CASE("Calls are few on average, and some may follow each other at once") {
    SlurmCallBudget budget({.per_second = 0.5, .at_once = 3}, 100);
    for (int i = 0; i < 3; ++i) CHECK(budget.seconds_to_wait(100) == 0);
    CHECK(budget.seconds_to_wait(100) == 2);
    CHECK(budget.seconds_to_wait(102) == 2);
    CHECK(budget.seconds_to_wait(106) == 0);
    CHECK(budget.seconds_to_wait(10000) == 0);
    for (int i = 0; i < 2; ++i) CHECK(budget.seconds_to_wait(10000) == 0);
    CHECK(budget.seconds_to_wait(10000) == 2);
    double now = 20000, waited = 0;
    for (int i = 0; i < 1000; ++i) {
        const double wait = budget.seconds_to_wait(now);
        waited += wait;
        now += wait;
    }
    CHECK(waited == Approx(2 * (1000 - 3)));
}

TEST_CASE("What a command says is one line without its name") {
    CHECK(slurm_words("sbatch",
                      "sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission failed: Invalid partition\n") ==
          "invalid partition specified: x; Batch job submission failed: Invalid partition");
    CHECK(slurm_words("sbatch", "sbatch: lua: use -A\n\n") == "lua: use -A");
    CHECK(slurm_words("squeue", "slurm_load_jobs error: Unable to contact\n") == "slurm_load_jobs error: Unable to contact");
    CHECK(slurm_words("sbatch", "\033[31m") == "\\x1b[31m");
    CHECK(slurm_words("sbatch", std::string(1 << 20, 'x')).size() < 5000);
}

TEST_CASE("A command's end is told apart from one that does not come, or cannot begin") {
    const test::TempFolder folder;
    const auto program = [&](const std::string& name, const std::string& text) {
        test::write_text(folder.path() / name, "#!/bin/sh\n" + text + "\n");
        std::filesystem::permissions(folder.path() / name, std::filesystem::perms::owner_all);
    };
    program("squeue", "echo rows; echo \"format $SQUEUE_FORMAT\"");
    program("sbatch", "echo 'sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying.' >&2; sleep 1000");
    program("scancel", "echo 'scancel: error: Kill job error on job id 5: Invalid job id specified' >&2; exit 1");
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", (folder.path().string() + ":" + path).c_str(), 1);
    ::setenv("SQUEUE_FORMAT", "bad", 1);
    const auto clock = steady_clock();
    const auto commands = slurm_commands(*clock);
    const SlurmReply rows = commands->call({"squeue"});
    CHECK(rows.good());
    CHECK(rows.out == "rows\nformat \n");
    const SlurmReply busy = commands->call({"sbatch"});
    CHECK(busy.kind == SlurmReply::Kind::NoAnswer);  // it was killed at once
    CHECK(busy.words == "Slurm temporarily unable to accept job, sleeping and retrying.");
    const SlurmReply refused = commands->call({"scancel", "5"});
    CHECK(refused.kind == SlurmReply::Kind::Refused);
    CHECK(refused.words == "Kill job error on job id 5: Invalid job id specified");
    CHECK(commands->call({"satdl-no-such-program"}).kind == SlurmReply::Kind::NotInstalled);
    ::setenv("PATH", path.c_str(), 1);
}
