#include "pipeline/records/run_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "pipeline/store/layout.h"

namespace satdl {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLineStart = R"({"event":")";
constexpr std::string_view kCheckStart = R"(,"check":")";
constexpr std::string_view kCheckEnd = R"("})";
constexpr std::size_t kDigits = 16;
constexpr std::size_t kCheckBytes = kCheckStart.size() + kDigits + kCheckEnd.size();
constexpr std::size_t kNumbersShown = 5;

std::string check_of(std::string_view before, std::string_view name) {
    const Digest digest = Sha256().update(name).update("\n").update(before).finish();
    return fmt::format("{}{}{}", kCheckStart, digest.hex().substr(0, kDigits), kCheckEnd);
}

bool is_good(std::string_view line, std::string_view name) {
    if (line.size() < kCheckBytes) return false;
    const std::string_view before = line.substr(0, line.size() - kCheckBytes);
    return line.substr(before.size()) == check_of(before, name);
}

// Whether the line ends with a check or with the rest of one: its name or its digits are enough, so that no single accident makes a
// line look like one from before there were checks.
bool has_check(std::string_view line) {
    if (!line.ends_with(kCheckEnd)) return false;
    line.remove_suffix(kCheckEnd.size());
    const std::size_t value = line.rfind('"') + 1;  // 0 if there is none
    const std::string_view digits = line.substr(value);
    const bool has_digits = digits.size() == kDigits && digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    return has_digits || line.substr(0, value).ends_with(kCheckStart);
}

// Whether the end of the line was never written. A line with a whole check was written, and is damaged.
bool is_torn(std::string_view piece) {
    const std::size_t check = piece.rfind(kCheckStart);
    const bool has_end = check != std::string_view::npos && piece.size() - check >= kCheckBytes;
    return !has_end && piece.substr(0, kLineStart.size()) == kLineStart.substr(0, piece.size());
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

// Where the good line at the end of this one begins: at 0, or after a torn line to which it was appended.
std::optional<std::size_t> good_from(std::string_view line, std::string_view name) {
    if (is_good(line, name)) return 0;
    const std::size_t start = line.rfind(kLineStart);
    if (start == std::string_view::npos || start == 0 || !is_good(line.substr(start), name)) return std::nullopt;
    return start;
}

bool is_object(std::string_view line) { return line.starts_with('{') && nlohmann::json::accept(line); }

}  // namespace

fs::path record_path(const fs::path& store_folder, const std::string& name) {
    const fs::path runs = store_folder / store_layout::kRuns;
    return name == kReusedRuns ? runs / "reused.jsonl" : runs / name / "events.jsonl";
}

std::vector<std::string> recorded_runs(const fs::path& store_folder, FileSystem& files) {
    std::vector<std::string> ids = files.list(store_folder / store_layout::kRuns);
    std::erase_if(ids, [&](const std::string& id) { return !files.stamp(store_folder / store_layout::kRuns / id / "events.jsonl"); });
    std::ranges::reverse(ids);
    return ids;
}

std::string find_run(const fs::path& store_folder, const std::string& prefix, FileSystem& files) {
    const std::vector<std::string> ids = recorded_runs(store_folder, files);
    if (ids.empty()) {
        throw Error(ExitCode::Usage, fmt::format("there are no run records in {}", printable(store_folder.string())),
                    "`satdl run DAG` creates one; use --store for another store");
    }
    if (prefix.empty()) return ids.front();
    std::vector<std::string> matches;
    for (const auto& id : ids) {
        if (id == prefix) return id;
        if (id.starts_with(prefix)) matches.push_back(id);
    }
    if (matches.size() == 1) return matches.front();
    if (matches.size() > 1) {
        std::string named = fmt::format("{}", fmt::join(std::span(matches).first(std::min(matches.size(), kNumbersShown)), ", "));
        if (matches.size() > kNumbersShown) named += fmt::format(" and {} more", matches.size() - kNumbersShown);
        throw Error(ExitCode::Usage, fmt::format("{} runs begin with '{}'", matches.size(), printable(prefix)),
                    fmt::format("give more characters of the id: {}", named));
    }
    const auto near = nearest(prefix, ids);
    throw Error(ExitCode::Usage, fmt::format("'{}' is no run in {}", printable(prefix), printable(store_folder.string())),
                near ? fmt::format("did you mean '{}'?", *near) : fmt::format("the newest run is {}; `satdl log` lists them", ids.front()));
}

std::string with_check(std::string_view event, std::string_view name) {
    event.remove_suffix(1);  // its brace
    return std::string(event) + check_of(event, name);
}

Record checked_record(std::string_view text, std::string_view name) {
    Record record;
    const auto lines = lines_of(text);
    bool checked = false;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string_view line = lines[i];
        checked = checked || has_check(line);
        if (!checked && is_object(line)) {
            record.lines.emplace_back(line);
            ++record.unchecked;
            continue;
        }
        const auto good = good_from(line, name);
        const std::string_view rest = line.substr(0, good.value_or(line.size()));
        if (good) record.lines.emplace_back(line.substr(*good));
        if (good == 0) continue;
        const bool unended = i + 1 == lines.size() && !text.ends_with('\n');
        if ((good || unended) && is_torn(rest)) ++record.torn;
        else record.damaged.push_back(i + 1);
    }
    return record;
}

std::string record_text(const fs::path& store_folder, const std::string& name, FileSystem& files) {
    const auto path = record_path(store_folder, name);
    const auto identity = files.stamp(path);
    return identity ? files.read(path, 0, identity->bytes) : std::string();
}

Record read_record(const fs::path& store_folder, const std::string& name, FileSystem& files) {
    return checked_record(record_text(store_folder, name, files), name);
}

std::string last_event(const Record& record, std::string_view event) {
    const std::string start = fmt::format("{}{}\"", kLineStart, event);
    const auto has_it = [&](const std::string& line) { return line.starts_with(start); };
    const auto found = std::ranges::find_if(record.lines.rbegin(), record.lines.rend(), has_it);
    return found == record.lines.rend() ? "" : *found;
}

std::string damage_text(const Record& record, const std::string& name) {
    const std::size_t all = record.damaged.size();
    if (all == 0) return {};
    std::string numbers;
    for (std::size_t i = 0; i < std::min(all, kNumbersShown); ++i) numbers += fmt::format("{}{}", i == 0 ? " " : ", ", record.damaged[i]);
    if (all > kNumbersShown) numbers += fmt::format(" and {} more", all - kNumbersShown);
    return fmt::format("line{}{} of the record '{}' {} damaged", all == 1 ? "" : "s", numbers, printable(name), all == 1 ? "is" : "are");
}

std::set<Digest> recorded_artifacts(const fs::path& store_folder, std::size_t runs, FileSystem& files, std::vector<std::string>& damaged) {
    constexpr std::string_view kBefore = "\"key\":\"";
    std::set<Digest> keys;
    std::vector<std::string> ids = recorded_runs(store_folder, files);
    if (ids.size() > runs) ids.resize(runs);
    for (const std::string& id : ids) {
        const std::string text = record_text(store_folder, id, files);
        const std::string damage = damage_text(checked_record(text, id), id);
        if (!damage.empty()) damaged.push_back(damage);
        for (auto at = text.find(kBefore); at != std::string::npos; at = text.find(kBefore, at + 1)) {
            if (const auto key = Digest::from_hex(std::string_view(text).substr(at + kBefore.size(), 64))) keys.insert(*key);
        }
    }
    return keys;
}

std::optional<Producer> find_producer(const fs::path& store_folder, const Digest& key, FileSystem& files, std::vector<std::string>& damaged) {
    const std::string wanted = fmt::format("\"{}\"", key.hex());
    for (const std::string& id : recorded_runs(store_folder, files)) {
        const std::string text = record_text(store_folder, id, files);
        if (text.find(wanted) == std::string::npos) continue;
        const Record record = checked_record(text, id);
        if (!record.damaged.empty()) damaged.push_back(damage_text(record, id));
        Producer made;
        bool found = false;
        for (const std::string& line : record.lines) {
            const bool first = line.find("\"run_started\"") != std::string::npos;
            if (!first && line.find(wanted) == std::string::npos) continue;
            try {
                const auto json = nlohmann::json::parse(line);
                if (first) made.host = json.value("host", "");
                if (json.value("event", "") != "stage" || json.value("outcome", "") != "ran") continue;
                made.run = id;
                made.wall_time = json.value("wall_time", 0.0);
                made.seconds = json.value("seconds", 0.0);
                made.threads = json.value("threads", 1);
                made.library_sha256 = json.value("library_sha256", "");
                found = true;
            } catch (const nlohmann::json::exception&) {  // not written by satdl
                continue;
            }
        }
        if (found) return made;
    }
    return std::nullopt;
}

}  // namespace satdl
