// Redraws by "cursor up, rewrite each line, clear the rest" over the rows of the block: no alternate screen, no scroll
// region and no hidden cursor, so nothing has to be restored when the program is killed. Clearing all of the block first
// was rejected: it flickers, and if the block begins in the first row, tmux adds what is cleared to its history.
#include "pipeline/display/progress_display.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <thread>

#include "pipeline/display/progress_tracker.h"
#include "pipeline/display/text_format.h"

namespace satdl {

namespace {

constexpr double kRedrawSeconds = 0.05;
constexpr double kPlainSeconds = 30;
constexpr int kNameColumns = 32;
constexpr int kIndent = 2;  // of a wrapped line, as wide as a mark

int machine_cores() {
    return std::max(1u, std::thread::hardware_concurrency());
}

// Calls back every `seconds` on its own thread, from start() until stop() or the destructor.
class Ticker {
public:
    Ticker(double seconds, std::function<void()> tick) : seconds_(seconds), tick_(std::move(tick)) {}
    ~Ticker() { stop(); }
    Ticker(const Ticker&) = delete;
    Ticker& operator=(const Ticker&) = delete;

    void start() {
        if (seconds_ <= 0 || thread_.joinable()) return;
        stopped_ = false;
        thread_ = std::thread([this] { loop(); });
    }
    void stop() {
        {
            const std::lock_guard lock(mutex_);
            stopped_ = true;
        }
        woken_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

private:
    void loop() {
        std::unique_lock lock(mutex_);
        while (!woken_.wait_for(lock, std::chrono::duration<double>(seconds_), [this] { return stopped_; })) {
            lock.unlock();
            tick_();
            lock.lock();
        }
    }

    const double seconds_;
    const std::function<void()> tick_;
    std::thread thread_;
    std::condition_variable woken_;
    std::mutex mutex_;
    bool stopped_ = false;  // guarded by mutex_
};

struct Mark {
    std::string_view sign, colour;
};
Mark mark_of(NodeState state) {
    switch (state) {
        case NodeState::Ran:
            return {"✓", "\x1b[32m"};
        case NodeState::Reused:
            return {"=", "\x1b[90m"};
        case NodeState::Failed:
            return {"✗", "\x1b[31m"};
        case NodeState::Skipped:
            return {"-", "\x1b[90m"};
        case NodeState::Stopped:
            return {"■", "\x1b[33m"};
    }
    return {"?", ""};
}

// "m1 ran in 12.3 s - loss: 0.0931"
std::string finished_text(const Dag& dag, const NodeResult& result, const std::string& metrics) {
    const std::string name = printable(dag.nodes[result.node].name);
    const std::string where = result.job && !result.job->where.empty() ? fmt::format(" ({})", printable(result.job->where)) : "";
    switch (result.state) {
        case NodeState::Ran:
        case NodeState::Stopped:
            return fmt::format("{} {}{} {} {}{}{}", name, state_word(result),
                               result.resumed_from.empty() ? "" : fmt::format(" from {} and ran", result.resumed_from),
                               result.state == NodeState::Ran ? "in" : "after", duration_text(result.seconds), where, metrics);
        case NodeState::Failed:
            return fmt::format("{} failed after {}{}: {}", name, duration_text(result.seconds), where, printable(first_line(result.error)));
        case NodeState::Reused:
        case NodeState::Skipped:
            break;
    }
    return fmt::format("{} {}: {}", name, name_of(result.state), printable(result.because));
}

std::string_view level_text(LogLevel level) {
    return level == LogLevel::Warning ? "warning: " : "";
}

// What both displays share: the tracker, which events are shown, the lock between events and ticks.
class Display : public Observer {
public:
    Display(Screen screen, double tick_seconds)
        : screen_(std::move(screen)), ticker_(tick_seconds, [this] {
              const std::lock_guard lock(mutex_);
              tick();
          }) {}

    void run_started(const Dag& dag, const Plan& plan) override {
        const std::lock_guard lock(mutex_);
        tracker_.run_started(dag, plan);
    }
    void stage_started(const Dag& dag, const PlannedNode& planned) override {
        {
            const std::lock_guard lock(mutex_);
            tracker_.stage_started(dag, planned, screen_.clock.seconds());
            started(tracker_.running().at(planned.node), planned);
        }
        ticker_.start();
    }
    void stage_queued(const Dag& dag, const PlannedNode& planned, const std::string& job, const std::string& reason) override {
        {
            const std::lock_guard lock(mutex_);
            const bool is_new = !tracker_.queued().contains(planned.node);
            tracker_.stage_queued(planned.node, reason);
            const bool is_told = is_new && screen_.verbose;
            queued_one(is_told ? fmt::format("{}: queued as {}", printable(dag.nodes[planned.node].name), printable(job)) : std::string());
        }
        ticker_.start();
    }
    void stage_waiting(const Dag& dag, const PlannedNode& planned, const std::string& holder) override {
        {
            const std::lock_guard lock(mutex_);
            tracker_.stage_waiting(dag, planned, holder, screen_.clock.seconds());
            const RunningStage& stage = tracker_.running().at(planned.node);
            print_line(fmt::format("{}: waits for {}, which computes the same", stage.name, stage.waits_for));
            started(stage, planned);
        }
        ticker_.start();
    }
    void stage_progress(const Dag&, NodeId node, const Progress& at) override {
        const std::lock_guard lock(mutex_);
        tracker_.stage_progress(node, at, screen_.clock.seconds());
        progressed(node);
    }
    void stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) override {
        if (level == LogLevel::Debug && !screen_.verbose) return;
        const std::lock_guard lock(mutex_);
        print_line(fmt::format("{}: {}{}", printable(dag.nodes[node].name), level_text(level), printable(message)));
    }
    void stage_finished(const Dag& dag, const NodeResult& result) override {
        const std::lock_guard lock(mutex_);
        const auto found = tracker_.running().find(result.node);
        const bool was_shown = found != tracker_.running().end();
        const std::string metrics = was_shown ? finished_metrics_text(found->second) : "";
        tracker_.stage_finished(result.node);
        if (result.state == NodeState::Reused && !screen_.verbose && !was_shown) return;
        finished(result.state, finished_text(dag, result, metrics));
    }
    void warning(const std::string& text) override {
        const std::lock_guard lock(mutex_);
        clear();  // on a terminal it stands where the bars were, and they are drawn again below it
        screen_.warn(text);
    }
    void run_finished(const Dag&, const RunResult&) override {
        ticker_.stop();
        const std::lock_guard lock(mutex_);
        clear();
    }

protected:
    virtual void started(const RunningStage&, const PlannedNode&) {}
    virtual void queued_one(const std::string& line) {  // "": it is no news
        if (!line.empty()) print_line(line);
    }
    virtual void progressed(NodeId) {}
    virtual void tick() {}
    virtual void print_line(const std::string& line) = 0;  // for good
    virtual void finished(NodeState, const std::string& line) { print_line(line); }
    virtual void clear() {}

    // Called with the lock held.
    [[nodiscard]] const RunTracker& tracker() const { return tracker_; }
    [[nodiscard]] const Screen& screen() const { return screen_; }
    // For the destructors of classes that override tick().
    void stop_ticking() { ticker_.stop(); }

private:
    const Screen screen_;
    std::mutex mutex_;
    RunTracker tracker_{machine_cores()};  // guarded by mutex_
    Ticker ticker_;
};

constexpr const char* kEndOfLine = "\x1b[K\n";  // clears the rest of the line
constexpr const char* kClearBelow = "\x1b[J";

class Bars final : public Display {
public:
    explicit Bars(Screen screen) : Display(screen, screen.tick_seconds) {}
    ~Bars() override { stop_ticking(); }

private:
    void started(const RunningStage&, const PlannedNode&) override { tick(); }
    void queued_one(const std::string& line) override {
        Display::queued_one(line);
        tick();
    }
    void progressed(NodeId) override { tick(); }
    void tick() override {
        if (screen().clock.seconds() - drawn_at_ >= kRedrawSeconds) draw();
    }
    void print_line(const std::string& line) override { print_above("", line); }
    void finished(NodeState state, const std::string& line) override {
        const Mark mark = mark_of(state);
        print_above(screen().colour ? fmt::format("{}{}\x1b[0m ", mark.colour, mark.sign) : fmt::format("{} ", mark.sign), line);
    }
    void print_above(const std::string& mark, const std::string& line) {
        std::istringstream lines(wrapped(line, screen().size().columns - kIndent, kIndent));
        above_ += mark;
        for (std::string one; std::getline(lines, one);) above_ += one + kEndOfLine;
        tick();
    }
    void clear() override {
        screen().write(to_first_row(screen().size()) + std::exchange(above_, {}) + kClearBelow);
        block_.clear();
    }

    // A terminal that became narrower has wrapped the lines: they take more rows now.
    std::string to_first_row(const Screen::Size& size) const {
        int rows = 0;
        for (const int width : block_) rows += std::max(1, (width + size.columns - 1) / size.columns);
        return rows == 0 ? "" : fmt::format("\x1b[{}A\r", rows);
    }

    void draw() {
        const Screen::Size size = screen().size();
        const double now = screen().clock.seconds();
        std::string text = to_first_row(size) + std::exchange(above_, {});
        block_.clear();
        const int width = std::max(1, size.columns - 1);  // the last column would wrap on some terminals
        int name_width = 0;
        for (const auto& [id, stage] : tracker().running()) name_width = std::max(name_width, display_width(stage.name));
        const auto lines_that_fit = static_cast<std::size_t>(std::max(0, size.rows - 2));
        for (const auto& [id, stage] : tracker().running()) {
            if (block_.size() + 1 > lines_that_fit) break;
            text += bar_line(stage, now, std::min(name_width, kNameColumns), width, screen().colour) + kEndOfLine;
            block_.push_back(display_width(bar_line(stage, now, std::min(name_width, kNameColumns), width, false)));
        }
        if (!tracker().running().empty() || !tracker().queued().empty()) {
            const std::string total = fitted(total_line(now), width);
            text += total + kEndOfLine;
            block_.push_back(display_width(total));
        }
        drawn_at_ = now;
        screen().write(text + kClearBelow);
    }

    std::string total_line(double now) const {
        const TimeLeft left = tracker().time_left(now);
        const auto waiting = std::ranges::count_if(tracker().running(), [](const auto& stage) { return !stage.second.waits_for.empty(); });
        std::string text = fmt::format("{}/{} stages done, {} running", tracker().done(), tracker().total(),
                                       std::ssize(tracker().running()) - waiting);
        if (waiting > 0) text += fmt::format(", {} waiting for other processes", waiting);
        if (!tracker().queued().empty()) text += ", " + queued_text(tracker().queued());
        if (left.seconds > 0)
            text += fmt::format(", {}{} left", left.at_least ? "at least " : "about ", clock_text(left.seconds));
        return text;
    }

    std::string above_;       // permanent lines to print at the next redraw
    std::vector<int> block_;  // widths of the lines that are on the screen now
    double drawn_at_ = -1;
};

class PlainLines final : public Display {
public:
    explicit PlainLines(Screen screen) : Display(screen, screen.tick_seconds) {}
    ~PlainLines() override { stop_ticking(); }

private:
    void started(const RunningStage& stage, const PlannedNode& planned) override {
        printed_at_[planned.node] = screen().clock.seconds();
        if (screen().verbose && stage.waits_for.empty())
            print_line(fmt::format("{}: started{}: {}", stage.name, planned.where.empty() ? "" : " by " + printable(planned.where),
                                   printable(planned.because)));
    }
    void progressed(NodeId node) override {
        const auto found = tracker().running().find(node);
        if (found == tracker().running().end()) return;
        if (found->second.latest.epoch_ended || due(node)) print_stage(node, found->second);
    }
    void tick() override {
        for (const auto& [node, stage] : tracker().running()) {
            if (due(node)) print_stage(node, stage);
        }
        const double now = screen().clock.seconds();
        if (tracker().queued().empty()) queued_at_ = now;
        else if (now - queued_at_ >= kPlainSeconds) {
            queued_at_ = now;
            print_line(queued_text(tracker().queued()));
        }
    }
    void print_line(const std::string& line) override { screen().write(line + '\n'); }

    bool due(NodeId node) { return screen().clock.seconds() - printed_at_[node] >= kPlainSeconds; }
    void print_stage(NodeId node, const RunningStage& stage) {
        printed_at_[node] = screen().clock.seconds();
        print_line(plain_line(stage, printed_at_[node]));
    }

    std::map<NodeId, double> printed_at_;
    double queued_at_ = 0;  // when what is queued was last printed, or nothing was
};

}  // namespace

std::unique_ptr<Observer> progress_bars(Screen screen) {
    return std::make_unique<Bars>(std::move(screen));
}
std::unique_ptr<Observer> plain_lines(Screen screen) {
    return std::make_unique<PlainLines>(std::move(screen));
}

bool can_redraw(int descriptor) {
    const char* term = std::getenv("TERM");
    return isatty(descriptor) == 1 && term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
}

bool wants_colour() {
    const char* no_colour = std::getenv("NO_COLOR");
    return no_colour == nullptr || *no_colour == '\0';
}

Screen::Size terminal_size(int descriptor) {
    winsize size{};
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
    return {size.ws_col, size.ws_row};
}

std::optional<int> stdout_columns() {
    if (isatty(STDOUT_FILENO) != 1) return std::nullopt;
    return terminal_size(STDOUT_FILENO).columns;
}

}  // namespace satdl
