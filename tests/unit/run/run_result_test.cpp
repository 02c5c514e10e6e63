#include "pipeline/run/run_result.h"

#include <catch2/catch.hpp>

using namespace satdl;

namespace {

RunResult run_of(std::initializer_list<NodeState> states) {
    RunResult result;
    for (const NodeState state : states) result.nodes.emplace_back().state = state;
    return result;
}

}  // namespace

TEST_CASE("A run's exit code says whether a stage failed or an output could not be stored") {
    CHECK(run_of({}).exit_code() == ExitCode::Done);
    CHECK(run_of({NodeState::Ran, NodeState::Reused}).exit_code() == ExitCode::Done);
    CHECK(run_of({NodeState::Ran, NodeState::Failed, NodeState::Skipped}).exit_code() == ExitCode::StageFailed);
    CHECK(run_of({NodeState::Skipped}).exit_code() == ExitCode::StageFailed);
    RunResult lost = run_of({NodeState::Ran});
    lost.nodes[0].not_kept = "the disk is full";
    CHECK(lost.exit_code() == ExitCode::Store);
    RunResult silent = run_of({NodeState::Ran});
    silent.observer_error = "the record could not be written";
    CHECK(silent.exit_code() == ExitCode::Store);
    RunResult interrupted = run_of({NodeState::Ran, NodeState::Stopped, NodeState::Skipped});
    interrupted.stopped = true;
    CHECK(interrupted.exit_code() == ExitCode::Done);
    CHECK(interrupted.count(NodeState::Skipped) == 1);
}

TEST_CASE("The word for a state is its name, but a stage that ran from a checkpoint was resumed") {
    NodeResult result;
    result.state = NodeState::Ran;
    CHECK(state_word(result) == "ran");
    result.resumed_from = "epoch 7";
    CHECK(state_word(result) == "resumed");
    result.state = NodeState::Stopped;
    CHECK(state_word(result) == "stopped");
}
