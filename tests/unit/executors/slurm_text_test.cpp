// Golden outputs: of Slurm 22.05.8 as Debian has it, recorded; of later versions from their documentation.
#include "pipeline/executors/slurm/slurm_text.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace satdl;

namespace {

// scontrol show config, 22.05.8, in part
constexpr const char* kConfig =
    "Configuration data as of 2026-11-29T19:33:28\n"
    "AccountingStorageBackupHost = (null)\n"
    "AccountingStorageEnforce = none\n"
    "AccountingStorageTRES   = cpu,mem,energy,node,billing,fs/disk,vmem,pages\n"
    "AccountingStorageType   = accounting_storage/none\n"
    "MaxArraySize            = 1001\n"
    "MaxJobCount             = 10000\n"
    "MaxJobId                = 67043328\n"
    "MinJobAge               = 300 sec\n"
    "PreemptMode             = OFF\n"
    "SLURM_VERSION           = 22.05.8\n"
    "\n"
    "Slurmctld(primary) at vm is UP\n";

// squeue -h -r -t all, 22.05.8: preemption with and without requeue, a folder that a node lacks, a held job, a dependency
constexpr const char* kSqueue =
    "6|RUNNING|0|h1|n2|None|\n"
    "1_3|FAILED|35072|b1.a1|n1|NonZeroExitCode|\n"
    "1_4|FAILED|9|b1.a1|n2|JobLaunchFailure|\n"
    "2|FAILED|768|b2.a1|n1|NonZeroExitCode|\n"
    "3|COMPLETED|0|(null)|n1|None|\n"
    "4|PENDING|0|p1||BeginTime|\n"
    "5|PREEMPTED|15|p2|n2|None|\n"
    "8|FAILED|4021|b3.a1|n1|JobLaunchFailure|\n"
    "9|PENDING|0|b4.a1||DependencyNeverSatisfied|\n"
    "16|FAILED|256|(null)||BadConstraints|\n";

}  // namespace

TEST_CASE("The limits are read from the configuration, and are usual ones where it does not say") {
    const SlurmConfig config = parse_slurm_config(kConfig);
    CHECK(config.max_array_size == 1001);
    CHECK(config.max_job_count == 10000);
    CHECK(config.min_job_age_seconds == 300);
    CHECK_FALSE(config.accounting);
    CHECK(config.version == "22.05.8");
    CHECK(parse_slurm_config("AccountingStorageType = accounting_storage/slurmdbd\nMaxArraySize = 11\nMaxJobCount = x\n").accounting);
    CHECK_FALSE(parse_slurm_config("AccountingStorageType   = (null)\n").accounting);  // from 23.11 on
    CHECK(parse_slurm_config("").max_job_count == 10000);
}

TEST_CASE("squeue of 22.05") {
    const std::vector<SlurmJobRow> rows = parse_squeue(kSqueue);
    REQUIRE(rows.size() == 10);
    CHECK(rows[0].id == "6");
    CHECK(rows[0].job.word == "RUNNING");
    CHECK(rows[0].job.nodes == "n2");
    CHECK(rows[1].id == "1_3");
    CHECK(rows[1].comment == "b1.a1");
    CHECK(rows[1].job.exit_code == 137);
    CHECK(rows[2].job.signal == 9);
    CHECK_FALSE(rows[2].job.never_started);
    CHECK(rows[3].job.exit_code == 3);
    CHECK(rows[5].job.reason == "BeginTime");
    CHECK(rows[5].job.nodes.empty());
    CHECK(rows[7].job.never_started);
    CHECK(rows[8].job.reason == "DependencyNeverSatisfied");
}

TEST_CASE("Reasons may hold anything, and lines of another form are skipped") {
    const std::vector<SlurmJobRow> rows = parse_squeue(
        "Welcome to the cluster\n\n|||\n"
        "7|PENDING|0|b1.a1||ReqNodeNotAvail, UnavailableNodes:n[1-2]|maintenance until 12:00|\n"
        "8|RUNNING|0|b2.a1|n[3-5,9]|None\n"
        "9|NEW_STATE|1:9|b3.a1|n1\n"
        "x8|RUNNING|0|b2.a1|n1|None|\n"
        "8_|RUNNING|0|b2.a1|n1|None|\n"
        "10");
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].job.reason == "ReqNodeNotAvail, UnavailableNodes:n[1-2]|maintenance until 12:00");
    CHECK(rows[1].job.nodes == "n[3-5,9]");
    CHECK(rows[2].job.word == "NEW_STATE");
}

TEST_CASE("An array in one row is one row a task") {
    const auto ids = [](const std::string& text) {
        std::vector<std::string> found;
        for (const SlurmJobRow& row : parse_squeue(text + "|PENDING|0|b1.a1||Priority|\n")) found.push_back(row.id);
        return found;
    };
    CHECK(ids("1_[0-3]") == std::vector<std::string>{"1_0", "1_1", "1_2", "1_3"});
    CHECK(ids("1_[2,5-6,9%2]") == std::vector<std::string>{"1_2", "1_5", "1_6", "1_9"});
    for (const char* bad : {"1_[5-2]", "1_[a]", "1_[1", "1_[0-99999999999]", "1_[]x", "_[1]", "1_[0-18446744073709551615]"})
        CHECK(ids(bad).empty());
}

TEST_CASE("sacct: one row for each time that a job ran") {
    const std::vector<SlurmJobRow> rows =
        parse_sacct("5|NODE_FAIL|1:0|n1|60\n5|COMPLETED|0:0|n2|90\n6_1|CANCELLED by 1000|0:0|None assigned|0\n"
                    "7|OUT_OF_MEMORY|0:125|n1|7\nx\n8|FAILED|0:9|n[1-2]|7\n");
    REQUIRE(rows.size() == 5);
    CHECK(rows[1].job.word == "COMPLETED");
    CHECK(rows[1].ran_seconds == 90);
    CHECK(rows[2].job.word == "CANCELLED by 1000");
    CHECK(rows[4].job.signal == 9);
}

TEST_CASE("The id of a submitted job is found among what else is said") {
    CHECK(parse_sbatch("4711\n") == "4711");
    CHECK(parse_sbatch("sbatch: lua: 3 jobs left\n4711;cluster\n") == "4711");
    CHECK_FALSE(parse_sbatch(""));
    CHECK_FALSE(parse_sbatch("Submitted batch job 5\n"));
}

TEST_CASE("Ids are numbers, with the number of a task") {
    for (const char* id : {"1", "4711_3"}) CHECK(is_slurm_id(id));
    for (const char* id : {"", "-u", "1_", "_1", "1_2_3", "1 2", "1;2", "0x1", "1_[3]"}) CHECK_FALSE(is_slurm_id(id));
}
