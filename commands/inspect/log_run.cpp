#include "commands/inspect/log_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/inspect/run_text.h"
#include "commands/shared/run_display.h"
#include "pipeline/core/time_text.h"
#include "pipeline/display/progress_display.h"
#include "pipeline/display/text_format.h"
#include "pipeline/records/json_events.h"
#include "pipeline/records/run_record.h"
#include "pipeline/records/run_summary.h"

namespace satdl {

namespace {

constexpr int kNameColumns = 11;
constexpr std::size_t kDigits = 12;  // of a digest

using Facts = std::vector<std::pair<std::string, std::string>>;

std::string text_in(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? "" : plain_text(*found);
}

// "vm, 2 cores": what the parts that are known come to.
std::string joined(const std::vector<std::string>& parts, std::string_view between = ", ") {
    std::string text;
    for (const std::string& part : parts)
        if (!part.empty()) text += fmt::format("{}{}", text.empty() ? "" : between, part);
    return text;
}

// "a=1, b=2", "a 1, b 2".
std::string members_text(const Json& members, char between) {
    std::vector<std::string> parts;
    for (const auto& [name, value] : members.items())
        parts.push_back(fmt::format("{}{}{}", name, between, plain_text(value)));
    return joined(parts);
}

// A word of a command line as it is typed.
std::string shell_word(const std::string& word) {
    const bool is_plain = !word.empty() && word.find_first_not_of(
                                               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=,:+-@%") ==
                                               std::string::npos;
    if (is_plain) return word;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

std::string command_text(const Json& command) {
    std::vector<std::string> words;
    for (const Json& word : command) words.push_back(shell_word(word.get<std::string>()));
    return joined(words, " ");
}

std::string commit_text(const Json& git, const std::string& run, const std::filesystem::path& store_folder) {
    std::string text = git.at("commit").get<std::string>();
    if (git.at("dirty").is_null()) return text + ", and perhaps changes: git took longer than the run";
    if (git.at("dirty") == false) return text;
    text += fmt::format(" with changes: diff {} ({})", git.at("diff_sha256").get<std::string>().substr(0, kDigits),
                        bytes_text(git.at("diff_bytes").get<std::uint64_t>()));
    if (git.value("saved", false))
        text += fmt::format(", {}", (record_path(store_folder, run).parent_path() / kDiffFile).string());
    return text;
}

std::string outcome_text(const Json& run) {
    std::vector<std::string> counts;
    for (const char* name : {"ran", "reused", "failed"})
        if (run.at(name) != 0) counts.push_back(fmt::format("{} {}", run.at(name).get<int>(), name));
    auto text = run.at("outcome").get<std::string>();
    if (run.at("seconds").is_number()) text += fmt::format(" in {}", duration_text(run.at("seconds").get<double>()));
    return counts.empty() ? text : fmt::format("{}: {}", text, joined(counts));
}

Facts facts_of(const Json& details, const std::filesystem::path& store_folder) {
    const auto run = details.at("run").get<std::string>();
    Facts facts{{"run", run}, {"DAG", fmt::format("{} ({})", text_in(details, "dag"), text_in(details, "file"))}};
    if (details.at("wall_time").is_number())
        facts.emplace_back("began",
                           fmt::format("{}, {}", utc_text(static_cast<std::time_t>(details.at("wall_time").get<double>())),
                                       when_text(details, wall_time())));
    facts.emplace_back("outcome", outcome_text(details));
    facts.emplace_back("note", note_text(details));
    facts.emplace_back("set", settings_text(details));
    const Json& environment = details.at("environment");
    const bool is_known = environment.is_object();
    if (is_known) facts.emplace_back("command", command_text(environment.at("command")));
    if (is_known) facts.emplace_back("in", text_in(environment, "folder"));
    if (details.at("git").is_object()) facts.emplace_back("commit", commit_text(details.at("git"), run, store_folder));
    const Json cores = details.value("cores", Json());
    std::vector<std::string> machine{text_in(details, "host"),
                                     cores.is_number() ? fmt::format("{} cores", cores.get<int>()) : ""};
    if (is_known) {
        machine.insert(machine.end(),
                       {text_in(environment, "cpu"), text_in(environment, "instructions"),
                        bytes_text(environment.at("memory_bytes").get<std::uint64_t>()), text_in(environment, "os")});
    }
    facts.emplace_back("on", joined(machine));
    if (is_known) {
        for (const Json& gpu : environment.at("gpus")) facts.emplace_back("GPU", gpu.get<std::string>());
        facts.emplace_back("satdl", joined({text_in(details, "version"), members_text(environment.at("libraries"), ' ')}));
        facts.emplace_back("variables", members_text(environment.at("variables"), '='));
        std::vector<std::string> ignored;
        for (const Json& name : environment.at("ignored_variables")) ignored.push_back(name.get<std::string>());
        facts.emplace_back("ignored", joined(ignored));
    } else {
        facts.emplace_back("satdl", text_in(details, "version"));
    }
    std::erase_if(facts, [](const auto& fact) { return fact.second.empty(); });
    return facts;
}

// Those that were executed.
Table stages_table(const Json& details) {
    Table table{.title = {},
                .columns = {"stage", "outcome", "time", "CPU", "peak memory", "read", "written"},
                .rows = {},
                .notes = {}};
    bool any_shared = false;
    for (const Json& stage : details.at("stages")) {
        if (!stage.contains("started_seconds")) continue;
        const auto bytes = [&](const char* name) {
            const auto found = stage.find(name);
            return found == stage.end() ? "" : bytes_text(found->get<std::uint64_t>());
        };
        const bool shared = stage.value("shared", false);
        any_shared = any_shared || shared;
        const char* const star = shared ? " *" : "";
        table.rows.push_back(
            {text_in(stage, "stage"), text_in(stage, "outcome"), duration_text(stage.value("seconds", 0.0)),
             stage.contains("cpu_seconds") ? duration_text(stage.at("cpu_seconds").get<double>()) + star : "",
             stage.contains("peak_bytes") ? bytes("peak_bytes") + star : "", bytes("read_bytes"), bytes("written_bytes")});
    }
    if (any_shared) table.notes.emplace_back("* of the process while other stages ran in it, too");
    return table;
}

Table metrics_table(const Json& details) {
    Table table{.title = {}, .columns = {"metric", "value"}, .rows = {}, .notes = {}};
    for (const Json& name : details.at("main")) {
        const auto found = details.at("metrics").find(name.get<std::string>());
        if (found != details.at("metrics").end()) table.rows.push_back({name.get<std::string>(), cell_text(*found)});
    }
    return table;
}

}  // namespace

Json details_of_run(const std::string& run, OpenStore& open) {
    Json details = summary_of_run(open.folder(), run, open.files(), open.index());
    details["outcome"] = outcome_of(details, open.folder());
    details["environment"] = details["git"] = nullptr;
    details["stages"] = Json::array();
    for (const std::string& line : read_record(open.folder(), run, open.files()).lines) {
        Json event = Json::parse(line, nullptr, false);
        if (!event.is_object()) continue;
        const std::string name = event.value("event", "");
        event.erase("check");  // of the record's line
        event.erase("event");
        if (name == "run_started" && event.contains("cores"))
            details["cores"] = event["cores"];
        else if (name == "environment" || name == "git")
            details[name] = std::move(event);
        else if (name == "stage")
            details["stages"].push_back(std::move(event));
    }
    return details;
}

void print_details(const Json& details, OpenStore& open) {
    std::string text;
    for (const auto& [name, value] : facts_of(details, open.folder()))
        text += wrapped_lines(printable(padded(name, kNameColumns) + value), stdout_columns(), kNameColumns) + '\n';
    if (details.at("outcome") == "interrupted")
        for (const std::string& stage : resumable_stages(details, open)) text += printable(stage) + '\n';
    for (const Table& table : {stages_table(details), metrics_table(details)})
        if (!table.rows.empty()) text += '\n' + table_text(table, stdout_columns());
    if (details.at("sweep") == true) text += "\nits table: satdl sweep show " + details.at("run").get<std::string>() + '\n';
    print_text(text);
}

}  // namespace satdl
