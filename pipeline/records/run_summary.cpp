#include "pipeline/records/run_summary.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ranges>

#include "pipeline/records/json_events.h"
#include "pipeline/records/run_record.h"

namespace satdl {
namespace {

constexpr int kFormat = 2;  // of the summaries in the index: those of another satdl's format are made again

void copy_if_there(const Json& from, const char* name, Json& to) {
    if (const auto found = from.find(name); found != from.end()) to[name] = *found;
}

Json empty_summary(const std::string& run) {
    Json summary = {{"run", run}};
    for (const char* text : {"dag", "file", "profile", "host", "version", "process"}) summary[text] = "";
    summary["wall_time"] = nullptr;
    summary["seconds"] = nullptr;
    summary["outcome"] = "unfinished";
    for (const char* count : {"ran", "reused", "failed"}) summary[count] = 0;
    for (const char* values : {"set", "params", "metrics"}) summary[values] = Json::object();
    for (const char* list : {"main", "points", "unfinished"}) summary[list] = Json::array();
    summary["note"] = "";
    summary["tags"] = Json::array();
    summary["sweep"] = false;
    summary["damaged"] = false;
    return summary;
}

void take_end(const Json& event, Json& summary) {
    for (const char* name : {"dag", "seconds", "ran", "reused", "failed"}) copy_if_there(event, name, summary);
    const bool failed = event.value("failed", 0) > 0;
    summary["outcome"] = event.value("stopped", false) ? "stopped" : failed ? "failed" : "done";
}

// Before the sweep's end: its points without numbers.
void take_planned_points(const Json& started, Json& summary) {
    summary["sweep"] = true;
    for (const Json& point : started.at("points")) {
        summary["points"].push_back({{"settings", point.at("settings")}, {"metrics", Json::object()}, {"failed", 0}});
        for (const auto& [name, value] : point.at("settings").items()) summary["params"].erase(name);
    }
}

void take_points(const Json& sweep, Json& summary) {
    summary["sweep"] = true;
    summary["main"] = sweep.at("metrics");
    summary["points"] = Json::array();
    for (const Json& point : sweep.at("points")) {
        summary["points"].push_back(
            {{"settings", point.at("settings")}, {"metrics", point.at("metrics")}, {"failed", point.at("failures").size()}});
        for (const auto& [name, value] : point.at("settings").items()) summary["params"].erase(name);
    }
}

class Summary {
public:
    explicit Summary(const std::string& run) : json_(empty_summary(run)) {}

    void take(const Json& event) {
        const std::string name = event.value("event", "");
        if (name == "run_started") {
            for (const char* field : {"dag", "file", "profile", "host", "version", "process", "wall_time", "set", "params"})
                copy_if_there(event, field, json_);
        } else if (name == "stage_started") {
            started_[event.value("stage", "")] = event.value("key", Json());
        } else if (name == "stage") {
            started_.erase(event.value("stage", ""));
        } else if (name == "metrics") {
            json_["metrics"] = event.at("metrics");
            json_["main"] = event.at("main");
        } else if (name == "sweep_started") {
            take_planned_points(event, json_);
        } else if (name == "sweep") {
            take_points(event, json_);
        } else if (name == "run_finished") {
            take_end(event, json_);
        } else if (name == "note") {
            json_["note"] = event.at("note");
            json_["tags"] = event.at("tags");
        }
    }

    Json finish(bool damaged) {
        json_["damaged"] = damaged;
        if (json_["outcome"] == "unfinished")
            for (const auto& [stage, key] : started_) json_["unfinished"].push_back({{"stage", stage}, {"key", key}});
        return std::move(json_);
    }

private:
    Json json_;
    std::map<std::string, Json> started_;  // and not done yet, with their keys
};

}  // namespace

Json summary_of_record(const std::string& run, std::string_view text) {
    const Record record = checked_record(text, run);
    Summary summary(run);
    bool damaged = !record.damaged.empty();
    for (const std::string& line : record.lines) {
        try {
            summary.take(Json::parse(line));
        } catch (const Json::exception&) {  // not written by satdl
            damaged = true;
        }
    }
    return summary.finish(damaged);
}

Json summary_of_run(const std::filesystem::path& store_folder, const std::string& run, FileSystem& files, Index& index) {
    const auto stamp = files.stamp(record_path(store_folder, run));
    if (stamp) {
        if (const auto known = index.run_summary(run, *stamp)) {
            Json remembered = Json::parse(*known);
            if (remembered.value("format", 0) == kFormat) return std::move(remembered["summary"]);
        }
    }
    Json summary = summary_of_record(run, record_text(store_folder, run, files));
    // A record that still grows changes its stamp, perhaps within the clock's step: only what has ended is remembered.
    if (stamp && summary["outcome"] != "unfinished")
        index.put_run_summary(run, *stamp, dump_json({{"format", kFormat}, {"summary", summary}}));
    return summary;
}

std::vector<Json> summaries_of_reused_runs(const std::filesystem::path& store_folder, FileSystem& files) {
    std::vector<Json> summaries;
    for (const std::string& line : read_record(store_folder, kReusedRuns, files).lines | std::views::reverse) {
        const Json event = Json::parse(line, nullptr, false);
        if (!event.is_object()) continue;
        Json& summary = summaries.emplace_back(empty_summary(event.value("run", "")));
        copy_if_there(event, "wall_time", summary);
        take_end(event, summary);
    }
    return summaries;
}

std::string note_event(const std::string& note, const std::vector<std::string>& tags) {
    return dump_json({{"event", "note"}, {"wall_time", wall_time()}, {"note", note}, {"tags", tags}});
}

}  // namespace satdl
