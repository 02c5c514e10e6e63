#include "commands/run/job_machine.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/support/tiny_stages.h"

using namespace satdl;
using Catch::Contains;

namespace {

struct Setting {
    CatalogEntry stage = *test::tiny_catalog().find("make");
    Dag dag = test::DagBuilder().add("m1", "make").build();
    Machine planned{4, "AVX2", "GenuineIntel 6-63"};
    StageLibraries libraries{};

    explicit Setting(bool numeric = true) {
        stage.description.numeric = numeric;
        dag.nodes[0].stage = &stage;
    }
    std::optional<std::string> refused(const Machine& here) { return other_bits(dag, dag.nodes[0], planned, here, "n7", libraries); }
};

std::shared_ptr<const JobSettings> with_cpu(const std::string& cpu) {
    auto job = std::make_shared<JobSettings>();
    job->cpu = cpu;
    return job;
}

}  // namespace

TEST_CASE("a machine like the plan's is taken, however many cores it has") {
    Setting setting;
    CHECK_FALSE(setting.refused({64, "AVX2", "GenuineIntel 6-63", 1 << 30}));
}

TEST_CASE("a machine that would compute other bits is named, with what differs and what to do") {
    Setting setting;
    const auto text = setting.refused({4, "AVX512", "GenuineIntel 6-63"});
    REQUIRE(text);
    CHECK_THAT(*text, Contains("machine n7 would compute other bits of stage m1 than the plan says: its cpu is AVX512, not AVX2\n") &&
                          Contains("satdl selftest --machine") && Contains("numerics: portable"));
    CHECK_THAT(*setting.refused({4, "AVX2", ""}), Contains("its processor is unknown, not GenuineIntel 6-63"));
}

TEST_CASE("what the executor says of its machines goes before the machine that planned") {
    Setting setting;
    setting.dag.nodes[0].job = with_cpu("AVX512");
    CHECK_FALSE(setting.refused({4, "AVX512", "GenuineIntel 6-63"}));
    CHECK(setting.refused({4, "AVX2", "GenuineIntel 6-63"}));
}

TEST_CASE("any machine will do where no bit depends on it") {
    Setting plain(false);
    CHECK_FALSE(plain.refused({4, "AVX512", "AuthenticAMD 25-1"}));
    Setting portable;
    portable.dag.numerics = Numerics::Portable;
    CHECK_FALSE(portable.refused({4, "AVX512", "AuthenticAMD 25-1"}));
}

TEST_CASE("a job computes with no more instructions than its executor says") {
    ::unsetenv("ATEN_CPU_CAPABILITY");
    Setting setting;
    cap_cpu_for(setting.dag.nodes[0]);
    CHECK(std::getenv("ATEN_CPU_CAPABILITY") == nullptr);
    setting.dag.nodes[0].job = with_cpu("AVX2 of AVX512");
    cap_cpu_for(setting.dag.nodes[0]);
    CHECK(std::string(std::getenv("ATEN_CPU_CAPABILITY")) == "avx2");
    ::unsetenv("ATEN_CPU_CAPABILITY");
}
