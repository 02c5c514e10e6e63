#include "pipeline/executors/jobs/job_files.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "tests/support/temp_folder.h"
#include "tests/support/text_file_system.h"

using namespace satdl;
using namespace satdl::test;

namespace {

JobRun sample_run() {
    JobRun run;
    run.build = "build-1";
    run.run = "20261124T031731.123456-4711";
    run.folder = "/home/u";
    run.store = "/home/u/.satdl";
    run.results = "/r";
    run.dag = "dags/full.yaml";
    run.profile = "small";
    run.overrides = {{"epochs", ConfigValue::scalar("5")},
                     {"name", ConfigValue::scalar("0.10", true)},
                     {"net", ConfigValue::map({{"a", {}, ConfigValue::list({ConfigValue::scalar("1"), ConfigValue::null()})}})}};
    SweepDesign design;
    design.axes = {{.name = "noise", .values = {ConfigValue::scalar("0.10"), ConfigValue::scalar("1e-1")}},
                   {.name = "seed", .values = {ConfigValue::scalar("1")}, .repeats = true}};
    design.points = {{.at = {1, std::nullopt}}, {.at = {0, 0}}};
    run.sweep = design;
    run.stage_libraries = {"libmine_stages.so"};
    run.isolate = true;
    run.machine = {.cores = 8, .cpu = "AVX2", .processor = "GenuineIntel 6-207", .memory_bytes = 1 << 30, .bf16 = ""};
    run.executor = "gpu";
    run.queue = "slurm";
    run.arguments = {"dags/full.yaml", "epochs=5"};
    return run;
}

JobSpec sample_spec() {
    return {.run_file = "run-1.json",
            .nodes = {{"m1", sha256("m1"), false}, {"m2[noise=0.10]", sha256("m2"), true}},
            .cpus = 4,
            .memory_bytes = 1 << 20,
            .seconds = 60};
}

}  // namespace

TEST_CASE("A run's file reads back as it was written, values of parameters to the letter") {
    const TempFolder folder;
    const auto files = real_file_system();
    const JobRun written = sample_run();
    const std::string name = write_job_run(folder.path(), written, *files);
    CHECK(write_job_run(folder.path(), written, *files) == name);
    const JobRun read = read_job_run(folder.path(), name, *files);
    CHECK(read.run == written.run);
    CHECK(read.folder == written.folder);
    CHECK(read.machine == written.machine);
    REQUIRE(read.overrides.size() == 3);
    CHECK(read.overrides[1].second.text() == "0.10");
    CHECK(read.overrides[1].second.quoted());
    CHECK(read.overrides[2].second.canonical() == written.overrides[2].second.canonical());
    REQUIRE(read.sweep);
    CHECK(read.sweep->axes[0].values[1].text() == "1e-1");
    CHECK(read.sweep->axes[1].repeats);
    CHECK(read.sweep->points[0].at == written.sweep->points[0].at);
    CHECK(read.arguments == written.arguments);

    JobRun other = written;
    other.profile = "";
    CHECK(write_job_run(folder.path(), other, *files) != name);
}

TEST_CASE("A job's spec reads back as it was written") {
    const TempFolder folder;
    const auto files = real_file_system();
    write_job_spec(folder.path() / "b1.a1", sample_spec(), *files);
    CHECK(read_job_spec(folder.path() / "b1.a1", *files) == sample_spec());
    CHECK_THROWS_AS(read_job_spec(folder.path() / "b2.a1", *files), Error);
    CHECK_THROWS_AS(read_job_run(folder.path(), "../run-1.json", *files), Error);
    CHECK_THROWS_AS(read_job_run(folder.path(), "", *files), Error);
}

TEST_CASE("What a job writes at its beginning and at its end is read back, and a restart removes the end") {
    const TempFolder folder;
    const auto files = real_file_system();
    CHECK(std::holds_alternative<NotThereYet>(read_job_begin(folder.path(), *files)));
    const JobBegin begin{.job = "4711", .machine = "n2", .process = 12, .restart = 1, .wall_time = 1.5};
    write_job_begin(folder.path(), begin, *files);
    CHECK(std::get<JobBegin>(read_job_begin(folder.path(), *files)) == begin);
    JobFinish finish{.refused = "", .nodes = {{.node = 0, .outcome = JobNodeEnd::Outcome::Ran, .seconds = 2, .peak_bytes = 3},
                                              {.node = 1, .outcome = JobNodeEnd::Outcome::Failed, .error = "no\nsuch file"}}};
    write_job_finish(folder.path(), finish, *files);
    CHECK(std::get<JobFinish>(read_job_finish(folder.path(), 2, *files)) == finish);
    CHECK(std::holds_alternative<BadJobFile>(read_job_finish(folder.path(), 1, *files)));  // it names a node that is not there
    finish.nodes[1].node = 0;
    write_job_finish(folder.path(), finish, *files);
    CHECK(std::holds_alternative<BadJobFile>(read_job_finish(folder.path(), 2, *files)));
    write_job_begin(folder.path(), begin, *files);
    CHECK(std::holds_alternative<NotThereYet>(read_job_finish(folder.path(), 2, *files)));
}

TEST_CASE("Events come as they are written, whole lines only") {
    const TempFolder folder;
    const auto files = real_file_system();
    JobEventReader reader(folder.path(), 2);
    CHECK(reader.read(*files).empty());
    JobEventWriter writer(folder.path());
    writer.write({.what = JobEvent::What::Started, .node = 1});
    const Progress progress{.epoch = 2, .epochs = 5, .metrics = {{"loss", NAN}, {"a", 0.5}}};
    writer.write({.what = JobEvent::What::Progress, .node = 1, .progress = progress});
    writer.write({.what = JobEvent::What::Log, .node = 1, .level = LogLevel::Warning, .text = "two\nlines"});
    auto events = reader.read(*files);
    REQUIRE(events.size() == 3);
    CHECK(events[1].progress.epoch == 2);
    CHECK(std::isnan(events[1].progress.metrics[0].second));
    CHECK(events[2].text == "two\nlines");
    CHECK(events[2].level == LogLevel::Warning);

    const auto path = folder.path() / kEventsFile;
    files->append(path, R"({"event":"started",)", false);
    CHECK(reader.read(*files).empty());
    files->append(path, "\"node\":0}\nnonsense\n{\"event\":\"started\",\"node\":9}\n[1]\n{\"event\":\"started\",\"node\":0}\n", false);
    CHECK(reader.read(*files).size() == 2);
    files->append(path, std::string(3 << 20, 'x'), false);
    CHECK(reader.read(*files).empty());
    files->append(path, "\n{\"event\":\"started\",\"node\":1}\n", false);
    CHECK(reader.read(*files).size() == 1);
}

TEST_CASE("A full file of events still gets the beginnings and the ends") {
    const TempFolder folder;
    const auto files = real_file_system();
    JobEventWriter writer(folder.path(), 1000);
    writer.write({.what = JobEvent::What::Started});
    for (int i = 0; i < 100; ++i) writer.write({.what = JobEvent::What::Log, .text = "a line of a log that somebody writes in a loop"});
    writer.write({.what = JobEvent::What::Ended, .end = {.outcome = JobNodeEnd::Outcome::Ran}});
    const auto events = JobEventReader(folder.path(), 1).read(*files);
    CHECK(events.size() < 20);
    CHECK(events.back().what == JobEvent::What::Ended);
}

TEST_CASE("Damaged and foreign files of jobs are errors, whatever is in them") {
    const TempFolder folder;
    const auto files = real_file_system();
    const std::string run_file = write_job_run(folder.path(), sample_run(), *files);
    write_job_spec(folder.path() / "job", sample_spec(), *files);
    write_job_begin(folder.path(), {.job = "1", .machine = "n"}, *files);
    write_job_finish(folder.path(), {.nodes = {{.node = 0}}}, *files);
    const std::vector<std::string> texts{file_text(folder.path() / run_file), file_text(folder.path() / "job" / kSpecFile),
                                         file_text(folder.path() / kBeginFile), file_text(folder.path() / kEndFile)};
    std::mt19937 random(1);
    TextFileSystem damaged;
    const auto read_all = [&] {
        try {
            (void)read_job_spec("job", damaged);
        } catch (const Error&) {
        }
        try {
            (void)read_job_run("jobs", "run-1.json", damaged);
        } catch (const Error&) {
        }
        (void)read_job_begin("job", damaged);
        (void)read_job_finish("job", 2, damaged);
        (void)JobEventReader("job", 2).read(damaged);
    };
    for (const std::string& text : texts) {
        for (std::size_t size = 0; size < text.size(); size += 7) {
            damaged.text = text.substr(0, size);
            read_all();
        }
        for (int i = 0; i < 500; ++i) {
            damaged.text = text;
            for (int changes = 0; changes < 3; ++changes)
                damaged.text[random() % damaged.text.size()] = "0-9{}[]\":,xntrue"[random() % 16];
            read_all();
        }
    }
    for (const char* const text : {"", "[]", "null", "{\"format\":2}", "{\"format\":1}", "{\"format\":1e99}"}) {
        damaged.text = text;
        read_all();
        CHECK(std::holds_alternative<BadJobFile>(read_job_finish("job", 1, damaged)));
    }
    damaged.text = std::string(100'000, '[');
    read_all();
}
