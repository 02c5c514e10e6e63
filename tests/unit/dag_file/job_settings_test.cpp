#include "pipeline/dag_file/job_settings_reader.h"

#include <catch2/catch.hpp>

#include "tests/support/small_dag.h"

using namespace satdl;

namespace {

const std::string kLoad = "stages:\n  a: {kind: load, dataset: mnist";

ConfigValue yaml(const std::string& text) {
    return parse_yaml(std::make_shared<const SourceText>(SourceText{"settings.yaml", text}));
}

Settings chosen(const std::string& name, const std::string& executors = "") {
    Settings settings;
    settings.executor = {.name = name, .executors = executors.empty() ? ConfigValue::null() : yaml(executors)};
    return settings;
}

// Of the one stage of the file.
std::shared_ptr<const JobSettings> job(const std::string& text, const Settings& settings = {}) { return build(text, settings).nodes.at(0).job; }

JobResources resources(const std::string& text) { return job(kLoad + ", executor: slurm, resources: {" + text + "}}\n")->resources; }

}  // namespace

TEST_CASE("without an executor, or with `local`, no job executes a stage") {
    CHECK(job(kLoad + "}\n") == nullptr);
    CHECK(job(kLoad + ", executor: local}\n") == nullptr);
    CHECK(job(kLoad + ", executor: local}\n", chosen("slurm")) == nullptr);
    CHECK(job(kLoad + ", resources: {cpus: 8}}\n") == nullptr);
    CHECK(job(kLoad + ", executor: slurm}\n")->executor == "slurm");
    CHECK(job(kLoad + "}\n", chosen("slurm"))->executor == "slurm");
    CHECK(job(kLoad + ", executor: slurm}\n", chosen("local")) == nullptr);
    CHECK(job(kLoad + ", executor: null}\n", chosen("slurm")) != nullptr);
}

TEST_CASE("`process` gives a stage a process of its own") {
    const Dag dag = build(kLoad + ", executor: process}\n");
    CHECK(dag.nodes[0].job == nullptr);
    CHECK(dag.nodes[0].policy.isolate);
    CHECK_FALSE(build(kLoad + "}\n").nodes[0].policy.isolate);
}

TEST_CASE("resources are read with their units") {
    const JobResources all = resources("cpus: 8, memory: 16GB, time: 90m, gpus: 2, partition: \"a100,h100\", account: lab, qos: low, "
                                       "constraint: \"avx512&ib\", extra: [--exclusive, --reservation=course]");
    CHECK(all == JobResources{8, std::uint64_t{16} << 30, 5400, 2, "a100,h100", "lab", "low", "avx512&ib", {"--exclusive", "--reservation=course"}});
    CHECK(resources("extra: --exclusive").extra == Lines{"--exclusive"});
    CHECK(resources("memory: null, time: null") == JobResources{});
    CHECK(resources("extra: [--mem-per-cpu=2G]").memory_bytes == 0);
}

TEST_CASE("wrong resources have their places, whatever executes the stage") {
    const auto wrong = [](const std::string& text) { return mistakes(kLoad + ", resources: {" + text + "}}\n"); };
    CHECK(wrong("cpu: 8") == Lines{"2:47 there is no resource 'cpu' | did you mean 'cpus'?"});
    CHECK(wrong("cpus: 0") == Lines{"2:53 'cpus' must be a whole number, not the number 0 | from 1 to 65536"});
    CHECK(wrong("memory: 16") ==
          Lines{"2:55 'memory' must be a memory size, not the number 16 | a number and a unit (MB, GB, TB), at least 16MB, such as 500MB or 4GB"});
    CHECK(wrong("time: 2 hours") ==
          Lines{"2:53 'time' must be a duration, not the text '2 hours' | a number and a unit (s, m, h, d), from 1s to 366d, such as 90m or 2h"});
    CHECK(wrong("partition: \"a b\"").at(0).starts_with("2:58 'partition' must be a name of the batch system's"));
    CHECK(wrong("account: --wrap").at(0).starts_with("2:56 'account' must be a name"));
    CHECK(wrong("memory: 1GB, extra: [--mem=2G]") == Lines{"2:68 '--mem' contradicts 'memory' | remove one of the two"});
    CHECK(wrong("extra: [--time=5]") == Lines{"2:55 '--time' cannot be in 'extra' | use 'time'"});
    CHECK(wrong("extra: [-J name]") == Lines{"2:55 '--job-name' cannot be in 'extra': satdl sets it"});
    CHECK(wrong("extra: [exclusive]").at(0).starts_with("2:55 'extra' must be options of the batch system"));
    CHECK(mistakes(kLoad + ", resources: 8}\n").at(0).starts_with("2:46 'resources' must be a map, not the number 8"));
}

TEST_CASE("resources are joined key by key: the stage's, its kind's, those of all, its executor's") {
    const std::string text =
        "params: {time: 2h}\n"
        "executors: {gpu: {type: slurm, partition: a100, cpus: 2, gpus: 1, time: 1h}}\n"
        "defaults:\n"
        "  \"*\": {executor: gpu, resources: {cpus: 3, qos: low, account: lab}}\n"
        "  load: {resources: {cpus: 4, qos: high}}\n"
        "stages:\n  a: {kind: load, dataset: mnist, resources: {cpus: 5, time: \"${time}\"}}\n"
        "  b: {kind: load, dataset: mnist}\n  c: {kind: normalise, in: {images: a.images}}\n";
    const Dag dag = build(text);
    const auto of = [&](const char* name) { return dag.find(name)->job->resources; };
    CHECK(of("a") == JobResources{5, 0, 7200, 1, "a100", "lab", "high", "", {}});
    CHECK(of("b") == JobResources{4, 0, 3600, 1, "a100", "lab", "high", "", {}});
    CHECK(of("c") == JobResources{3, 0, 3600, 1, "a100", "lab", "low", "", {}});
    CHECK(dag.find("a")->job->executor == "gpu");
    CHECK(dag.find("a")->job->type == "slurm");
}

TEST_CASE("an executor of the user's settings goes over the one of the DAG file") {
    const std::string text = "executors: {gpu: {type: slurm, partition: a100, cpus: 2}}\n" + kLoad + ", executor: gpu}\n";
    CHECK(job(text, chosen("", "gpu: {partition: v100, account: mine}"))->resources == JobResources{2, 0, {}, 0, "v100", "mine", "", "", {}});
    CHECK(job(kLoad + "}\n", chosen("slurm", "slurm: {partition: short}"))->resources.partition == "short");
    CHECK(job(kLoad + "}\n", chosen("mine", "mine: {type: slurm, cpus: 3}"))->resources.cpus == 3);
}

TEST_CASE("a job has at least the cores of a stage's threads, and the memory of its limit") {
    CHECK(job(kLoad + ", executor: slurm, memory: 2GB}\n")->resources.memory_bytes == std::uint64_t{2} << 30);
    CHECK(job(kLoad + ", executor: slurm, memory: 2GB, resources: {extra: [--mem=3G]}}\n")->resources.memory_bytes == 0);
    const std::string train = "networks: {net: [flatten, {dense: 784}, {unflatten: {channels: 1, height: 28, width: 28}}]}\nstages:\n  l: {kind: load, dataset: mnist}\n"
                              "  n: {kind: normalise, in: {images: l.images}}\n"
                              "  a: {kind: train, net: net, in: {x: n.images, target: n.images}, loss: mse, executor: slurm, ";
    const auto cpus = [&](const std::string& more) { return build(train + more + "}\n").find("a")->job->resources.cpus; };
    CHECK(cpus("threads: 6, resources: {cpus: 2}") == 6);
    CHECK(cpus("threads: 2, resources: {cpus: 4}") == 4);
    CHECK(cpus("threads: auto, resources: {cpus: 4}") == 4);
}

TEST_CASE("what is wrong with an executor is reported, whoever uses it") {
    const auto wrong = [](const std::string& executor) { return mistakes("executors: {" + executor + "}\n" + kLoad + "}\n"); };
    CHECK(wrong("local: {type: slurm}") == Lines{"1:13 'local' is an executor of satdl's own | give this one another name"});
    CHECK(wrong("gpu: {partition: a100}") == Lines{"1:13 executor 'gpu' has no type | type: slurm"});
    CHECK(wrong("gpu: {type: lsf}") == Lines{"1:25 'type' of an executor must be process or slurm, not the text 'lsf' | type: slurm"});
    CHECK(wrong("gpu: {type: slurm, cpus: many}").at(0).starts_with("1:38 'cpus' must be a whole number"));
    CHECK(wrong("gpu: 7").at(0).starts_with("1:18 executor 'gpu' must be a map"));
    CHECK(wrong("gpu: {type: slurm, machine: {cpu: AVX3}}").at(0).starts_with("1:47 'cpu' cannot be the text 'AVX3'"));
    CHECK(wrong("gpu: {type: slurm, machine: {cpus: 3}}") == Lines{"1:42 'machine' has no key 'cpus' | did you mean 'cpu'?"});
    CHECK(wrong("gpu: {type: slurm, machine: {gpu: {name: H100}}}").at(0).starts_with("1:47 'gpu' lacks 'numerics'"));
    CHECK(mistakes(kLoad + ", executor: gpu}\n").at(0).starts_with("2:45 there is no executor 'gpu' | "));
    CHECK(mistakes(kLoad + "}\n", chosen("slrum")) == Lines{"0:0 --executor: there is no executor 'slrum' | did you mean 'slurm'?"});
}

TEST_CASE("an executor describes its machines") {
    const auto settings = job("executors: {gpu: {type: slurm, gpus: 2, machine: {cpu: AVX2 of AVX512, processor: \"AuthenticAMD 25-1\", "
                              "gpu: {name: H100, numerics: \"9.0\", bf16: true}}}}\n" + kLoad + ", executor: gpu}\n");
    CHECK(settings->cpu == "AVX2 of AVX512");
    CHECK(settings->processor == "AuthenticAMD 25-1");
    CHECK(settings->gpu == Gpu{"H100", "9.0", true, 2});
}
