// The pieces that a report's page is made of: pictures, escaping, the tests of classifiers, the facts of a record.
#include <zlib.h>

#include <array>
#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>

#include "report/escape.h"
#include "report/facts.h"
#include "report/gallery.h"
#include "report/page.h"
#include "pipeline/core/mcnemar.h"
#include "report/png.h"
#include "report/run_diagram.h"

using namespace satdl;

TEST_CASE("a PNG has its chunks with their checks, and gives back its pixels") {
    const std::array<std::uint8_t, 6> pixels{0, 127, 255, 1, 2, 3};
    const std::string png = png_of(pixels, 3, 2);
    REQUIRE(png.starts_with("\x89PNG\r\n\x1a\n"));
    const auto number = [&](std::size_t at) {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(png[at + i]);
        return value;
    };
    std::string data;
    std::vector<std::string> types;
    for (std::size_t at = 8; at < png.size(); at += 12 + number(at)) {
        const std::string type = png.substr(at + 4, 4), content = png.substr(at + 8, number(at));
        types.push_back(type);
        if (type == "IDAT") data = content;
        const std::string checked = type + content;
        CHECK(number(at + 8 + content.size()) ==
              crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size())));
    }
    CHECK(types == std::vector<std::string>{"IHDR", "IDAT", "IEND"});
    CHECK(number(16) == 3);
    CHECK(number(20) == 2);
    std::array<Bytef, 8> rows{};
    uLongf size = rows.size();
    REQUIRE(uncompress(rows.data(), &size, reinterpret_cast<const Bytef*>(data.data()), data.size()) == Z_OK);
    CHECK(rows == std::array<Bytef, 8>{0, 0, 127, 255, 0, 1, 2, 3});
}

TEST_CASE("JSON in a script loses what could end the script") {
    const std::string json = R"({"about":"</script><!-- <b>"})";
    const std::string escaped = json_for_script(json);
    CHECK(escaped.find('<') == std::string::npos);
    CHECK(nlohmann::json::parse(escaped) == nlohmann::json::parse(json));
}

TEST_CASE("McNemar's exact test against values worked out by hand") {
    CHECK(mcnemar_p(0, 0) == 1);
    CHECK(mcnemar_p(5, 5) == 1);
    CHECK(mcnemar_p(0, 5) == Approx(2.0 / 32));  // both tails of 5 coins
    CHECK(mcnemar_p(1, 9) == Approx(2.0 * (1 + 10) / 1024));
    CHECK(mcnemar_p(9, 1) == mcnemar_p(1, 9));
    CHECK(mcnemar_p(4000, 6000) < 1e-80);
}

TEST_CASE("predictions give the answers, a confusion matrix and the four cells of McNemar's table") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto first = answers_of(Array::of<float>({4, 2}, std::vector<float>{.9F, .1F, .2F, .8F, nan, .5F, .5F, .5F}));
    const auto second = answers_of(Array::of<float>({4, 2}, std::vector<float>{.9F, .1F, .8F, .2F, .6F, .4F, 0, 1}));
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->answer == std::vector<std::int64_t>{0, 1, 1, 0});
    const auto labels = labels_of(Array::of<std::uint8_t>({4}, std::vector<std::uint8_t>{0, 1, 0, 1}), 2);
    REQUIRE(labels);
    CHECK(confusion_of(*first, *labels) == std::vector<std::int64_t>{1, 1, 1, 1});
    const McNemar test = mcnemar(*first, *second, *labels);
    CHECK(test.both == 1);
    CHECK(test.only_first == 1);
    CHECK(test.only_second == 2);
    CHECK(test.neither == 0);
    CHECK(test.p_value == 1);
    CHECK_FALSE(labels_of(Array::of<std::uint8_t>({1}, std::vector<std::uint8_t>{2}), 2));
    CHECK_FALSE(answers_of(Array::of<float>({2, 2}, std::vector<float>{.9F, .1F, nan, nan})));  // NaN is no class
    CHECK_FALSE(answers_of(Array::of<float>({2}, std::vector<float>{0, 1})));
}

TEST_CASE("a picture is drawn of bytes or of floats from 0 to 1, which are clipped") {
    const Array floats = Array::of<float>({1, 1, 2, 2}, std::vector<float>{-1, 0, 1, 7});
    const Array bytes = Array::of<std::uint8_t>({1, 2, 2}, std::vector<std::uint8_t>{0, 0, 255, 255});
    CHECK(picture(floats, 0) == picture(bytes, 0));
    CHECK_FALSE(is_pictures(Array::of<float>({1, 3, 2, 2}, std::vector<float>(12))));
}

TEST_CASE("an incomplete record is reported as one, with the lines that it has") {
    const std::string record =
        R"({"event":"run_started","wall_time":100.0,"run":"r","dag":"d","file":"d.yaml","stages":2,)"
        R"("version":"0","host":"h","cores":2})"
        "\n"
        R"({"event":"dag","wall_time":100.0,"stages":[{"stage":"a","kind":"k","about":"","inputs":[],"params":{"x":1}},)"
        R"({"stage":"b","kind":"k","about":"",)"
        R"("inputs":[{"port":"x","from":"a","from_port":"y"}],"params":{}}]})"
        "\n"
        R"({"event":"stage_started","wall_time":101.5,"stage":"a","threads":2,"because":"no result yet"})"
        "\n"
        R"({"event":"epoch","wall_time":102.0,"stage":"a","epoch":1,"epochs":2,"step":1,)"
        R"("metrics":{"train/loss":0.5,"val/loss":null}})"
        "\n"
        R"({"event":"sta)";
    const RunFacts run = facts_of_record("r", record);
    CHECK(run.dag == "d");
    CHECK(run.cores == 2);
    CHECK_FALSE(run.seconds);
    REQUIRE(run.stages.size() == 2);
    CHECK(run.stages[0].outcome == "unfinished");
    CHECK(run.stages[0].started_seconds == Approx(1.5));
    CHECK(run.stages[0].epochs.size() == 1);
    CHECK(run.stages[1].outcome == "not reached");
    CHECK(run.stages[1].inputs[0].from == "a");
    REQUIRE(run.missing.size() == 2);
    CHECK(run.missing[0].find("torn") != std::string::npos);
    CHECK(run.missing[1].find("has no end") != std::string::npos);
}

TEST_CASE("a page names each of its scripts in its policy and escapes its title and its data") {
    const PageParts parts{"s{}", "own()", "vega()", "lite()", "interpreter()", "a <licence>"};
    const std::string page = page_html(parts, "<b>", R"({"about":"</script>"})");
    CHECK(page.find("default-src 'none'") != std::string::npos);
    CHECK(page.find("unsafe-eval") == std::string::npos);
    CHECK(page.find("<title>&lt;b&gt;</title>") != std::string::npos);
    CHECK(page.find("a &lt;licence&gt;") != std::string::npos);
    CHECK(page.find(R"({"about":"\u003c/script>"})") != std::string::npos);
    std::size_t hashes = 0;
    for (std::size_t at = page.find("'sha256-"); at != std::string::npos; at = page.find("'sha256-", at + 1)) ++hashes;
    CHECK(hashes == 4);
}

namespace {

// Stages with what each reads: {"b", {"a"}}.
RunFacts run_of(const std::vector<std::pair<std::string, std::vector<std::string>>>& stages) {
    RunFacts run;
    for (const auto& [name, reads] : stages) {
        StageFacts stage;
        stage.name = name;
        stage.kind = "k";
        for (const std::string& from : reads) stage.inputs.push_back({"x", from, "out"});
        run.stages.push_back(std::move(stage));
    }
    return run;
}

}  // namespace

TEST_CASE("the DAG's picture has a box for each stage, and lines from what is read to what reads it") {
    const auto diagram = run_diagram(run_of({{"b", {"a", "a", "gone"}}, {"a", {}}}));
    REQUIRE(diagram["boxes"].size() == 2);
    CHECK(diagram["boxes"][0]["label"] == "a");
    CHECK(diagram["boxes"][0]["stages"] == nlohmann::json{1});
    REQUIRE(diagram["edges"].size() == 1);
    CHECK(diagram["edges"][0]["from"] == 0);
    CHECK(diagram["edges"][0]["to"] == 1);
    CHECK(diagram["edges"][0]["path"].get<std::string>().starts_with("M"));
    CHECK(diagram["boxes"][0]["x"] < diagram["boxes"][1]["x"]);
    CHECK(run_diagram({})["boxes"].empty());
}

TEST_CASE("of many stages the points of each are one box, even where they read each other in a circle") {
    std::vector<std::pair<std::string, std::vector<std::string>>> stages;
    for (std::size_t i = 0; i < kMaxBoxes; ++i) {
        const std::string point = "[n=" + std::to_string(i) + "]";
        stages.push_back({"first" + point, {}});
        stages.push_back({"second" + point, {"first" + point}});
    }
    stages[0].second = {"second[n=1]"};
    const auto diagram = run_diagram(run_of(stages));
    REQUIRE(diagram["boxes"].size() == 2);
    CHECK(diagram["boxes"][0]["stages"].size() == kMaxBoxes);
    CHECK(diagram["boxes"][0]["label"].get<std::string>().ends_with(" ×60"));
    CHECK(diagram["edges"].size() == 1);
    CHECK(plain_name("m1[noise_factor=0.1,seed=1]") == "m1");
    CHECK(plain_name("noisy@train") == "noisy@train");
}

TEST_CASE("roles of ports and parameters come from the catalogue, and unknown kinds are reported once") {
    StageDescription description{.kind = "duel"};
    description.inputs = {{.name = "old", .kind = PortKind::Metrics, .role = PortRole::Baseline},
                          {.name = "young", .kind = PortKind::Metrics, .role = PortRole::Candidate},
                          {.name = "young_train", .kind = PortKind::Metrics, .optional = true, .role = PortRole::CandidateTraining}};
    description.params = {{.name = "called", .label_of = {"young"}}, {.name = "by", .metric_of = {"old", "young"}}};
    LibraryManifest manifest;
    manifest.stages = {description};
    Catalog catalog;
    catalog.add(std::move(manifest));

    RunFacts run = run_of({{"one", {}}, {"two", {}}, {"three", {}}});
    StageFacts& stage = run.stages.front();
    stage.kind = "duel";
    stage.inputs = {{"old", "m2", "metrics"}, {"young", "m3", "metrics"}};
    stage.params = {{"called", "M3"}, {"by", "loss"}};
    CHECK(stage.reads(PortRole::Baseline) == nullptr);
    describe_stages(run, catalog);
    CHECK(stage.reads(PortRole::Baseline)->from == "m2");
    CHECK(stage.reads(PortRole::CandidateTraining) == nullptr);
    CHECK(stage.output(PortRole::Predictions) == nullptr);
    CHECK(stage.label(PortRole::Baseline) == "m2");
    CHECK(stage.label(PortRole::Candidate) == "M3");
    CHECK(stage.metric_of(PortRole::Baseline) == "loss");
    CHECK_FALSE(stage.pair());
    REQUIRE(run.missing.size() == 1);
    CHECK(run.missing[0].find("the stages of kind k: ") != std::string::npos);
}
