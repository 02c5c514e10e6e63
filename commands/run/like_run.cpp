#include "commands/run/like_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "commands/shared/warnings.h"
#include "pipeline/core/json.h"
#include "pipeline/dag_file/dag_source.h"
#include "pipeline/records/recorded_dag.h"
#include "pipeline/records/run_record.h"
#include "pipeline/yaml/yaml_parser.h"

namespace satdl {

namespace {

// Values of the record as those of a YAML file.
ConfigValue config_of(const Json& json, const std::string& where) {
    return parse_yaml(std::make_shared<SourceText>(SourceText{where, with_escaped_references(json).dump()}));
}

std::vector<Override> overrides_of(const Json& values, const std::string& where) {
    std::vector<Override> overrides;
    if (values.empty()) return overrides;
    const ConfigValue map = config_of(values, where);
    for (const ConfigValue::Entry& entry : map.entries())
        overrides.push_back({.name = entry.key, .place = entry.key_place, .values = {entry.value}});
    return overrides;
}

SweepDesign design_of(const Json& started, const std::string& where) {
    SweepDesign design;
    std::vector<std::vector<Json>> values;
    for (const Json& axis : started.at("axes")) {
        SweepAxis& its = design.axes.emplace_back();
        its.name = axis.at("param").get<std::string>();
        its.repeats = axis.at("repeats").get<bool>();
        values.push_back(axis.at("values").get<std::vector<Json>>());
        its.values = config_of(axis.at("values"), where).items();
    }
    for (const Json& point : started.at("points")) {
        std::vector<std::optional<std::size_t>>& at = design.points.emplace_back().at;
        for (std::size_t i = 0; i < design.axes.size(); ++i) {
            const auto found = std::ranges::find(values[i], point.at("settings").at(design.axes[i].name));
            at.push_back(static_cast<std::size_t>(found - values[i].begin()));
            if (*at.back() == values[i].size()) throw Error(ExitCode::Usage, "a point has a value that its axis lacks");
        }
    }
    return design;
}

// The parameters that would have another value than the run had, if only the profile and `set` were given.
Json differing_params(const Json& params, const std::set<std::string>& swept, const RunOptions& options,
                      const std::string& run) {
    std::map<std::string, Json> now;
    for (const auto& [name, value] :
         DagSource(options.dag.file).parameters({options.dag.profile, options.dag.overrides, options.dag.undeclared}))
        now.emplace(name, Json::parse(value.canonical()));
    Json differing = Json::object();
    std::vector<std::string> gone;
    for (const auto& [name, value] : params.items()) {
        if (swept.contains(name)) continue;
        const auto found = now.find(name);
        if (found == now.end())
            gone.push_back(name);
        else if (found->second != value)
            differing[name] = value;
    }
    if (!gone.empty())
        print_warning(fmt::format("run {} had parameters that {} does not have: {}", run, printable(options.dag.file),
                                  printable(fmt::format("{}", fmt::join(gone, ", ")))));
    return differing;
}

}  // namespace

void take_settings_of(const std::string& prefix, RunOptions& options) {
    if (options.sweep.sweeps())
        throw Error(ExitCode::Usage, "--like cannot be combined with a sweep", "--like RUN has the points of that run");
    check_is_store(options.store.store);
    const auto files = real_file_system();
    const std::filesystem::path folder = options.store.store;
    const std::string run = find_run(folder, prefix, *files);
    const std::string where = "--like " + run;
    const Record record = read_record(folder, run, *files);
    try {
        const Json started = Json::parse(last_event(record, "run_started"));
        const std::string sweep_line = last_event(record, "sweep_started");
        const Json sweep = sweep_line.empty() ? Json() : Json::parse(sweep_line);
        if (options.dag.profile.empty()) options.dag.profile = started.value("profile", "");
        std::set<std::string> swept;
        if (sweep.is_object()) {
            options.sweep.like = design_of(sweep, where);
            for (const SweepAxis& axis : options.sweep.like->axes) swept.insert(axis.name);
        }
        const std::vector<Override> given = options.dag.overrides;
        for (const Override& one : given)
            if (swept.contains(one.name))
                refuse(one.place, fmt::format("run {} swept '{}'", run, printable(one.name)),
                       "without --like, sweep what you want: NAME=1,2");
        const auto precede = [&](const Json& values) {
            std::vector<Override> all = overrides_of(values, where);
            all.insert(all.end(), options.dag.overrides.begin(), options.dag.overrides.end());
            options.dag.overrides = std::move(all);
        };
        options.dag.overrides.clear();
        precede(started.at("set"));
        precede(differing_params(started.at("params"), swept, options, run));
        options.dag.overrides.insert(options.dag.overrides.end(), given.begin(), given.end());
    } catch (const Json::exception&) {
        throw Error(ExitCode::Usage, fmt::format("the record of run {} was not written by this version of satdl", run),
                    "give its parameters one by one: `satdl log` lists what was set");
    }
}

}  // namespace satdl
