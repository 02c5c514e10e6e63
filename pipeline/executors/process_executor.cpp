#include "pipeline/executors/process_executor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "pipeline/core/error.h"
#include "pipeline/executors/supervised_process.h"
#include "pipeline/executors/worker_process.h"
#include "pipeline/executors/worker_protocol.h"

namespace satdl {
namespace {

// The worker sends its outcome over the channel, and requests what only the engine can answer.
class StageProcess final : SupervisedProcess {
public:
    StageProcess(const Node& node, StageContext& context) : SupervisedProcess(node, context) {}

    StageOutput run(const NodeJob& job, const std::string& program) {
        start({.program = program, .argv = {"satdl", std::string(kWorkerCommand), node_.name}, .stop = &stop_});
        send(packed(to_cbor(job)), job.inputs.file);  // if it is gone already, its end says why
        wait_for_end();
        if (outcome_) return {mapped(outcome_->first), std::move(outcome_->second)};
        const auto ended = end();
        const bool limited = ended && ended->limit == LimitKind::Data;
        if (!thrown_.is_null() && !(limited && thrown_.at("type") == "bad_alloc")) rethrow(thrown_);
        const std::string cause = thrown_.is_null() ? death() : fmt::format("{}: {}", kNoMemory, limit_text(*ended));
        throw Error(ExitCode::StageFailed, cause, last_lines());
    }

private:
    static Error invalid_message(std::string_view what) {
        return Error(ExitCode::StageFailed, fmt::format("its process sent an invalid message: {}", printable(what)));
    }

    void channel_closed() override { request_kill(); }
    void ask_to_stop() override { stop_.raise(); }
    [[nodiscard]] std::string exit_text(int code) const override {
        return fmt::format("its process exited with code {} instead of returning", code);
    }

    void handle(Message message) override {
        try {
            const Cbor event = unpacked(message.bytes);
            const std::string what = event.at("what");
            if (what == "progress") context_.progress(progress_from(event));
            else if (what == "log") handle_log(event);
            else if (what == "checkpoint") answer_checkpoint();
            else if (what == "due") answer({{"due", context_.checkpoint_due(event.at("epoch_ended"))}});
            else if (what == "keep") keep(event, std::move(message.file), false);
            else if (what == "keep_final_checkpoint") keep(event, std::move(message.file), true);
            else if (what == "outcome")
                outcome_.emplace(groups_from(event.at("outputs"), std::move(message.file)), tables_from(event.at("tables")));
            else if (what == "threw") thrown_ = event.at("thrown");
        } catch (const Cbor::exception& error) {
            throw invalid_message(error.what());
        }
    }

    void handle_log(const Cbor& event) {
        const std::string text = event.at("message");
        const int level = std::clamp(event.at("level").get<int>(), static_cast<int>(LogLevel::Debug), static_cast<int>(LogLevel::Warning));
        context_.log(static_cast<LogLevel>(level), text);
        remember_line(text);
    }

    void answer_checkpoint() {
        const NamedArrays* const state = context_.checkpoint();
        if (state == nullptr) return answer({{"has", false}});
        const SharedGroups shared = share({{"state", *state}});
        answer({{"has", true}, {"state", to_cbor(shared)}}, shared.file);
    }

    void keep(const Cbor& event, UniqueFd file, bool is_final) {
        const Groups groups = mapped(groups_from(event.at("state"), std::move(file)));
        const auto state = groups.find("state");
        if (state == groups.end()) throw invalid_message("a checkpoint without state");
        const Progress at = progress_from(event.at("at"));
        if (is_final) context_.keep_final_checkpoint(state->second, at);
        else context_.keep_checkpoint(state->second, at);
        answer({{"kept", true}});
    }

    void answer(const Cbor& message, const UniqueFd& file = UniqueFd()) { send(packed(message), file); }

    StopFlag stop_;
    std::optional<std::pair<SharedGroups, std::vector<Table>>> outcome_;
    Cbor thrown_;  // null: nothing
};

}  // namespace

// The program is started by another one, whose /proc/self is not ours.
ProcessExecutor::ProcessExecutor(StageLibraries& libraries) : ProcessExecutor(libraries, fmt::format("/proc/{}/exe", ::getpid())) {}

StageOutput ProcessExecutor::execute(const Node& node, const StageInputs& inputs, StageContext& context) {
    const NodeJob job{.kind = node.stage->description.kind,
                      .library = node.stage->library,
                      .identity = libraries_.file(*node.stage).identity,
                      .manifest_identity = node.stage->manifest_identity,
                      .params = context.params(),
                      .threads = context.threads(),
                      .precision = context.precision(),
                      .device = context.device(),
                      .gpu = context.gpu(),
                      .files = context.files(),
                      .inputs = share(inputs)};
    return StageProcess(node, context).run(job, program_);
}

}  // namespace satdl
