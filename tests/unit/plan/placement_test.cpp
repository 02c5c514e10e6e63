#include "pipeline/plan/placement.h"

#include <catch2/catch.hpp>

#include "tests/support/tiny_stages.h"

using namespace satdl;
using Catch::Matchers::Contains;
using test::DagBuilder;
using Words = std::vector<std::string>;

namespace {

const std::filesystem::path kNowhere = "/nowhere/libnone_stages.so";

CatalogEntry computing(bool finds_gpus) {
    CatalogEntry stage = *test::tiny_catalog().find("make");
    stage.description.params.push_back({.name = "device", .type = ParamType::Device});
    stage.description.params.push_back({.name = "precision", .type = ParamType::Precision});
    stage.library = kNowhere;
    stage.numerics = {{"libtorch", "2.13.0+cpu"}};
    stage.finds_gpus = finds_gpus;
    return stage;
}

ParamValue at_line(const std::string& text, int line) {
    static const auto file = std::make_shared<const SourceText>(SourceText{"dag.yaml", "a\nb\nc\nd\n"});
    return {text, Place{file, line, 1}};
}

// a, b, c, of which none reads another; their devices by name, else cpu.
Dag dag_of(const CatalogEntry& stage, const std::map<std::string, ParamValue>& devices, const std::string& precision = "fp32") {
    Dag dag = DagBuilder().add("a", "make").add("b", "make").add("c", "make").build();
    for (Node& node : dag.nodes) {
        node.stage = &stage;
        auto params = node.params.values();
        const auto device = devices.find(node.name);
        params["device"] = device == devices.end() ? ParamValue("cpu") : device->second;
        params["precision"] = precision;
        node.params = Params(std::move(params));
    }
    return dag;
}

std::string refused(const Dag& dag, const Request& request = {}) {
    StageLibraries libraries;
    try {
        (void)find_gpus(dag, request, libraries);
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::Usage);
        return error.what();
    }
    return "";
}

Words told(const Dag& dag, const Machine& machine) {
    Words words;
    for (const Notice& one : placement_notices(dag.nodes[0], machine)) words.push_back((one.level == LogLevel::Warning ? "warning: " : "") + one.text);
    return words;
}

}  // namespace

TEST_CASE("No library is loaded for stages on the CPU, for a library without CUDA, or for stages that are not asked for") {
    StageLibraries libraries;
    const CatalogEntry with = computing(true), without = computing(false);
    CHECK(find_gpus(dag_of(with, {}), {}, libraries).empty());
    const auto found = find_gpus(dag_of(without, {{"b", "auto"}}), {}, libraries);
    CHECK(found.at(kNowhere) == GpuAnswer(NoGpu{"libnone_stages.so was built without CUDA (libtorch 2.13.0+cpu)"}));
    const Dag wishing = dag_of(with, {{"b", "auto"}});
    CHECK(find_gpus(wishing, {.targets = {"a"}}, libraries).empty());
    CHECK_THROWS_WITH(find_gpus(wishing, {}, libraries), Contains("cannot load '/nowhere/libnone_stages.so'"));
}

TEST_CASE("A library is asked where a stage may compute on a GPU, and what it says holds for all its stages") {
    StageLibraries libraries;
    Catalog catalog;
    catalog.add(read_manifest(std::filesystem::path(SATDL_BINARY_DIR) / "libsimple_stages.json"));
    CatalogEntry stage = computing(true);
    stage.library = catalog.find("pretend")->library;
    stage.library_digest = catalog.find("pretend")->library_digest;
    REQUIRE(catalog.find("pretend")->finds_gpus);
    const Dag dag = dag_of(stage, {{"a", "auto"}, {"c", "auto"}});
    ::unsetenv("SIMPLE_GPU");
    CHECK(find_gpus(dag, {}, libraries).at(stage.library) == GpuAnswer(NoGpu{"$SIMPLE_GPU names none"}));
    ::setenv("SIMPLE_GPU", "H1", 1);
    CHECK(find_gpus(dag, {}, libraries).at(stage.library) == GpuAnswer(Gpu{"H1", "compute capability 9.0", true}));
    ::unsetenv("SIMPLE_GPU");
    stage.library = std::filesystem::path(SATDL_BINARY_DIR) / "libmine_stages.so";
    stage.library_digest = read_manifest(std::filesystem::path(SATDL_BINARY_DIR) / "libmine_stages.json").library_digest;
    CHECK_THROWS_WITH(find_gpus(dag, {}, libraries), Contains("cannot look for a GPU") && Contains("rebuild the library"));
}

TEST_CASE("cuda without a GPU is refused at each of its places, once, with what to do") {
    const CatalogEntry stage = computing(false);
    const Dag dag = dag_of(stage, {{"a", at_line("cuda", 2)}, {"b", at_line("auto", 3)}, {"c", at_line("cuda", 4)}});
    const std::string text = refused(dag);
    CHECK_THAT(text, Contains("dag.yaml:2:1: error: 'device' is cuda, but no GPU was found: libnone_stages.so was built without "
                              "CUDA (libtorch 2.13.0+cpu)"));
    CHECK_THAT(text, Contains("use cpu, or auto"));
    CHECK_THAT(text, Contains("dag.yaml:4:1") && !Contains("dag.yaml:3:1"));
    CHECK_THAT(refused(dag, {.targets = {"c"}}), !Contains("dag.yaml:2:1") && Contains("dag.yaml:4:1"));
    CHECK(refused(dag, {.targets = {"b"}}).empty());
    const std::string twice = refused(dag_of(stage, {{"a", at_line("cuda", 2)}, {"b", at_line("cuda", 2)}}));
    CHECK(twice.find("error") == twice.rfind("error"));
}

TEST_CASE("The chosen device and precision are reported with the reason, unless they are the usual ones") {
    const CatalogEntry stage = computing(true);
    Machine machine{4, "AVX2"};
    CHECK(told(dag_of(stage, {}), machine).empty());
    machine.gpus = {{kNowhere, NoGpu{"the driver is too old"}}};
    const std::map<std::string, ParamValue> automatic{{"a", "auto"}}, cuda{{"a", "cuda"}};
    CHECK(told(dag_of(stage, automatic), machine) == Words{"computes on the CPU (auto: the driver is too old)"});
    CHECK(told(dag_of(stage, automatic, "auto"), machine) ==
          Words{"computes on the CPU (auto: the driver is too old)",
                "computes in fp32 (auto: this CPU has neither AVX512-BF16 nor AMX-BF16)"});
    machine.gpus = {{kNowhere, Gpu{"V1", "compute capability 7.0", false}}};
    CHECK(told(dag_of(stage, automatic, "auto"), machine) ==
          Words{"computes on cuda (auto: V1, compute capability 7.0)", "computes in fp32 (auto: this GPU has no instructions for it)"});
    CHECK(told(dag_of(stage, cuda, "bf16"), machine) ==
          Words{"computes on cuda (V1, compute capability 7.0)",
                "warning: computes in bf16, slower than fp32 here: this GPU has no instructions for it; precision: auto would use fp32"});
    machine.gpus = {{kNowhere, Gpu{"H1", "compute capability 9.0", true}}};
    CHECK(told(dag_of(stage, cuda, "bf16"), machine) ==
          Words{"computes on cuda (H1, compute capability 9.0)", "computes in bf16 (this GPU has instructions for it)"});
    CHECK(told(dag_of(stage, cuda, "tf32"), machine) ==
          Words{"computes on cuda (H1, compute capability 9.0)", "computes in tf32 (this GPU has instructions for it)"});
    machine.gpus = {{kNowhere, Gpu{"H1", "compute capability 9.0", true, 4}}};
    CHECK(told(dag_of(stage, cuda), machine) == Words{"computes on cuda:0 (H1, compute capability 9.0)"});
    machine.bf16 = "AMX-BF16";
    CHECK(told(dag_of(stage, {}, "tf32"), machine) == Words{"computes in fp32 (tf32: only GPUs have instructions for it)"});
    CHECK(told(dag_of(stage, {}, "bf16"), machine) == Words{"computes in bf16 (this CPU has AMX-BF16)"});
}

TEST_CASE("A stage that a job executes computes on the GPU that its executor describes, no library is asked") {
    StageLibraries libraries;
    const CatalogEntry stage = computing(true);
    Dag dag = dag_of(stage, {{"a", at_line("cuda", 2)}, {"b", at_line("auto", 3)}});
    const Machine machine{4, "AVX2"};
    const auto with = [&](int gpus, std::optional<Gpu> gpu) {
        JobSettings job;
        job.executor = "lab";
        job.resources.cpus = 8;
        job.resources.gpus = gpus;
        job.gpu = std::move(gpu);
        for (Node& node : dag.nodes) node.job = std::make_shared<JobSettings>(job);
    };
    with(0, std::nullopt);
    CHECK_THAT(refused(dag), Contains("dag.yaml:2:1: error: 'device' is cuda, but the stage's job asks for no GPU") &&
                                 Contains("resources: {gpus: 1}") && !Contains("dag.yaml:3:1"));
    CHECK(gpu_of(dag.nodes[1], machine) == nullptr);
    CHECK(placement_notices(dag.nodes[1], machine).front().text == "computes on the CPU (auto: its job asks for no GPU)");
    with(1, std::nullopt);
    CHECK_THAT(refused(dag), Contains("executor 'lab' does not say which GPU its machines have") && Contains("dag.yaml:3:1") &&
                                 Contains("satdl selftest --machine"));
    with(1, Gpu{"H100", "9.0", true});
    CHECK(find_gpus(dag, {}, libraries).empty());
    CHECK(gpu_of(dag.nodes[1], machine)->name == "H100");
    CHECK(cores_of(dag.nodes[1], machine) == 8);
    CHECK(cpu_of(dag.nodes[1], machine) == "AVX2");
}

TEST_CASE("A cap of the processor is written as part of its name") {
    CHECK(cpu_cap_of("AVX2 of AVX512_BF16") == "avx2");
    CHECK(cpu_cap_of("DEFAULT of AVX2") == "default");
    CHECK(cpu_cap_of("AVX2").empty());
    CHECK(bf16_of("AVX2 of AMX_BF16") == "AMX-BF16");
    CHECK(bf16_of("AVX512").empty());
}
