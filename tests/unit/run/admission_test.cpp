#include "pipeline/run/admission.h"

#include <catch2/catch.hpp>

using namespace satdl;
using Nodes = std::vector<std::size_t>;

TEST_CASE("A stage's memory is what it declares for itself, its inputs, its outputs and its network") {
    const StageDescription stage{.kind = "x", .memory_fixed_bytes = 1000, .memory_per_input_byte = 0.5, .memory_per_output_byte = 2};
    const PortType known{.dtype = DType::Float32, .shape = Shape{3, 5}}, unknown{.dtype = DType::Float32, .shape = Shape{kUnknown, 5}};
    const NodeTypes types{.outputs = {{"a", known}, {"b", unknown}, {"c", known}}, .network_cost = 7, .network_bytes = 20'000};
    CHECK(declared_memory(stage, 100, types) == 1000 + 50 + 2 * 2 * 60 + 20'000);
    CHECK(declared_memory({.kind = "x", .memory_fixed_bytes = 10, .memory_per_input_byte = -1}, 100, {}) == 0);
}

TEST_CASE("A stage whose large outputs lie in files declares no more for each than a small one takes") {
    StageDescription stage{.kind = "x", .outputs = {{.name = "a"}, {.name = "b"}}, .memory_fixed_bytes = 1000, .memory_per_input_byte = 2};
    CHECK(declared_memory(stage, 5000, {}, 600) == 1000 + 10'000);
    stage.large_outputs_in_files = true;
    CHECK(declared_memory(stage, 5000, {}, 600) == 1000 + 2 * 600);
    CHECK(declared_memory(stage, 50, {}, 600) == 1000 + 100);
    CHECK(declared_memory(stage, 5000, {}) == 1000 + 10'000);  // there are no such files
}

TEST_CASE("Large arrays are a sixteenth of the memory that a run may use, and more") {
    CHECK(default_limits({}, {.memory_bytes = std::uint64_t{20} << 30}).large_array_bytes == std::uint64_t{1} << 30);
    CHECK(default_limits({.memory_bytes = std::uint64_t{2} << 30}, {}).large_array_bytes == std::uint64_t{128} << 20);
    CHECK(default_limits({}, {}).large_array_bytes == 0);
}

TEST_CASE("The longest remaining path goes first, ties by the DAG's order") {
    Admission admission({.jobs = 1}, 8);
    admission.offer(0, {}, 5);
    admission.offer(1, {}, 60);
    admission.offer(2, {}, 60);
    for (const std::size_t next : {1U, 2U, 0U}) {
        CHECK(admission.admit(0) == Nodes{next});
        CHECK(admission.admit(0).empty());
        admission.finished(next);
    }
    CHECK(admission.admit(0).empty());
}

TEST_CASE("As many stages run side by side as their threads leave cores, and no more than jobs") {
    Admission by_cores({}, 4);
    for (std::size_t node = 0; node < 4; ++node) by_cores.offer(node, {.threads = node == 0 ? 2 : 1}, 0);
    CHECK(by_cores.admit(0) == Nodes{0, 1, 2});
    by_cores.finished(1);
    CHECK(by_cores.admit(0) == Nodes{3});

    Admission by_jobs({.jobs = 2}, 4);
    for (std::size_t node = 0; node < 4; ++node) by_jobs.offer(node, {}, 0);
    CHECK(by_jobs.admit(0) == Nodes{0, 1});
}

TEST_CASE("A stage that asks for more cores than there are runs alone") {
    Admission admission({}, 2);
    admission.offer(0, {.threads = 16}, 9);
    admission.offer(1, {}, 0);
    CHECK(admission.admit(0) == Nodes{0});
    admission.finished(0);
    CHECK(admission.admit(0) == Nodes{1});
}

TEST_CASE("A stage that does not fit is not overtaken by smaller ones") {
    Admission admission({}, 2);
    admission.offer(0, {}, 1);
    CHECK(admission.admit(0) == Nodes{0});
    admission.offer(1, {.threads = 2}, 9);
    admission.offer(2, {}, 0);
    CHECK(admission.admit(0).empty());
    admission.finished(0);
    CHECK(admission.admit(0) == Nodes{1});
}

TEST_CASE("Memory: what stages declare and what is held between them stays below the limit") {
    Admission admission({.memory_bytes = 1000}, 8);
    admission.offer(0, {.bytes = 400}, 3);
    admission.offer(1, {.bytes = 400}, 2);
    admission.offer(2, {.bytes = 400}, 1);
    CHECK(admission.admit(0) == Nodes{0, 1});
    admission.finished(0);
    CHECK(admission.admit(300).empty());
    CHECK(admission.admit(200) == Nodes{2});
}

TEST_CASE("If no stage is running, one is admitted whatever it needs") {
    Admission admission({.memory_bytes = 1000}, 2);
    admission.offer(0, {.threads = 5, .bytes = 5000}, 0);
    admission.offer(1, {.bytes = 5000}, 0);
    CHECK(admission.admit(999'999) == Nodes{0});
    CHECK(admission.admit(0).empty());
    admission.finished(0);
    CHECK(admission.admit(999'999) == Nodes{1});
}

TEST_CASE("The limit of concurrent cohorts holds, and stages of started cohorts overtake those of waiting ones") {
    Admission admission({.cohorts = 1}, 8, {0, 0, 1, 1, std::nullopt});
    admission.offer(0, {}, 5);
    admission.offer(2, {}, 9);
    admission.offer(3, {}, 9);
    admission.offer(4, {}, 1);
    CHECK(admission.admit(0) == Nodes{2, 3, 4});  // the first opens its cohort; 4 has none
    admission.offer(1, {}, 99);
    admission.finished(2);
    admission.done(2);
    CHECK(admission.admit(0).empty());
    admission.finished(3);
    CHECK(admission.admit(0).empty());
    admission.done(3);
    CHECK(admission.admit(0) == Nodes{1, 0});
}

TEST_CASE("A cohort is in flight until its last node is finished or known not to run") {
    Admission admission({.cohorts = 1}, 8, {0, 0, 1});
    admission.offer(0, {}, 2);
    admission.offer(2, {}, 1);
    CHECK(admission.admit(0) == Nodes{0});
    admission.finished(0);
    admission.done(0);
    CHECK(admission.admit(0).empty());  // 1 may come
    admission.done(1);                  // it was skipped
    CHECK(admission.admit(0) == Nodes{2});
}

TEST_CASE("A cohort whose stages are all reused is not in flight") {
    Admission admission({.cohorts = 1}, 8, {0, 0, 1});
    admission.done(0);
    admission.offer(2, {}, 1);
    CHECK(admission.admit(0) == Nodes{2});
}

TEST_CASE("A stage that another cohort waits for counts for no cohort, unless it runs already") {
    Admission admission({.cohorts = 1}, 8, {0, 0, 1, 1});
    admission.offer(0, {}, 2);
    CHECK(admission.admit(0) == Nodes{0});
    admission.offer(2, {}, 1);
    admission.awaited(2, 3);
    CHECK(admission.admit(0).empty());
    admission.awaited(2, 1);
    CHECK(admission.admit(0) == Nodes{2});
    admission.awaited(0, 3);  // runs: 0's cohort stays in flight
    admission.offer(3, {}, 1);
    admission.finished(0);
    admission.done(0);
    CHECK(admission.admit(0).empty());
    admission.done(1);
    CHECK(admission.admit(0) == Nodes{3});
    // Also before it is offered.
    Admission early({.cohorts = 1}, 8, {0, 1});
    early.offer(0, {}, 2);
    CHECK(early.admit(0) == Nodes{0});
    early.awaited(1, 0);
    early.offer(1, {}, 1);
    CHECK(early.admit(0) == Nodes{1});
}

TEST_CASE("Without a limit of cohorts only the cores hold stages back") {
    Admission free({}, 8, {0, 1, 2});
    for (std::size_t node = 0; node < 3; ++node) free.offer(node, {}, 0);
    CHECK(free.admit(0) == Nodes{0, 1, 2});
    Admission two({.cohorts = 2}, 2, {0, 1, 1});
    two.offer(0, {}, 1);
    CHECK(two.admit(0) == Nodes{0});
    two.offer(1, {.threads = 2}, 9);
    CHECK(two.admit(0).empty());
    two.finished(0);
    two.done(0);
    CHECK(two.admit(0) == Nodes{1});
}

TEST_CASE("One stage at a time has the GPU, and those that wait for it alone are overtaken") {
    Admission admission({}, 8);
    admission.offer(0, {.gpus = 1}, 9);
    admission.offer(1, {.gpus = 1}, 8);
    admission.offer(2, {.gpus = 1}, 7);
    admission.offer(3, {.threads = 2}, 1);
    CHECK(admission.admit(0) == Nodes{0, 3});
    CHECK(admission.admit(0).empty());
    admission.finished(3);
    CHECK(admission.admit(0).empty());
    admission.finished(0);
    CHECK(admission.admit(0) == Nodes{1});
    admission.finished(1);
    CHECK(admission.admit(0) == Nodes{2});
}

TEST_CASE("A stage on the GPU that waits for cores is not overtaken once the GPU is free") {
    Admission admission({}, 2);
    admission.offer(0, {}, 9);
    CHECK(admission.admit(0) == Nodes{0});
    admission.offer(1, {.threads = 2, .gpus = 1}, 8);
    admission.offer(2, {}, 1);
    CHECK(admission.admit(0).empty());
    admission.finished(0);
    CHECK(admission.admit(0) == Nodes{1});
}

TEST_CASE("Each of several GPUs has one stage, and each stage knows the number of its own") {
    Admission admission({}, 8);
    for (std::size_t node = 0; node < 4; ++node) admission.offer(node, {.gpus = 2}, 9 - static_cast<double>(node));
    admission.offer(4, {.gpus = 1}, 1);
    CHECK(admission.admit(0) == Nodes{0, 1});
    CHECK(admission.gpu_of(0) == 0);
    CHECK(admission.gpu_of(1) == 1);
    admission.finished(1);
    CHECK(admission.admit(0) == Nodes{2});
    CHECK(admission.gpu_of(2) == 1);
    admission.finished(0);
    CHECK(admission.admit(0) == Nodes{3});
    CHECK(admission.gpu_of(3) == 0);
    admission.finished(2);
    CHECK(admission.admit(0).empty());  // 4 knows the first alone, which is taken
    admission.finished(3);
    CHECK(admission.admit(0) == Nodes{4});
    CHECK(admission.gpu_of(4) == 0);
}

TEST_CASE("While the GPU is taken another cohort starts with stages on the CPU") {
    Admission admission({.cohorts = 2}, 8, {0, 1, 1});
    admission.offer(0, {.gpus = 1}, 9);
    admission.offer(1, {.gpus = 1}, 8);
    admission.offer(2, {}, 7);
    CHECK(admission.admit(0) == Nodes{0, 2});
    admission.finished(0);
    CHECK(admission.admit(0) == Nodes{1});
}
