#include "pipeline/executors/worker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "pipeline/catalog/catalog.h"
#include "pipeline/catalog/library_loader.h"
#include "pipeline/core/error.h"
#include "pipeline/executors/reaper.h"
#include "pipeline/executors/stop_flag.h"
#include "pipeline/executors/worker_protocol.h"

namespace satdl {
namespace {

// The engine as the stage sees it: what it cannot answer itself, it requests over the channel.
class Context final : public StageContext {
public:
    Context(const NodeJob& job, Channel& channel, const StopFlag& stop) : job_(job), channel_(channel), stop_(stop) {}

    [[nodiscard]] const Params& params() const override { return job_.params; }
    [[nodiscard]] int threads() const override { return job_.threads; }
    [[nodiscard]] Precision precision() const override { return job_.precision; }
    [[nodiscard]] Device device() const override { return job_.device; }
    [[nodiscard]] int gpu() const override { return job_.gpu; }
    [[nodiscard]] const std::vector<SourceFile>& files() const override { return job_.files; }
    [[nodiscard]] bool stop_requested() const override { return stop_.is_raised(); }

    void progress(const Progress& progress) override {
        Cbor event = to_cbor(progress);
        event["what"] = "progress";
        send(event);
    }
    void log(LogLevel level, std::string_view message) override {
        send({{"what", "log"}, {"level", static_cast<int>(level)}, {"message", message}});
    }
    [[nodiscard]] const NamedArrays* checkpoint() override {
        if (!checkpoint_) {
            send({{"what", "checkpoint"}});
            auto [answer, file] = receive_answer();
            checkpoint_.emplace();
            if (answer.at("has")) checkpoint_ = mapped(groups_from(answer.at("state"), std::move(file)));
        }
        return checkpoint_->empty() ? nullptr : &checkpoint_->begin()->second;
    }
    [[nodiscard]] bool checkpoint_due(bool epoch_ended) override {
        send({{"what", "due"}, {"epoch_ended", epoch_ended}});
        return receive_answer().first.at("due");
    }
    void keep_checkpoint(const NamedArrays& state, const Progress& at) override { keep("keep", state, at); }
    void keep_final_checkpoint(const NamedArrays& state, const Progress& at) override { keep("keep_final_checkpoint", state, at); }

    // If the other end is gone, there is nothing left to do.
    void send(const Cbor& message, const UniqueFd& file = UniqueFd()) {
        if (!channel_.send(packed(message), file)) ::_exit(1);
    }

private:
    void keep(const char* what, const NamedArrays& state, const Progress& at) {
        const SharedGroups shared = share({{"state", state}});
        send({{"what", what}, {"state", to_cbor(shared)}, {"at", to_cbor(at)}}, shared.file);
        (void)receive_answer();
    }
    std::pair<Cbor, UniqueFd> receive_answer() {
        auto message = channel_.receive();
        if (!message) ::_exit(1);
        return {unpacked(message->bytes), std::move(message->file)};
    }

    const NodeJob& job_;
    Channel& channel_;
    const StopFlag& stop_;
    std::optional<Groups> checkpoint_;  // once it was requested; empty: there is none
};

// As the manifest next to the library describes it: the one that the run was planned with.
CatalogEntry planned_stage(const NodeJob& job) {
    const std::filesystem::path file = manifest_of(job.library);
    Catalog catalog;
    catalog.add(read_manifest(file));
    const CatalogEntry* found = catalog.find(job.kind);
    if (found == nullptr || (job.manifest_identity && found->manifest_identity != job.manifest_identity)) {
        throw Error(ExitCode::Store, fmt::format("the manifest '{}' was replaced after this run was planned", printable(file.string())),
                    "run again to plan with the new one");
    }
    CatalogEntry stage = *found;
    stage.identity = job.identity;
    return stage;
}

void run_stage(const Cbor& message, UniqueFd file, Channel& channel, const StopFlag& stop) {
    const NodeJob job = job_from(message, std::move(file));
    Context context(job, channel, stop);
    StageLibraries libraries;
    try {
        const StageOutput outcome = libraries.function(planned_stage(job))(mapped(job.inputs), context);
        std::fflush(nullptr);
        const SharedGroups outputs = share(outcome.outputs);
        context.send({{"what", "outcome"}, {"outputs", to_cbor(outputs)}, {"tables", to_cbor(outcome.tables)}}, outputs.file);
    } catch (...) {
        std::fflush(nullptr);
        context.send({{"what", "threw"}, {"thrown", to_cbor(std::current_exception())}});
    }
}

bool is_ours(int number, mode_t type) {
    struct stat found {};
    return ::fstat(number, &found) == 0 && (found.st_mode & S_IFMT) == type;
}

}  // namespace

bool is_worker_call(int argc, char** argv) { return argc >= 2 && argv[1] == kWorkerCommand; }

int run_worker(int argc, char** /*argv*/) {
    if (argc != 3 || !is_ours(kWorkerChannel, S_IFSOCK) || !is_ours(kWorkerStop, S_IFREG)) {
        fmt::print(stderr, "satdl: '{}' is internal to `satdl run --isolate`; do not call it yourself\n", kWorkerCommand);
        return static_cast<int>(ExitCode::Usage);
    }
    try {
        for (const int number : {kWorkerChannel, kWorkerStop}) ::fcntl(number, F_SETFD, FD_CLOEXEC);
        Channel channel{UniqueFd(kWorkerChannel)};
        const StopFlag stop{UniqueFd(kWorkerStop)};
        if (auto message = channel.receive()) run_stage(unpacked(message->bytes), std::move(message->file), channel, stop);
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", describe(error));
        std::fflush(nullptr);
        ::_exit(1);
    }
    // Without the destructors of libraries, which have nothing to add and may crash.
    ::_exit(0);
}

}  // namespace satdl
