// What a smoke run (`satdl run --smoke`) says: a line a stage as it ends, and one for all of them.
#pragma once

#include <functional>
#include <string>

#include "pipeline/observer.h"

namespace satdl {

class SmokeLines final : public Observer {
public:
    // `print` receives whole lines without their end.
    explicit SmokeLines(std::function<void(const std::string& line)> print) : print_(std::move(print)) {}

    void run_started(const Dag& dag, const Plan& plan) override;
    void stage_log(const Dag& dag, NodeId node, LogLevel level, const std::string& message) override;  // warnings alone
    void stage_finished(const Dag& dag, const NodeResult& result) override;

private:
    const std::function<void(const std::string& line)> print_;
    int name_width_ = 0;
};

// "full: 19 stages fit together, in 4.2 s; nothing was kept"; where they do not, how many are ok, failed, skipped.
[[nodiscard]] std::string smoke_line(const Dag& dag, const RunResult& result, double seconds);

}  // namespace satdl
