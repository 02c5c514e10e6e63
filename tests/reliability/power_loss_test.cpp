// The power fails at each moment of a small run: the bytes that were not synced are gone, whole or torn, and of the names whose
// folder was not synced any subset is there. What was reported as stored must be there, nothing half-written may stand under an artifact's
// name, and the next run must end as a clean one. And it is shown that these tests see it when a sync is left out.
#include <catch2/catch.hpp>
#include <set>

#include "tests/support/recording_file_system.h"
#include "tests/support/small_run.h"

using namespace satdl;
using namespace satdl::test;
using Sync = RecordingFileSystem::Sync;

namespace {

// What was done and reported, and after how many events on the disk.
struct History {
    std::vector<DiskEvent> events;
    std::vector<std::pair<std::size_t, std::string>> kept;      // stages
    std::vector<std::pair<std::size_t, int>> checkpoints;       // epochs
    std::size_t trained = 0;                                    // when its outcome was about to be kept
    std::string index;                                          // at the end
};

class NoteKept final : public Observer {
public:
    NoteKept(RecordingFileSystem& files, History& history) : files_(files), history_(history) {}
    void stage_finished(const Dag& dag, const NodeResult& result) override {
        const bool kept = result.state == NodeState::Ran && result.not_kept.empty();
        if (kept) history_.kept.emplace_back(files_.events().size(), dag.nodes[result.node].name);
    }

private:
    RecordingFileSystem& files_;
    History& history_;
};

// Two processes: one is stopped in the training, one runs to the end.
History recorded(const std::filesystem::path& root, std::size_t together, const RecordingFileSystem::Forgets& forgets) {
    const auto real = real_file_system();
    RecordingFileSystem files(*real, root, forgets);
    History history;
    NoteKept observer(files, history);
    for (const int stop_after : {3, 0}) {
        SmallProcess process(root, files);
        process.executor().stop_after = stop_after;
        process.executor().after_checkpoint = [&](int epoch) {
            history.checkpoints.emplace_back(files.events().size(), epoch);
            history.trained = files.events().size();
        };
        static_cast<void>(process.run(&observer, together));
    }
    history.events = files.events();
    history.index = file_text(root / "store/index.sqlite");
    return history;
}

std::string object_path(const std::string& stage) {
    const std::string hex = small_truth().keys.at(stage).hex();
    return hex.substr(0, 2) + "/" + hex + ".h5";
}

bool is_in_a_record(const Disk::Image& image, const std::string& stage) {
    for (const auto& [path, content] : image) {
        if (!path.ends_with("/events.jsonl")) continue;
        std::istringstream lines(content.second);
        for (std::string line; std::getline(lines, line);) {
            const bool found = line.find(R"("outcome":"ran")") != std::string::npos || line.find(R"("outcome":"resumed")") != std::string::npos;
            if (found && line.find("\"stage\":\"" + stage + "\"") != std::string::npos) return true;
        }
    }
    return false;
}

int newest_checkpoint(const Disk::Image& image) {
    const std::string prefix = "store/checkpoints/" + small_truth().keys.at("trained").hex() + ".";
    int newest = 0;
    for (const auto& [path, content] : image) {
        if (path.starts_with(prefix)) newest = std::max(newest, std::stoi(path.substr(prefix.size())));
    }
    return newest;
}

// What of it breaks a promise that was given by then.
std::set<std::string> broken_promises(const History& history, std::size_t events, const Disk::Image& image) {
    std::set<std::string> broken;
    for (const auto& [when, stage] : history.kept) {
        if (when > events) continue;
        const auto object = image.find("store/objects/" + object_path(stage));
        if (object == image.end()) broken.insert("an artifact that was kept is gone");
        if (!is_in_a_record(image, stage)) broken.insert("a record of what was kept is gone");
    }
    for (const auto& [path, content] : image) {
        if (path.starts_with("store/objects/") && path.ends_with(".h5") && content.second != small_truth().objects.at(path.substr(14)))
            broken.insert("something half-written stands under an artifact's name");
    }
    int kept_epoch = 0;
    for (const auto& [when, epoch] : history.checkpoints) kept_epoch = when <= events ? epoch : kept_epoch;
    if (events <= history.trained && newest_checkpoint(image) < kept_epoch) broken.insert("a checkpoint that was kept is gone");
    return broken;
}

struct Examined {
    std::set<std::string> wrong;
    std::uint64_t states = 0;      // what may be on the disk, of all moments
    std::uint64_t recoveries = 0;  // runs after it
};

// `recover`: the next run is made, too.
Examined examine(const History& history, const std::filesystem::path& root, std::size_t all_of, bool recover) {
    const auto real = real_file_system();
    Examined examined;
    std::set<Disk::Image> recovered;
    Disk disk;
    for (std::size_t events = 0; events <= history.events.size(); ++events) {
        if (events > 0) disk.take(history.events[events - 1]);
        const bool at_end = events == history.events.size();
        for (const Torn torn : kTorn) {
            if (torn != Torn::Whole && !disk.has_torn()) continue;
            for_subsets(disk.pending(), all_of, [&](const std::vector<bool>& chosen) {
                const Disk::Image image = disk.image(chosen, torn);
                ++examined.states;
                examined.wrong.merge(broken_promises(history, events, image));
                if (!recover || !recovered.insert(image).second) return;
                for (const bool with_index : {false, true}) {
                    if (with_index && !at_end) continue;  // the index is never ahead of the artifacts
                    std::filesystem::remove_all(root);
                    write_image(image, root);
                    if (with_index && std::filesystem::exists(root / "store")) write_text(root / "store/index.sqlite", history.index);
                    if (std::string wrong = wrong_after(root, small_run(root, *real)); !wrong.empty()) examined.wrong.insert(std::move(wrong));
                    if (!texts_below(root / "store/quarantine").empty()) examined.wrong.insert("something was damaged");
                    ++examined.recoveries;
                }
            });
        }
    }
    return examined;
}

}  // namespace

TEST_CASE("after a power loss at any moment every stored result is complete, and the next run gives the results of a clean one") {
    const TempFolder folder(TempFolder::Where::Memory);
    const auto root = folder.path() / "world";
    std::filesystem::create_directories(root);
    const std::size_t together = GENERATE(1, 3);
    const History history = recorded(root, together, {});
    REQUIRE(history.kept.size() >= small_truth().keys.size());
    REQUIRE(history.checkpoints.size() == kSmallEpochs);
    const std::size_t all_of = count_from("SATDL_POWER_SUBSETS", together == 1 ? 5 : 4);
    const Examined examined = examine(history, root, all_of, true);
    CHECK(examined.wrong == std::set<std::string>{});
    CHECK(examined.recoveries > history.events.size());
    note_figure(fmt::format("power cuts at each of {} moments, {} stored at once; of the pending names all subsets of the last {}, "
                            "every prefix, each alone; torn bytes",
                            history.events.size(), together, all_of),
                examined.states, fmt::format("what was kept is there; {} recoveries, same bytes", examined.recoveries));
}

// Of links none is: the next run makes those again that are not there.
TEST_CASE("the simulation of power loss detects a missing sync") {
    struct LeftOut {
        const char* what;
        Sync kind;
        std::string where;  // part of the path's end
        std::string expected;
    };
    const std::string objects = object_path("sum");
    const auto left_out = GENERATE_COPY(values<LeftOut>({
        {"an artifact's bytes", Sync::File, "tmp/" + small_truth().keys.at("sum").hex(), "something half-written stands under an artifact's name"},
        {"its name", Sync::Folder, "store/objects/" + objects.substr(0, 2), "an artifact that was kept is gone"},
        {"its folder's name", Sync::Folder, "store/objects", "an artifact that was kept is gone"},
        {"the name of objects/", Sync::Folder, "world/store", "an artifact that was kept is gone"},
        {"the store's own name", Sync::Folder, "/world", "an artifact that was kept is gone"},
        {"a checkpoint's name", Sync::Folder, "store/checkpoints", "a checkpoint that was kept is gone"},
        {"the record's bytes", Sync::File, "events.jsonl", "a record of what was kept is gone"},
        {"a record's folder", Sync::Folder, "store/runs", "a record of what was kept is gone"},
    }));
    INFO(left_out.what);
    const TempFolder folder(TempFolder::Where::Memory);
    const auto root = folder.path() / "world";
    std::filesystem::create_directories(root);
    std::size_t forgotten = 0;
    const History history = recorded(root, GENERATE(1, 3), [&](Sync kind, const std::filesystem::path& path) {
        const std::string text = path.string();
        const bool is_it = kind == Sync::File ? text.find(left_out.where) != std::string::npos : text.ends_with(left_out.where);
        forgotten += kind == left_out.kind && is_it;
        return kind == left_out.kind && is_it;
    });
    CHECK(forgotten > 0);
    const Examined examined = examine(history, root, count_from("SATDL_POWER_SUBSETS", 5), false);
    const bool found = std::ranges::any_of(examined.wrong, [&](const std::string& wrong) { return wrong.starts_with(left_out.expected); });
    CHECK(found);
}
