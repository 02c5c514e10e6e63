#include "pipeline/executors/command_progress.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "pipeline/core/json.h"
#include "pipeline/core/unique_fd.h"

namespace satdl {
namespace {

constexpr std::size_t kReportPieceBytes = 1 << 20;
constexpr int kReportPiecesAtOnce = 16;  // a stop must be heard while a program reports without end
constexpr std::size_t kLongestLine = 1 << 16;
constexpr std::size_t kShown = 200;  // of a line that is no report

std::int64_t count_in(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_number_integer() ? std::max<std::int64_t>(0, found->get<std::int64_t>()) : 0;
}

}  // namespace

void CommandProgress::read_new_lines() {
    // The program may have put anything in its place: a pipe would keep us waiting, a link to a device never end.
    const UniqueFd file(::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    if (static_cast<std::uint64_t>(status.st_size) <= read_) return;
    std::string piece(kReportPieceBytes, '\0');
    for (int i = 0; i < kReportPiecesAtOnce; ++i) {
        const ssize_t got = ::pread(file.get(), piece.data(), piece.size(), static_cast<off_t>(read_));
        if (got <= 0) return;
        read_ += static_cast<std::uint64_t>(got);
        rest_.append(piece, 0, static_cast<std::size_t>(got));
        for (std::size_t end; (end = rest_.find('\n')) != std::string::npos;) {
            take(rest_.substr(0, end));
            rest_.erase(0, end + 1);
        }
        if (rest_.size() > kLongestLine) rest_.clear();
    }
}

void CommandProgress::take(const std::string& line) {
    if (line.empty()) return;
    const Json json = Json::parse(line, nullptr, false);
    const bool is_checkpoint = json.is_object() && json.value("checkpoint", false);
    if (!json.is_object() || (!is_checkpoint && !json.contains("epoch") && !json.contains("step"))) {
        if (!reported_mistake_)
            handlers_.mistake(fmt::format("a line in $SATDL_PROGRESS is no report: {}", printable(line.substr(0, kShown))));
        reported_mistake_ = true;
        return;
    }
    Progress at;
    at.epoch = count_in(json, "epoch");
    at.epochs = count_in(json, "epochs");
    at.step = count_in(json, "step");
    at.steps = count_in(json, "steps");
    at.epoch_ended = !json.contains("step");
    if (at.epoch_ended) at.step = at.steps = 1;
    if (is_checkpoint) return handlers_.checkpoint(at);
    if (const auto metrics = json.find("metrics"); metrics != json.end() && metrics->is_object()) {
        for (const auto& [name, value] : metrics->items())
            if (value.is_number()) at.metrics.emplace_back(name, value.get<double>());
    }
    if (at.epoch_ended) epochs_[at.epoch] = {at.metrics.begin(), at.metrics.end()};
    handlers_.progress(at);
}

NamedArrays CommandProgress::history() const {
    if (epochs_.empty()) return {};
    std::map<std::string, std::vector<double>> columns;
    for (const auto& [epoch, metrics] : epochs_) {
        columns["epoch"].push_back(static_cast<double>(epoch));
        for (const auto& [name, value] : metrics) columns[name].push_back(value);
    }
    NamedArrays history;
    for (const auto& [name, values] : columns) {
        if (values.size() == epochs_.size()) history.emplace(name, Array::of<double>({static_cast<std::int64_t>(values.size())}, values));
    }
    return history;
}

std::string CommandProgress::state() const { return dump_json(Json(epochs_)); }

void CommandProgress::restore(std::string_view state) { epochs_ = Json::parse(state).get<decltype(epochs_)>(); }

}  // namespace satdl
