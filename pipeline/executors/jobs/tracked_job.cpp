#include "pipeline/executors/jobs/tracked_job.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "pipeline/core/utf8.h"

namespace satdl {
namespace {

constexpr std::size_t kLogBytes = 4096, kLogLines = 10;

std::optional<FileStamp> stamp_or_nothing(const std::filesystem::path& path, FileSystem& files) {
    try {
        return files.stamp(path);
    } catch (const Error&) {
        return std::nullopt;
    }
}

}  // namespace

TrackedJob::TrackedJob(std::string job_name, std::filesystem::path job_folder, const JobSpec& spec)
    : name(std::move(job_name)), folder(std::move(job_folder)), run_file(spec.run_file), events_(folder, spec.nodes.size()) {
    for (const JobSpec::Node& node : spec.nodes) slots.push_back({.name = node.name, .key = node.key, .forced = node.forced});
}

std::string TrackedJob::machine() const { return begin && !begin->machine.empty() ? begin->machine : status.machine; }

std::string TrackedJob::text() const {
    const std::string& number = !id.empty() ? id : begin ? begin->job : name;
    const std::string where = machine();
    return where.empty() ? fmt::format("job {}", printable(number)) : fmt::format("job {} on {}", printable(number), printable(where));
}

bool TrackedJob::is_settled() const { return std::ranges::all_of(slots, &Slot::settled); }

bool TrackedJob::may_be_to_blame(const Slot& slot) const {
    const auto was_running = [](const Slot& one) { return one.started && !one.settled && !one.end; };
    return was_running(slot) || std::ranges::none_of(slots, was_running);
}

void TrackedJob::forget_stages() {
    finish.reset();
    finish_stamp_.reset();
    for (Slot& slot : slots) {
        if (slot.settled) continue;
        slot.started = false;
        slot.end.reset();
        slot.unseen_since.reset();
    }
}

TrackedJob::News TrackedJob::read_files(double now, FileSystem& files) {
    News news;
    const auto begin_stamp = stamp_or_nothing(folder / kBeginFile, files);
    if (begin_stamp && begin_stamp != begin_stamp_) {
        auto read = read_job_begin(folder, files);
        if (auto* const found = std::get_if<JobBegin>(&read)) {
            begin_stamp_ = begin_stamp;
            if (begin && begin->restart != found->restart) forget_stages();
            begin = std::move(*found);
            begun_seconds = now;
            news.has_begun = true;
        } else if (auto* const bad = std::get_if<BadJobFile>(&read)) {
            bad_file = std::move(bad->text);
        }
    }
    news.events = events_.read(files);
    for (const JobEvent& event : news.events) {
        Slot& slot = slots[event.node];
        if (slot.settled) continue;
        if (event.what == JobEvent::What::Started) {
            slot.started = true;
            slot.end.reset();  // of before a restart
        } else if (event.what == JobEvent::What::Ended) {
            slot.end = event.end;
        }
    }
    const auto finish_stamp = stamp_or_nothing(folder / kEndFile, files);
    if (finish_stamp && finish_stamp != finish_stamp_) {
        auto read = read_job_finish(folder, slots.size(), files);
        if (auto* const found = std::get_if<JobFinish>(&read)) {
            finish_stamp_ = finish_stamp;
            finish = std::move(*found);
            news.has_finished = true;
            for (const JobNodeEnd& end : finish->nodes)
                if (!slots[end.node].settled) slots[end.node].end = end;
        } else if (auto* const bad = std::get_if<BadJobFile>(&read)) {
            bad_file = std::move(bad->text);
        }
    }
    return news;
}

std::string TrackedJob::end_of_log(FileSystem& files) const {
    const auto path = folder / kJobLog;
    std::string text;
    try {
        const auto stamp = files.stamp(path);
        if (!stamp) return "";
        text = files.read(path, stamp->bytes - std::min<std::uint64_t>(stamp->bytes, kLogBytes), kLogBytes);
    } catch (const Error&) {
        return "";
    }
    std::deque<std::string> lines;
    for (std::size_t from = 0; from < text.size();) {
        const std::size_t end = std::min(text.find('\n', from), text.size());
        if (end > from) lines.push_back("  " + printable(text.substr(from, end - from)));
        if (lines.size() > kLogLines) lines.pop_front();
        from = end + 1;
    }
    return lines.empty() ? "" : fmt::format("the end of its log, {}:\n{}", printable(path.string()), fmt::join(lines, "\n"));
}

}  // namespace satdl
