#include "commands/inspect/run_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/shared/run_liveness.h"
#include "pipeline/core/metric_text.h"
#include "pipeline/core/time_text.h"
#include "pipeline/executors/jobs/controllers.h"

namespace satdl {

namespace {

constexpr std::size_t kShortestId = 15;  // date and time to the second

}  // namespace

std::string outcome_of(const Json& run, const std::filesystem::path& store_folder) {
    const auto recorded = run.at("outcome").get<std::string>();
    if (recorded != "unfinished" && recorded != "stopped") return recorded;
    if (run.at("damaged") == true) return recorded;  // its end may be among the damaged lines
    if (recorded == "unfinished" && may_be_running(run.at("process").get<std::string>(), store_folder)) return "running";
    if (has_open_jobs(store_folder, run.at("run").get<std::string>())) return "detached";
    return recorded == "unfinished" ? "interrupted" : recorded;
}

std::vector<std::string> resumable_stages(const Json& run, OpenStore& store) {
    std::vector<std::string> stages;
    for (const Json& stage : run.at("unfinished")) {
        const auto key = stage.at("key").is_string() ? Digest::from_hex(stage.at("key").get<std::string>()) : std::nullopt;
        const auto place = key ? store.checkpoints().newest(*key) : std::nullopt;
        if (place)
            stages.push_back(
                fmt::format("{} was interrupted at {}, resumable", stage.at("stage").get<std::string>(), place->text()));
    }
    return stages;
}

std::string cell_text(const Json& value) {
    if (value.is_null()) return "";
    if (value.is_number_float()) return metric_text(value.get<double>());
    return plain_text(value);
}

std::string settings_text(const Json& run) {
    std::string text = run.at("profile").get<std::string>();
    const auto add = [&text](const std::string& more) { text += (text.empty() ? "" : ", ") + more; };
    for (const auto& [name, value] : run.at("set").items()) add(fmt::format("{}={}", name, plain_text(value)));
    if (const Json& points = run.at("points"); !points.empty()) {
        std::vector<std::string> axes;
        for (const auto& [name, value] : points.front().at("settings").items()) axes.push_back(name);
        add(fmt::format("{} points of {}", points.size(), fmt::join(axes, ", ")));
    }
    return text;
}

std::string note_text(const Json& run) {
    std::string text;
    for (const Json& tag : run.at("tags")) text += fmt::format("[{}] ", tag.get<std::string>());
    return text + run.at("note").get<std::string>();
}

std::string when_text(const Json& run, double now) {
    return run.at("wall_time").is_number() ? age_text(now - run.at("wall_time").get<double>()) : "";
}

std::size_t id_length(const std::vector<std::string>& ids) {
    std::size_t length = kShortestId;
    for (std::size_t i = 1; i < ids.size(); ++i) {
        const auto [a, b] = std::ranges::mismatch(ids[i - 1], ids[i]);
        length = std::max(length, static_cast<std::size_t>(a - ids[i - 1].begin()) + 1);
    }
    return length;
}

}  // namespace satdl
