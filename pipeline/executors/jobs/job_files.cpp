#include "pipeline/executors/jobs/job_files.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <stdexcept>
#include <string_view>

#include "pipeline/core/json.h"
#include "pipeline/core/utf8.h"
#include "pipeline/os/special_file.h"
#include "pipeline/os/write_all.h"
#include "pipeline/store/layout.h"
#include "pipeline/store/process_mark.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 1;  // of all these files; raised when an older satdl could not read them
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{256} << 20;
constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20;
constexpr std::size_t kReadBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxTextBytes = std::size_t{64} << 10;  // of an error or a line of a log
constexpr int kDeepest = 64;

// What is wrong with a file; never leaves this one.
struct Malformed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// ---- values

// Not canonical(): the names of a sweep's stages have a value as it was written.
Json json_of(const ConfigValue& value) {
    if (value.is_scalar()) return {{"text", value.text()}, {"quoted", value.quoted()}};
    if (value.is_list()) {
        Json items = Json::array();
        for (const ConfigValue& item : value.items()) items.push_back(json_of(item));
        return items;
    }
    if (!value.is_map()) return nullptr;
    Json entries = Json::array();
    for (const auto& entry : value.entries()) entries.push_back(Json::array({entry.key, json_of(entry.value)}));
    return {{"map", std::move(entries)}};
}

ConfigValue value_from(const Json& json, int depth = 0) {
    if (depth > kDeepest) throw Malformed("a value is nested too deeply");
    if (json.is_null()) return {};
    if (json.is_array()) {
        std::vector<ConfigValue> items;
        for (const Json& item : json) items.push_back(value_from(item, depth + 1));
        return ConfigValue::list(std::move(items));
    }
    if (!json.contains("map")) return ConfigValue::scalar(json.at("text").get<std::string>(), json.at("quoted").get<bool>());
    std::vector<ConfigValue::Entry> entries;
    for (const Json& entry : json.at("map"))
        entries.push_back({entry.at(0).get<std::string>(), {}, value_from(entry.at(1), depth + 1)});
    return ConfigValue::map(std::move(entries));
}

Json json_of(const SweepDesign& design) {
    Json axes = Json::array();
    for (const SweepAxis& axis : design.axes) {
        Json values = Json::array();
        for (const ConfigValue& value : axis.values) values.push_back(json_of(value));
        axes.push_back({{"name", axis.name}, {"repeats", axis.repeats}, {"values", std::move(values)}});
    }
    Json points = Json::array();
    for (const auto& point : design.points) {
        Json at = Json::array();
        for (const auto& value : point.at) at.push_back(value ? Json(*value) : Json(nullptr));
        points.push_back(std::move(at));
    }
    Json repeat = nullptr;
    if (design.repeat) {
        repeat = Json::array();
        for (const ConfigValue& name : *design.repeat) repeat.push_back(json_of(name));
    }
    return {{"axes", std::move(axes)}, {"points", std::move(points)}, {"repeat", std::move(repeat)}};
}

SweepDesign design_from(const Json& json) {
    SweepDesign design;
    for (const Json& one : json.at("axes")) {
        SweepAxis& axis = design.axes.emplace_back();
        axis.name = one.at("name").get<std::string>();
        axis.repeats = one.at("repeats").get<bool>();
        for (const Json& value : one.at("values")) axis.values.push_back(value_from(value));
    }
    for (const Json& one : json.at("points")) {
        if (design.points.size() == kMaxPoints) throw Malformed("a sweep has too many points");
        auto& at = design.points.emplace_back().at;
        if (one.size() != design.axes.size()) throw Malformed("a point of a sweep has another number of values than the sweep has axes");
        for (std::size_t axis = 0; axis < one.size(); ++axis) {
            if (one[axis].is_null()) {
                at.emplace_back(std::nullopt);
                continue;
            }
            const auto value = one[axis].get<std::uint64_t>();
            if (!one[axis].is_number_unsigned() || value >= design.axes[axis].values.size())
                throw Malformed("a point of a sweep has a value that its axis lacks");
            at.emplace_back(static_cast<std::size_t>(value));
        }
    }
    if (!json.at("repeat").is_null()) {
        design.repeat.emplace();
        for (const Json& name : json.at("repeat")) design.repeat->push_back(value_from(name));
    }
    return design;
}

std::uint64_t count_from(const Json& json) {
    if (!json.is_number_unsigned()) throw Malformed("a number is negative or no integer");
    return json.get<std::uint64_t>();
}

int int_from(const Json& json) {
    if (!json.is_number_integer()) throw Malformed("a number is no integer");
    return static_cast<int>(std::clamp<std::int64_t>(json.get<std::int64_t>(), std::numeric_limits<int>::min(),
                                                     std::numeric_limits<int>::max()));
}

double seconds_from(const Json& json) {
    const auto seconds = json.get<double>();
    return std::isfinite(seconds) && seconds > 0 ? seconds : 0;
}

double metric_from(const Json& json) {
    if (json.is_number()) return json.get<double>();
    const auto text = json.get<std::string>();
    const double infinity = std::numeric_limits<double>::infinity();
    if (text == "inf") return infinity;
    return text == "-inf" ? -infinity : std::numeric_limits<double>::quiet_NaN();
}

std::string short_text(std::string text) {
    if (text.size() > kMaxTextBytes) text.resize(utf8_floor(text, kMaxTextBytes));
    return text;
}

std::string text_from(const Json& json) { return short_text(json.get<std::string>()); }

std::size_t node_from(const Json& json, std::size_t nodes) {
    const std::uint64_t node = count_from(json);
    if (node >= nodes) throw Malformed("it names a node that the job does not have");
    return static_cast<std::size_t>(node);
}

// ---- files

void write_durably(const fs::path& path, const Json& json, FileSystem& files) {
    static std::atomic<std::uint64_t> written{0};
    const std::string text = dump_json(json) + '\n';
    const fs::path fresh = path.parent_path() / name_with_process("." + path.stem().string(), written++);
    const Extent all{.offset = 0, .bytes = std::as_bytes(std::span(text))};
    files.write_new(fresh, text.size(), {&all, 1});
    try {
        files.rename(fresh, path);
    } catch (...) {
        files.remove(fresh);
        throw;
    }
    files.sync_folder(path.parent_path());
}

Json parsed(const fs::path& path, FileSystem& files) {
    const auto file = files.open(path);
    if (file->stamp().bytes > kMaxFileBytes) throw Malformed("it is too large");
    Json json = Json::parse(file->read(0, kMaxFileBytes), nullptr, false);
    if (!json.is_object()) throw Malformed("it is not JSON");
    if (int_from(json.at("format")) != kFormat) throw Malformed("another version of satdl wrote it");
    return json;
}

// The bare text of what is wrong with a file.
template <typename Read>
auto read_or_text(const fs::path& path, FileSystem& files, const Read& read) -> std::variant<decltype(read(Json())), std::string> {
    try {
        return read(parsed(path, files));
    } catch (const Json::exception&) {
        return fmt::format("'{}' is not as satdl writes it", printable(path.string()));
    } catch (const Malformed& wrong) {
        return fmt::format("'{}' is not as satdl writes it: {}", printable(path.string()), wrong.what());
    } catch (const Error& error) {
        return std::string(first_line(error.what()));
    } catch (const std::exception& error) {
        return fmt::format("'{}' cannot be read: {}", printable(path.string()), describe(error));
    }
}

template <typename Read>
auto read_or_throw(const fs::path& path, FileSystem& files, const Read& read) {
    auto result = read_or_text(path, files, read);
    if (const auto* const wrong = std::get_if<std::string>(&result))
        throw Error(ExitCode::Store, *wrong, "satdl run writes it when it submits a job");
    return std::get<0>(std::move(result));
}

template <typename Read>
auto read_if_there(const fs::path& path, FileSystem& files, const Read& read) -> JobFile<decltype(read(Json()))> {
    try {
        if (!files.stamp(path)) return NotThereYet{};
    } catch (const Error&) {
        return NotThereYet{};
    }
    auto result = read_or_text(path, files, read);
    if (auto* const wrong = std::get_if<std::string>(&result)) return BadJobFile{std::move(*wrong)};
    return std::get<0>(std::move(result));
}

// ---- what is in them

JobRun run_from(const Json& json) {
    JobRun run;
    run.build = json.at("build").get<std::string>();
    run.run = json.at("run").get<std::string>();
    run.folder = json.at("folder").get<std::string>();
    run.store = json.at("store").get<std::string>();
    run.results = json.at("results").get<std::string>();
    run.dag = json.at("dag").get<std::string>();
    run.profile = json.at("profile").get<std::string>();
    for (const Json& one : json.at("overrides")) run.overrides.emplace_back(one.at(0).get<std::string>(), value_from(one.at(1)));
    if (!json.at("sweep").is_null()) run.sweep = design_from(json.at("sweep"));
    run.stage_libraries = json.at("stage_libraries").get<std::vector<std::string>>();
    run.trust = json.at("trust").get<bool>();
    run.accept_undeclared_files = json.at("accept_undeclared_files").get<bool>();
    run.isolate = json.at("isolate").get<bool>();
    run.checkpoint_every_seconds = seconds_from(json.at("checkpoint_every_seconds"));
    run.final_checkpoints = json.at("final_checkpoints").get<bool>();
    const Json& machine = json.at("machine");
    run.machine = {.cores = int_from(machine.at("cores")),
                   .cpu = machine.at("cpu").get<std::string>(),
                   .processor = machine.at("processor").get<std::string>(),
                   .memory_bytes = count_from(machine.at("memory_bytes")),
                   .bf16 = machine.at("bf16").get<std::string>()};
    run.executor = json.at("executor").get<std::string>();
    run.queue = json.at("queue").get<std::string>();
    run.arguments = json.at("arguments").get<std::vector<std::string>>();
    return run;
}

bool is_run_file(const std::string& name) {
    return name.starts_with("run-") && name.ends_with(".json") && name.find('/') == std::string::npos;
}

JobSpec spec_from(const Json& json) {
    JobSpec spec;
    spec.run_file = json.at("run_file").get<std::string>();
    if (!is_run_file(spec.run_file)) throw Malformed("it names no file of its run");
    std::set<std::string> names;
    for (const Json& one : json.at("nodes")) {
        const auto key = Digest::from_hex(one.at("key").get<std::string>());
        if (!key) throw Malformed("a key is malformed");
        spec.nodes.push_back({one.at("name").get<std::string>(), *key, one.at("forced").get<bool>()});
        if (!names.insert(spec.nodes.back().name).second) throw Malformed("it names a node twice");
    }
    spec.cpus = std::max(int_from(json.at("cpus")), 1);
    spec.memory_bytes = count_from(json.at("memory_bytes"));
    if (!json.at("seconds").is_null()) spec.seconds = seconds_from(json.at("seconds"));
    return spec;
}

JobBegin begin_from(const Json& json) {
    return {.job = text_from(json.at("job")),
            .machine = text_from(json.at("machine")),
            .process = json.at("process").get<std::int64_t>(),
            .restart = int_from(json.at("restart")),
            .wall_time = seconds_from(json.at("wall_time"))};
}

constexpr std::string_view kOutcomes[] = {"ran", "failed", "stopped", "continued"};
constexpr std::string_view kRefusals[] = {"none", "machine", "run"};
constexpr std::string_view kEvents[] = {"started", "progress", "log", "ended"};
constexpr std::string_view kLevels[] = {"debug", "info", "warning"};

template <typename Enum, std::size_t count>
Enum enum_from(const Json& json, const std::string_view (&names)[count]) {
    const auto* const found = std::ranges::find(names, json.get<std::string>());
    if (found == std::end(names)) throw Malformed("it has a word that satdl does not use");
    return static_cast<Enum>(found - std::begin(names));
}

template <typename Enum, std::size_t count>
Json json_of(Enum value, const std::string_view (&names)[count]) {
    return std::string(names[static_cast<std::size_t>(value)]);
}

Json json_of(const JobNodeEnd& end) {
    return {{"node", end.node},
            {"outcome", json_of(end.outcome, kOutcomes)},
            {"error", short_text(end.error)},
            {"position", end.position},
            {"seconds", end.seconds},
            {"peak_bytes", end.peak_bytes}};
}

JobNodeEnd node_end_from(const Json& json, std::size_t nodes) {
    return {.node = node_from(json.at("node"), nodes),
            .outcome = enum_from<JobNodeEnd::Outcome>(json.at("outcome"), kOutcomes),
            .error = text_from(json.at("error")),
            .position = text_from(json.at("position")),
            .seconds = seconds_from(json.at("seconds")),
            .peak_bytes = count_from(json.at("peak_bytes"))};
}

JobFinish finish_from(const Json& json, std::size_t nodes) {
    JobFinish finish;
    finish.refusal = enum_from<JobFinish::Refusal>(json.at("refusal"), kRefusals);
    finish.refused = text_from(json.at("refused"));
    std::set<std::size_t> seen;
    for (const Json& one : json.at("nodes")) {
        finish.nodes.push_back(node_end_from(one, nodes));
        if (!seen.insert(finish.nodes.back().node).second) throw Malformed("it names a node twice");
    }
    return finish;
}

Json json_of(const JobEvent& event) {
    Json json = {{"event", json_of(event.what, kEvents)}, {"node", event.node}};
    if (event.what == JobEvent::What::Progress) {
        const Progress& at = event.progress;
        json.update({{"epoch", at.epoch}, {"epochs", at.epochs}, {"step", at.step}, {"steps", at.steps}, {"epoch_ended", at.epoch_ended}});
        Json& metrics = json["metrics"] = Json::array();
        for (const auto& [name, value] : at.metrics) metrics.push_back(Json::array({name, number_to_json(value)}));
    } else if (event.what == JobEvent::What::Log) {
        json["level"] = json_of(event.level, kLevels);
        json["text"] = short_text(event.text);
    } else if (event.what == JobEvent::What::Ended) {
        json["end"] = json_of(event.end);
    }
    return json;
}

JobEvent event_from(const Json& json, std::size_t nodes) {
    JobEvent event;
    event.what = enum_from<JobEvent::What>(json.at("event"), kEvents);
    event.node = node_from(json.at("node"), nodes);
    if (event.what == JobEvent::What::Progress) {
        event.progress = {.epoch = json.at("epoch").get<std::int64_t>(),
                          .epochs = json.at("epochs").get<std::int64_t>(),
                          .step = json.at("step").get<std::int64_t>(),
                          .steps = json.at("steps").get<std::int64_t>(),
                          .epoch_ended = json.at("epoch_ended").get<bool>(),
                          .metrics = {}};
        for (const Json& metric : json.at("metrics"))
            event.progress.metrics.emplace_back(text_from(metric.at(0)), metric_from(metric.at(1)));
    } else if (event.what == JobEvent::What::Log) {
        event.level = enum_from<LogLevel>(json.at("level"), kLevels);
        event.text = text_from(json.at("text"));
    } else if (event.what == JobEvent::What::Ended) {
        event.end = node_end_from(json.at("end"), nodes);
        if (event.end.node != event.node) throw Malformed("an event is about two nodes");
    }
    return event;
}

}  // namespace

fs::path jobs_folder(const fs::path& store_folder, const std::string& run) {
    return store_folder / store_layout::kRuns / run / "jobs";
}

// ---- run-DIGEST.json and spec.json

std::string write_job_run(const fs::path& folder, const JobRun& run, FileSystem& files) {
    Json overrides = Json::array();
    for (const auto& [name, value] : run.overrides) overrides.push_back(Json::array({name, json_of(value)}));
    const Json json = {{"format", kFormat},
                       {"build", run.build},
                       {"run", run.run},
                       {"folder", run.folder.string()},
                       {"store", run.store.string()},
                       {"results", run.results.string()},
                       {"dag", run.dag},
                       {"profile", run.profile},
                       {"overrides", std::move(overrides)},
                       {"sweep", run.sweep ? json_of(*run.sweep) : Json(nullptr)},
                       {"stage_libraries", run.stage_libraries},
                       {"trust", run.trust},
                       {"accept_undeclared_files", run.accept_undeclared_files},
                       {"isolate", run.isolate},
                       {"checkpoint_every_seconds", run.checkpoint_every_seconds},
                       {"final_checkpoints", run.final_checkpoints},
                       {"machine",
                        {{"cores", run.machine.cores},
                         {"cpu", run.machine.cpu},
                         {"processor", run.machine.processor},
                         {"memory_bytes", run.machine.memory_bytes},
                         {"bf16", run.machine.bf16}}},
                       {"executor", run.executor},
                       {"queue", run.queue},
                       {"arguments", run.arguments}};
    const std::string name = fmt::format("run-{}.json", sha256(dump_json(json)).short_hex());
    if (!files.stamp(folder / name)) write_durably(folder / name, json, files);
    return name;
}

void write_job_spec(const fs::path& folder, const JobSpec& spec, FileSystem& files) {
    Json nodes = Json::array();
    for (const auto& node : spec.nodes) nodes.push_back({{"name", node.name}, {"key", node.key.hex()}, {"forced", node.forced}});
    const Json json = {{"format", kFormat},
                       {"run_file", spec.run_file},
                       {"nodes", std::move(nodes)},
                       {"cpus", spec.cpus},
                       {"memory_bytes", spec.memory_bytes},
                       {"seconds", spec.seconds ? Json(*spec.seconds) : Json(nullptr)}};
    files.make_folder(folder);
    files.append(folder / kSpecFile, dump_json(json) + '\n', false);
}

JobRun read_job_run(const fs::path& folder, const std::string& run_file, FileSystem& files) {
    if (!is_run_file(run_file))
        throw Error(ExitCode::Store, fmt::format("'{}' names no file of its run: '{}'", printable(folder.string()), printable(run_file)));
    return read_or_throw(folder / run_file, files, run_from);
}

JobSpec read_job_spec(const fs::path& folder, FileSystem& files) { return read_or_throw(folder / kSpecFile, files, spec_from); }

// ---- begin.json and end.json

void write_job_begin(const fs::path& folder, const JobBegin& begin, FileSystem& files) {
    files.remove(folder / kEndFile);
    write_durably(folder / kBeginFile,
                  {{"format", kFormat},
                   {"job", begin.job},
                   {"machine", begin.machine},
                   {"process", begin.process},
                   {"restart", begin.restart},
                   {"wall_time", begin.wall_time}},
                  files);
}

void write_job_finish(const fs::path& folder, const JobFinish& finish, FileSystem& files) {
    Json nodes = Json::array();
    for (const JobNodeEnd& end : finish.nodes) nodes.push_back(json_of(end));
    write_durably(folder / kEndFile,
                  {{"format", kFormat},
                   {"refusal", json_of(finish.refusal, kRefusals)},
                   {"refused", short_text(finish.refused)},
                   {"nodes", std::move(nodes)}},
                  files);
}

JobFile<JobBegin> read_job_begin(const fs::path& folder, FileSystem& files) {
    return read_if_there(folder / kBeginFile, files, begin_from);
}

JobFile<JobFinish> read_job_finish(const fs::path& folder, std::size_t nodes, FileSystem& files) {
    return read_if_there(folder / kEndFile, files, [nodes](const Json& json) { return finish_from(json, nodes); });
}

// ---- events.jsonl

JobEventWriter::JobEventWriter(const fs::path& folder, std::uint64_t max_bytes)
    : file_(::open((folder / kEventsFile).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666)), max_bytes_(max_bytes) {}

void JobEventWriter::write(const JobEvent& event) {
    if (!file_) return;
    const std::string line = dump_json(json_of(event)) + '\n';
    const bool is_needed = event.what == JobEvent::What::Started || event.what == JobEvent::What::Ended;
    const std::scoped_lock lock(mutex_);
    if (!is_needed && bytes_ + line.size() > max_bytes_) return;
    bytes_ += write_all(file_.get(), std::as_bytes(std::span(line)));
}

JobEventReader::JobEventReader(fs::path folder, std::size_t nodes) : file_(std::move(folder) / kEventsFile), nodes_(nodes) {}

std::vector<JobEvent> JobEventReader::read(FileSystem& files) {
    std::string text;
    try {
        const auto stamp = files.stamp(file_);
        if (!stamp || stamp->bytes <= offset_) return {};
        text = files.read(file_, offset_, kReadBytes);
    } catch (const Error&) {
        return {};
    }
    std::vector<JobEvent> events;
    std::size_t begin = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
        if (std::exchange(skipping_, false)) continue;  // the end of a line that was too long
        if (end - begin > kMaxLineBytes) continue;
        const Json json = Json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(end),
                                      nullptr, false);
        if (!json.is_object()) continue;
        try {
            events.push_back(event_from(json, nodes_));
        } catch (const Json::exception&) {
            continue;
        } catch (const Malformed&) {
            continue;
        }
    }
    offset_ += begin;
    if (const std::size_t rest = text.size() - begin; rest > kMaxLineBytes) {
        offset_ += rest;
        skipping_ = true;
    }
    return events;
}

}  // namespace satdl
