#include "pipeline/records/run_recorder.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "pipeline/records/run_record.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using satdl::test::file_text;
using satdl::test::TempFolder;
using Json = nlohmann::json;

namespace {

// Objects that are only names: where they would lie in a store on disk.
class NamedObjects final : public Store {
public:
    explicit NamedObjects(std::filesystem::path folder) : folder_(std::move(folder)) {}
    std::optional<StoredOutput> find(const Digest&) override { return std::nullopt; }
    std::optional<ArtifactHeader> header(const Digest&) override { return std::nullopt; }
    std::optional<StageOutput> load(const Digest&) override { return std::nullopt; }
    Published publish(const Recipe&, const StageDescription&, const StageOutput&) override { return Published::New; }
    std::vector<Digest> keys() override { return {}; }
    std::filesystem::path path_of(const Digest& key) const override { return folder_ / key.hex().substr(0, 2) / (key.hex() + ".h5"); }

private:
    const std::filesystem::path folder_;
};

struct Warnings final : Observer {
    std::vector<std::string> texts;
    void warning(const std::string& text) override { texts.push_back(text); }
};

// A store's folder and a DAG of two stages, written by hand.
struct Scene {
    TempFolder folder;
    std::unique_ptr<FileSystem> files = real_file_system();
    Index index{folder.path() / "store/index.sqlite"};
    NamedObjects objects{folder.path() / "store/objects"};
    Warnings warnings;
    Dag dag;
    Plan plan;

    Scene() {
        std::filesystem::create_directories(folder.path() / "store/objects");
        dag.name = "full";
        dag.file = "full.yaml";
        for (const char* name : {"a", "b/../c"}) {
            Node node;
            node.name = name;
            dag.nodes.push_back(node);
            PlannedNode planned;
            planned.node = dag.nodes.size() - 1;
            planned.because = "first run";
            plan.nodes.push_back(planned);
        }
    }

    [[nodiscard]] static NodeResult result(NodeId node, NodeState state, const std::string& key) {
        NodeResult result;
        result.node = node;
        result.state = state;
        result.because = "because";
        result.key = sha256(key);
        result.recipe = {{"kind", key}};
        result.seconds = state == NodeState::Ran ? 1.5 : 0;
        return result;
    }

    // One run in which the stages end like this.
    void run(const std::string& id, const std::vector<NodeResult>& results) {
        const auto record =
            run_record({folder.path() / "store", folder.path() / "results"}, {id, "1"}, *files, index, objects, warnings);
        record->run_started(dag, plan);
        for (const auto& one : results) {
            const bool works = one.state == NodeState::Ran || one.state == NodeState::Failed;
            if (works) record->stage_started(dag, plan.nodes[one.node]);
            if (works) record->stage_progress(dag, one.node, {1, 1, 5, 5, true, {{"loss", 0.5}}});
            if (works) record->stage_log(dag, one.node, LogLevel::Info, "note \x1b[1m");
            record->stage_finished(dag, one);
        }
        RunResult all;
        all.nodes = results;
        record->run_finished(dag, all);
    }

    [[nodiscard]] std::vector<Json> events(const std::string& id) const {
        std::vector<Json> events;
        std::istringstream lines(file_text(folder.path() / "store/runs" / id / "events.jsonl"));
        for (std::string line; std::getline(lines, line);) events.push_back(Json::parse(line));
        return events;
    }
    [[nodiscard]] std::filesystem::path link(const std::string& name) const {
        return std::filesystem::read_symlink(folder.path() / "results/full" / name);
    }
};

}  // namespace

TEST_CASE("A run's record has its events in order, and a log for people without control characters") {
    Scene scene;
    scene.run("r1", {Scene::result(0, NodeState::Reused, "k0"), Scene::result(1, NodeState::Ran, "k1")});
    const auto events = scene.events("r1");
    std::vector<std::string> names;
    for (const auto& event : events) names.push_back(event["event"]);
    CHECK(names ==
          std::vector<std::string>{"run_started", "stage", "dag", "stage_started", "epoch", "log", "stage", "metrics", "run_finished"});
    CHECK(events[0]["run"] == "r1");
    CHECK(events[1]["outcome"] == "reused");
    CHECK(events[2]["stages"][1]["stage"] == "b/../c");
    CHECK(events[4]["metrics"] == Json{{"loss", 0.5}});
    CHECK(events[4]["step"] == 5);
    CHECK(events[6]["stage"] == "b/../c");
    CHECK(events[6]["key"] == sha256("k1").hex());
    CHECK(events[6]["seconds"] == 1.5);
    CHECK(events[8]["ran"] == 1);
    CHECK(read_record(scene.folder.path() / "store", "r1", *scene.files).lines.size() == events.size());
    const std::string log = file_text(scene.folder.path() / "store/runs/r1/log.txt");
    CHECK(log.find("note \\x1b[1m") != std::string::npos);
    CHECK(log.find('\x1b') == std::string::npos);
}

TEST_CASE("The events of stages that were stored together are one write to the record") {
    Scene scene;
    test::FaultyFileSystem files(*scene.files);
    const auto record = run_record({scene.folder.path() / "store", scene.folder.path() / "results"}, {"r1", "1"}, files, scene.index,
                                   scene.objects, scene.warnings);
    record->run_started(scene.dag, scene.plan);
    for (const PlannedNode& planned : scene.plan.nodes) record->stage_started(scene.dag, planned);
    files.heal();  // forgets the calls so far
    record->stages_finished(scene.dag, {Scene::result(0, NodeState::Ran, "k0"), Scene::result(1, NodeState::Ran, "k1")});
    CHECK(files.calls() == std::vector<std::string>{"append events.jsonl"});
    const auto events = scene.events("r1");
    REQUIRE(events.size() >= 2);
    CHECK(events[events.size() - 2]["key"] == sha256("k0").hex());
    CHECK(events.back()["key"] == sha256("k1").hex());
}

TEST_CASE("History and links follow what ran and what was reused, and names stay in their folder") {
    Scene scene;
    scene.run("r1", {Scene::result(0, NodeState::Ran, "k0"), Scene::result(1, NodeState::Ran, "k1")});
    const std::string key = sha256("k0").hex();
    CHECK(scene.link("a.h5") == std::filesystem::path("../../store/objects") / key.substr(0, 2) / (key + ".h5"));
    CHECK(scene.link("b%2F..%2Fc.h5").filename() == sha256("k1").hex() + ".h5");
    CHECK(scene.index.history("full", "a")->seconds == 1.5);
    CHECK(scene.index.history("full", "a")->recipe == Recipe{{"kind", "k0"}});
    CHECK(std::filesystem::read_symlink(scene.folder.path() / "results/.last") == "full");

    scene.run("r2", {Scene::result(0, NodeState::Reused, "other"), Scene::result(1, NodeState::Failed, "k2")});
    CHECK(scene.link("a.h5").filename() == sha256("other").hex() + ".h5");
    CHECK(scene.link("b%2F..%2Fc.h5").filename() == sha256("k1").hex() + ".h5");
    CHECK(scene.index.history("full", "a")->key == sha256("other"));
    CHECK(scene.index.history("full", "b/../c")->key == sha256("k1"));
}

TEST_CASE("A run that reuses every stage writes one line and no folder, and the index only if something changed") {
    Scene scene;
    const std::vector<NodeResult> reused{Scene::result(0, NodeState::Reused, "k0"),
                                         Scene::result(1, NodeState::Reused, "k1")};
    scene.run("r1", {Scene::result(0, NodeState::Ran, "k0"), Scene::result(1, NodeState::Ran, "k1")});
    const std::string before = file_text(scene.folder.path() / "store/index.sqlite");
    scene.run("r2", reused);
    scene.run("r3", reused);
    CHECK(file_text(scene.folder.path() / "store/index.sqlite") == before);
    CHECK(scene.files->list(scene.folder.path() / "store/runs") == std::vector<std::string>{"r1", "reused.jsonl"});
    const std::string lines = file_text(scene.folder.path() / "store/runs/reused.jsonl");
    CHECK(std::count(lines.begin(), lines.end(), '\n') == 2);
    CHECK(Json::parse(lines.substr(0, lines.find('\n')))["run"] == "r2");
    const Record record = read_record(scene.folder.path() / "store", kReusedRuns, *scene.files);
    CHECK(record.lines.size() == 2);
    CHECK(record.damaged.empty());
}

TEST_CASE("Links that were removed are restored by the next run") {
    Scene scene;
    const std::vector<NodeResult> ran{Scene::result(0, NodeState::Ran, "k0")};
    const std::vector<NodeResult> reused{Scene::result(0, NodeState::Reused, "k0")};
    scene.run("r1", ran);
    for (const char* removed : {"results", "results/full/a.h5"}) {
        std::filesystem::remove_all(scene.folder.path() / removed);
        scene.run("r2", reused);
        CHECK(scene.link("a.h5").filename() == sha256("k0").hex() + ".h5");
    }
    CHECK(file_text(scene.folder.path() / "store/results-folders") == "../results\n");
}

TEST_CASE("The producer of an object is found in the newest record that has it, past torn lines") {
    Scene scene;
    const auto store = scene.folder.path() / "store";
    std::vector<std::string> damaged;
    CHECK_FALSE(find_producer(store, sha256("k0"), *scene.files, damaged));
    scene.run("20260101T000000.000000-1", {Scene::result(0, NodeState::Ran, "k0")});
    scene.run("20260102T000000.000000-1",
              {Scene::result(0, NodeState::Reused, "k0"), Scene::result(1, NodeState::Ran, "k1")});
    scene.files->append(store / "runs/20260102T000000.000000-1/events.jsonl",
                        fmt::format(R"({{"event":"stage","key":"{}")", sha256("k0").hex()), false);
    const auto made = find_producer(store, sha256("k0"), *scene.files, damaged);
    REQUIRE(made);
    CHECK(made->run == "20260101T000000.000000-1");
    CHECK(made->seconds == 1.5);
    CHECK(made->wall_time > 1.7e9);
    CHECK_FALSE(find_producer(store, sha256("never"), *scene.files, damaged));
    CHECK(damaged.empty());
}

TEST_CASE("A record that cannot be written never fails the run, and warns once") {
    Scene scene;
    test::write_text(scene.folder.path() / "store/runs", "a file where the folder should be");
    CHECK_NOTHROW(scene.run("r1", {Scene::result(0, NodeState::Ran, "k0")}));
    CHECK(scene.index.history("full", "a")->key == sha256("k0"));
    REQUIRE(scene.warnings.texts.size() == 1);
    CHECK_THAT(scene.warnings.texts[0], Catch::StartsWith("the run's record is incomplete: "));
}

TEST_CASE("A log that cannot be written is warned of once, and prints nothing of the log library's") {
    Scene scene;
    std::filesystem::create_directories(scene.folder.path() / "store/runs/run");
    std::filesystem::create_symlink("/dev/full", scene.folder.path() / "store/runs/run/log.txt");
    scene.run("run", {Scene::result(0, NodeState::Failed, "a"), Scene::result(1, NodeState::Failed, "b")});
    CHECK(scene.warnings.texts == std::vector<std::string>{"the run's log is incomplete: Failed flush to file " +
                                                           (scene.folder.path() / "store/runs/run/log.txt").string() +
                                                           ": No space left on device"});
}

TEST_CASE("The ids of runs sort by time and differ") {
    const std::string first = new_run_id();
    CHECK(first.size() >= 23);
    CHECK(first[8] == 'T');
    CHECK(first <= new_run_id());
}
