#include "pipeline/executors/jobs/job_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>

#include "pipeline/core/json.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kJournal = "journal.jsonl";
constexpr std::size_t kMaxJournalBytes = std::size_t{1} << 30;

// "b12.a1" -> 12; 0 if it is no name of a job.
int batch_in(const std::string& name) {
    if (!name.starts_with('b') || name.find('/') != std::string::npos) return 0;
    int batch = 0;
    const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), batch);
    return error == std::errc() && std::string_view(end).starts_with(".a") ? batch : 0;
}

}  // namespace

std::string job_name(int batch, int attempt) { return fmt::format("b{}.a{}", batch, attempt); }

void JobJournal::append(const std::string& line, bool durable) {
    // After a crash in the middle of a line: the torn one ends here, and is skipped.
    files_.append(folder_ / kJournal, '\n' + line + '\n', durable);
}

void JobJournal::open(const std::string& run_file) {
    const fs::path fresh = folder_ / ".open";
    files_.remove(fresh);
    files_.append(fresh, run_file + '\n', true);
    files_.rename(fresh, folder_ / kOpenFile);
    files_.sync_folder(folder_);
}

void JobJournal::close() {
    try {
        files_.remove(folder_ / kOpenFile);
    } catch (const Error&) {  // then somebody looks at the journal in vain
    }
}

void JobJournal::intend(const std::vector<std::string>& names) { append(dump_json(Json{{"event", "intent"}, {"jobs", names}}), true); }

void JobJournal::submitted(const std::vector<std::pair<std::string, std::string>>& ids) {
    try {
        append(dump_json(Json{{"event", "submitted"}, {"jobs", ids}}), false);
    } catch (const Error&) {  // they are found by their names
    }
}

void JobJournal::closed(const std::vector<std::string>& names) {
    try {
        append(dump_json(Json{{"event", "closed"}, {"jobs", names}}), false);
    } catch (const Error&) {  // they are looked at again
    }
}

bool JobJournal::is_open() const {
    try {
        return files_.stamp(folder_ / kOpenFile).has_value();
    } catch (const Error&) {
        return false;
    }
}

JobJournal::State JobJournal::read() const {
    State state;
    std::string text;
    try {
        if (!files_.stamp(folder_ / kJournal)) return state;
        text = files_.read(folder_ / kJournal, 0, kMaxJournalBytes);
    } catch (const Error&) {
        return state;
    }
    std::map<std::string, std::size_t> positions;
    std::vector<std::optional<JournaledJob>> jobs;
    const auto job_called = [&](const std::string& name) -> std::optional<JournaledJob>& {
        const auto [found, is_new] = positions.try_emplace(name, jobs.size());
        if (is_new) jobs.emplace_back();
        return jobs[found->second];
    };
    const auto apply = [&](const Json& line) {
        const auto event = line.at("event").get<std::string>();
        for (const Json& one : line.at("jobs")) {
            const auto name = event == "submitted" ? one.at(0).get<std::string>() : one.get<std::string>();
            const int batch = batch_in(name);
            if (batch == 0) continue;
            state.batches = std::max(state.batches, batch);
            auto& job = job_called(name);
            if (event == "closed") job.reset();
            else if (event == "submitted" && job) job->id = one.at(1).get<std::string>();
            else if (event == "intent") job = JournaledJob{name, ""};
        }
    };
    for (std::size_t begin = 0, end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
        if (end == begin) continue;
        const Json line = Json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(end),
                                      nullptr, false);
        try {
            if (line.is_object()) apply(line);
        } catch (const Json::exception&) {  // a foreign line
        }
    }
    for (auto& job : jobs)
        if (job) state.open.push_back(std::move(*job));
    return state;
}

}  // namespace satdl
