#include "pipeline/records/recorded_dag.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "pipeline/core/json.h"
#include "pipeline/dag_file/dag_source.h"
#include "pipeline/records/run_record.h"
#include "pipeline/yaml/yaml_parser.h"

namespace fs = std::filesystem;

namespace satdl {

namespace {

std::vector<Json> events_of(const fs::path& store_folder, const std::string& run, FileSystem& files) {
    std::vector<Json> events;
    for (const std::string& line : read_record(store_folder, run, files).lines) {
        Json event = Json::parse(line, nullptr, false);
        if (event.is_object() && event.contains("event")) events.push_back(std::move(event));
    }
    return events;
}

const Json* find_event(const std::vector<Json>& events, std::string_view name) {
    const auto found = std::ranges::find_if(events, [&](const Json& event) { return event["event"] == name; });
    return found == events.end() ? nullptr : &*found;
}

// The same as a DAG file. Stages get new names, because a recorded one ("noisy@train", "m1[seed=1]") is not always valid there.
Json document_of(const Json& graph, std::map<std::string, std::string>& written_names) {
    for (const Json& stage : graph.at("stages")) written_names.emplace(stage.at("stage"), fmt::format("s{}", written_names.size()));
    Json stages = Json::object();
    for (const Json& stage : graph.at("stages")) {
        Json entry = {{"kind", stage.at("kind")}};
        for (const Json& input : stage.at("inputs")) {
            const std::string from_port = input.at("from_port");
            entry["in"][input.at("port").get<std::string>()] = written_names.at(input.at("from")) + "." + from_port;
        }
        entry.update(with_escaped_references(stage.at("params")));
        stages[written_names.at(stage.at("stage"))] = std::move(entry);
    }
    return {{"numerics", graph.value("numerics", "exact")}, {"stages", std::move(stages)}};
}

}  // namespace

Json with_escaped_references(Json value) {
    if (value.is_structured()) {
        for (Json& one : value) one = with_escaped_references(std::move(one));
    } else if (value.is_string()) {
        std::string text = value;
        for (std::size_t at = text.find("${"); at != std::string::npos; at = text.find("${", at + 3)) text.insert(at, 1, '$');
        value = std::move(text);
    }
    return value;
}

std::map<Digest, RecordedStage> find_recorded_stages(const fs::path& store_folder, std::set<Digest> keys, FileSystem& files) {
    std::map<Digest, RecordedStage> found;
    for (const std::string& run : recorded_runs(store_folder, files)) {
        if (keys.empty()) break;
        const std::vector<Json> events = events_of(store_folder, run, files);
        if (find_event(events, "dag") == nullptr) continue;
        for (const Json& event : events) {
            if (event["event"] != "stage" || !event.contains("key") || !event["key"].is_string()) continue;
            const auto key = Digest::from_hex(event["key"].get<std::string>());
            if (key && keys.erase(*key) > 0) found[*key] = {run, event.value("stage", "")};
        }
    }
    return found;
}

Dag recorded_dag(const fs::path& store_folder, const std::string& run, const Catalog& catalog, FileSystem& files) {
    const std::vector<Json> events = events_of(store_folder, run, files);
    const Json* const started = find_event(events, "run_started");
    const Json* const graph = find_event(events, "dag");
    const std::string where = record_path(store_folder, run).string();
    std::map<std::string, std::string> written_names;
    auto source = std::make_shared<SourceText>();
    fs::path file;
    std::string name;  // of the DAG: a file's name gives it more freely than `name:` may
    try {
        if (started == nullptr || graph == nullptr) throw Error(ExitCode::Usage, fmt::format("the record '{}' has no DAG", printable(where)));
        source->name = where;
        source->text = document_of(*graph, written_names).dump(1);
        file = started->at("file").get<std::string>();
        name = started->at("dag").get<std::string>();
    } catch (const Json::exception&) {
        throw Error(ExitCode::Usage, fmt::format("the record '{}' was not written by this version of satdl", printable(where)));
    } catch (const std::out_of_range&) {
        throw Error(ExitCode::Usage, fmt::format("in the record '{}', a stage reads a stage that is not recorded", printable(where)));
    }
    Dag dag = DagSource(file, parse_yaml(source)).build({}, catalog, DatasetIndex(dataset_folders(file)));
    for (Node& node : dag.nodes) {
        const auto written = std::ranges::find_if(written_names, [&](const auto& one) { return one.second == node.name; });
        node.name = node.group = written->first;
    }
    dag.name = name;
    dag.groups.clear();
    return dag;
}

}  // namespace satdl
