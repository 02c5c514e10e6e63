#include "pipeline/display/progress_display.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/display/text_format.h"

using namespace satdl;

namespace {

struct HandClock final : Clock {
    double now = 0;
    double seconds() override { return now; }
};

// Understands what progress bars write, and nothing else: text, end of line, cursor up, clear below, colours.
class TinyTerminal {
public:
    void write(std::string_view text) {
        all_ += text;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '\n')
                next_row();
            else if (text[i] == '\x1b')
                i = escape(text, i + 2);
            else if (text[i] != '\r')
                written_ += text[i];
        }
    }
    // Rows down to the cursor's.
    [[nodiscard]] std::vector<std::string> rows() const {
        return {rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(row_)};
    }
    [[nodiscard]] const std::string& all() const { return all_; }

private:
    // What was written takes the place of what stood there, which must have been cleared.
    void next_row() {
        const bool covers = display_width(written_) >= display_width(rows_[row_]);
        REQUIRE((cleared_ || covers));
        rows_[row_] = std::exchange(written_, {});
        cleared_ = false;
        if (++row_ == rows_.size()) rows_.emplace_back();
    }
    std::size_t escape(std::string_view text, std::size_t at) {
        std::size_t number = 0;
        while (text.at(at) >= '0' && text.at(at) <= '9') number = number * 10 + static_cast<std::size_t>(text[at++] - '0');
        REQUIRE(std::string_view("AJKm").find(text.at(at)) != std::string_view::npos);
        if (text[at] == 'A') {
            REQUIRE(row_ >= number);
            row_ -= number;
        }
        if (text[at] == 'K') cleared_ = true;
        if (text[at] == 'J') {
            rows_.resize(row_ + 1);
            rows_[row_].clear();
        }
        return at;
    }

    std::vector<std::string> rows_{""};
    std::size_t row_ = 0;
    std::string written_;  // to the current row so far
    bool cleared_ = false;
    std::string all_;
};

// Two stages, a -> b, written by hand.
struct Scene {
    HandClock clock;
    TinyTerminal terminal;
    Dag dag;
    Plan plan;
    Screen::Size size{100, 24};

    explicit Scene(const std::vector<std::string>& names = {"m1", "m2"}) {
        dag.name = "full";
        for (NodeId id = 0; id < names.size(); ++id) {
            Node node;
            node.name = names[id];
            if (id > 0) node.inputs = {{"x", id - 1, "out", {}}};
            dag.nodes.push_back(node);
            PlannedNode planned;
            planned.node = id;
            planned.because = "first run";
            plan.nodes.push_back(planned);
        }
    }
    Screen screen(bool colour = false) {
        return {.write = [this](std::string_view text) { terminal.write(text); },
                .warn = [this](std::string_view text) { terminal.write("warning: " + std::string(text) + '\n'); },
                .size = [this] { return size; },
                .clock = clock,
                .colour = colour,
                .tick_seconds = 0};
    }
    [[nodiscard]] static Progress at(std::int64_t epoch, std::int64_t step, bool ended = false) {
        return {epoch, 20, step, 469, ended, {{"loss", 0.0931}, {"accuracy", 0.9712}}};
    }
    [[nodiscard]] static NodeResult result(NodeId node, NodeState state, double seconds) {
        NodeResult result;
        result.node = node;
        result.state = state;
        result.seconds = seconds;
        result.because = "because";
        return result;
    }
};

bool has_control_characters(const std::string& text) {
    for (const char c : text) {
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F) return true;
    }
    return false;
}

}  // namespace

TEST_CASE("A permanent line that is longer than the terminal is wrapped between words") {
    Scene scene;
    scene.size = {32, 24};
    const auto bars = progress_bars(scene.screen());
    bars->run_started(scene.dag, scene.plan);
    bars->stage_started(scene.dag, scene.plan.nodes[0]);
    bars->stage_progress(scene.dag, 0, Scene::at(1, 69, true));
    bars->stage_finished(scene.dag, Scene::result(0, NodeState::Ran, 12.34));
    bars->run_finished(scene.dag, {});
    CHECK(scene.terminal.rows() == std::vector<std::string>{"✓ m1 ran in 12.3 s - accuracy:", "  0.9712 - loss: 0.0931"});
}

TEST_CASE("A running stage is one line with its bar, the run another, and a finished one a line for good") {
    Scene scene;
    const auto bars = progress_bars(scene.screen());
    bars->run_started(scene.dag, scene.plan);
    bars->stage_started(scene.dag, scene.plan.nodes[0]);
    scene.clock.now = 1;
    bars->stage_progress(scene.dag, 0, Scene::at(1, 69));
    scene.clock.now = 11;
    bars->stage_progress(scene.dag, 0, Scene::at(1, 269));
    CHECK(scene.terminal.rows() ==
          std::vector<std::string>{
              "m1  epoch  1/20 ━━━━━━━━━━━───────── 269/469 50ms/step 7:36 left - accuracy: 0.9712 - loss: 0.0931",
              "0/2 stages done, 1 running, at least 7:36 left"});
    scene.clock.now = 12.34;
    bars->stage_finished(scene.dag, Scene::result(0, NodeState::Ran, 12.34));
    CHECK(scene.terminal.rows() == std::vector<std::string>{"✓ m1 ran in 12.3 s - accuracy: 0.9712 - loss: 0.0931"});
    bars->stage_started(scene.dag, scene.plan.nodes[1]);
    NodeResult failed = Scene::result(1, NodeState::Failed, 1);
    failed.error = "index 7\x1b is out of range\n  mend it";
    bars->stage_finished(scene.dag, failed);
    bars->run_finished(scene.dag, {});
    CHECK(scene.terminal.rows().back() == "✗ m2 failed after 1.00 s: index 7\\x1b is out of range");
    CHECK(scene.terminal.rows().size() == 2);
}

TEST_CASE("Redraws are at least 0.05 s apart") {
    Scene scene;
    const auto bars = progress_bars(scene.screen());
    bars->run_started(scene.dag, scene.plan);
    bars->stage_started(scene.dag, scene.plan.nodes[0]);
    const std::size_t before = scene.terminal.all().size();
    scene.clock.now = 0.049;
    bars->stage_progress(scene.dag, 0, Scene::at(1, 1));
    CHECK(scene.terminal.all().size() == before);
    scene.clock.now = 0.051;
    bars->stage_progress(scene.dag, 0, Scene::at(1, 2));
    CHECK(scene.terminal.all().size() > before);
}

TEST_CASE("A warning takes the place of the bars, which are drawn again below it") {
    Scene scene;
    const auto bars = progress_bars(scene.screen());
    bars->run_started(scene.dag, scene.plan);
    bars->stage_started(scene.dag, scene.plan.nodes[0]);
    CHECK(scene.terminal.rows().size() == 2);
    bars->warning("the record is incomplete");
    CHECK(scene.terminal.rows() == std::vector<std::string>{"warning: the record is incomplete"});
    scene.clock.now = 1;
    bars->stage_progress(scene.dag, 0, Scene::at(1, 69));
    CHECK(scene.terminal.rows().size() == 3);
    CHECK(scene.terminal.rows()[0] == "warning: the record is incomplete");
    CHECK(scene.terminal.rows()[2].starts_with("0/2 stages done"));
}

TEST_CASE("No line is wider than the terminal, at any width, and the block never outgrows it") {
    Scene scene({"a stage with quite a long name 日本語", "b", "c", "d"});
    const auto bars = progress_bars(scene.screen());
    bars->run_started(scene.dag, scene.plan);
    for (const auto& planned : scene.plan.nodes) bars->stage_started(scene.dag, planned);
    for (int columns = 1; columns < 130; ++columns) {
        // A terminal that shrank has wrapped the old lines; the tiny one has not, so a new one is used.
        bars->run_finished(scene.dag, {});
        scene.terminal = {};
        scene.size = {columns, 4};
        scene.clock.now += 1;
        bars->stage_progress(scene.dag, 0, Scene::at(3, 200));
        for (const auto& row : scene.terminal.rows()) CHECK(display_width(row) < std::max(2, columns));
        CHECK(scene.terminal.rows().size() <= 3);
    }
}

TEST_CASE("A terminal that became narrower has wrapped the lines: more rows are cleared") {
    Scene scene({"m1"});
    scene.size = {80, 24};
    const auto bars = progress_bars(scene.screen());
    bars->run_started(scene.dag, scene.plan);
    bars->stage_started(scene.dag, scene.plan.nodes[0]);
    scene.clock.now = 1;
    bars->stage_progress(scene.dag, 0, Scene::at(1, 100));
    const std::size_t before = scene.terminal.all().size();
    scene.size = {20, 24};
    scene.clock.now = 2;
    scene.terminal.write("\n\n\n\n\n\n");  // room above, as the wrapping would have made
    bars->stage_progress(scene.dag, 0, Scene::at(1, 200));
    CHECK(scene.terminal.all().substr(before + 6, 4) == "\x1b[6A");  // 79 and 31 columns: 4 and 2 rows of 20
}

TEST_CASE("Plain lines are one per epoch, one every 30 s in between, and one at the end of a stage") {
    Scene scene;
    const auto lines = plain_lines(scene.screen());
    lines->run_started(scene.dag, scene.plan);
    lines->stage_started(scene.dag, scene.plan.nodes[0]);
    for (int step = 1; step <= 469; ++step) {
        scene.clock.now += 0.1;
        lines->stage_progress(scene.dag, 0, Scene::at(1, step, step == 469));
    }
    lines->stage_finished(scene.dag, Scene::result(0, NodeState::Ran, 46.9));
    lines->stage_started(scene.dag, scene.plan.nodes[1]);
    lines->stage_finished(scene.dag, Scene::result(1, NodeState::Ran, 0.01));
    lines->run_finished(scene.dag, {});
    CHECK(scene.terminal.all() ==
          "m1: epoch 1/20, step 300/469, 30s, 15:08 left - accuracy: 0.9712 - loss: 0.0931\n"
          "m1: epoch 1/20, 47s, 14:51 left - accuracy: 0.9712 - loss: 0.0931\n"
          "m1 ran in 46.9 s - accuracy: 0.9712 - loss: 0.0931\n"
          "m2 ran in 10.0 ms\n");
}

TEST_CASE("No name, metric or message brings a control character into plain lines, nor colour into bars without it") {
    Scene scene({"m1\x1b[2J\r\n\x07"});
    const auto drive = [&](Observer& display) {
        display.run_started(scene.dag, scene.plan);
        display.stage_started(scene.dag, scene.plan.nodes[0]);
        display.stage_progress(scene.dag, 0, {1, 1, 1, 1, true, {{"lo\x1bss", 1}}});
        display.stage_log(scene.dag, 0, LogLevel::Warning, "bell \x07 and \x9b[1m");
        NodeResult failed = Scene::result(0, NodeState::Skipped, 1);
        failed.because = "\x1b]0;title\x07";
        display.stage_finished(scene.dag, failed);
        display.run_finished(scene.dag, {});
    };
    drive(*plain_lines(scene.screen()));
    CHECK_FALSE(has_control_characters(scene.terminal.all()));
    scene.terminal = {};
    drive(*progress_bars(scene.screen()));
    CHECK(scene.terminal.all().find("\x1b[2J") == std::string::npos);
    CHECK(scene.terminal.all().find('m' + std::string("\x1b[3")) == std::string::npos);
}

TEST_CASE("Reused stages and debug messages have lines only with --verbose") {
    Scene scene;
    Screen screen = scene.screen();
    const auto drive = [&](const Screen& with) {
        const auto lines = plain_lines(with);
        lines->stage_finished(scene.dag, Scene::result(0, NodeState::Reused, 0));
        lines->stage_log(scene.dag, 0, LogLevel::Debug, "detail");
        lines->stage_log(scene.dag, 0, LogLevel::Info, "note");
    };
    drive(screen);
    CHECK(scene.terminal.all() == "m1: note\n");
    screen.verbose = true;
    drive(screen);
    CHECK(scene.terminal.all() == "m1: note\nm1 reused: because\nm1: detail\nm1: note\n");
}
