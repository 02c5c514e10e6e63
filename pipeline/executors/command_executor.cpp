#include "pipeline/executors/command_executor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>

#include "pipeline/core/error.h"
#include "pipeline/core/json.h"
#include "pipeline/core/shell_words.h"
#include "pipeline/executors/command_files.h"
#include "pipeline/executors/command_folder.h"
#include "pipeline/executors/command_access.h"
#include "pipeline/executors/command_progress.h"
#include "pipeline/executors/refused_files.h"
#include "pipeline/executors/supervised_process.h"
#include "pipeline/os/file_watch.h"
#include "pipeline/os/paths.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/store/file_arrays.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr double kGraceSeconds = 30;  // after SIGTERM; a timeout has its own
constexpr const char* kReported = "reported";  // in a checkpoint, beside the program's files: the epochs that it has reported

// ---- the arguments and the environment ----

class Arguments {
public:
    Arguments(const Node& node, const CommandFolder& folder) : node_(node), command_(*node.command), folder_(folder) {}

    std::vector<std::string> words() const {
        std::vector<std::string> words;
        for (const Argument& argument : command_.run) {
            const auto* const whole = argument.size() == 1 ? std::get_if<Placeholder>(&argument.front()) : nullptr;
            if (whole != nullptr && whole->kind == Placeholder::Kind::File && files(*whole).kind == CommandFiles::Kind::Pattern)
                add_all(*whole, words);
            else words.push_back(text(argument));
        }
        if (command_.shell) return {"/bin/sh", "-c", words.front()};
        if (is_path(words.front())) words.front() = program(words.front()).string();
        return words;
    }

private:
    static bool is_path(const std::string& word) { return word.find('/') != std::string::npos; }

    // A program by its path: one of the sources, else one of the project, such as .venv/bin/python.
    fs::path program(const std::string& word) const {
        std::error_code error;
        const fs::path own = folder_.path() / word;
        return fs::exists(own, error) ? own : command_.project / word;
    }

    const CommandFiles& files(const Placeholder& placeholder) const {
        return *std::ranges::find(command_.files, placeholder.name, &CommandFiles::name);
    }

    void add_all(const Placeholder& placeholder, std::vector<std::string>& words) const {
        for (const SourceFile& file : node_.files)
            if (file.role == placeholder.name) words.push_back((folder_.path() / file.member).string());
    }

    std::string text(const Argument& argument) const {
        std::string text;
        for (const ArgumentPart& part : argument) {
            const auto* const placeholder = std::get_if<Placeholder>(&part);
            if (placeholder == nullptr) text += std::get<std::string>(part);
            else text += command_.shell ? shell_quoted(value(*placeholder)) : value(*placeholder);
        }
        return text;
    }

    std::string value(const Placeholder& placeholder) const {
        const StageDescription& stage = node_.stage->description;
        switch (placeholder.kind) {
            case Placeholder::Kind::Input: {
                const PortDescription& port = *stage.input(placeholder.name);
                return folder_.input(port, placeholder.format.empty() ? input_formats(port.kind).front() : placeholder.format).string();
            }
            case Placeholder::Kind::Output: return folder_.output(*stage.output(placeholder.name)).string();
            case Placeholder::Kind::File: return folder_.file(files(placeholder)).string();
            case Placeholder::Kind::Value: return node_.params.value(placeholder.name).text();
            case Placeholder::Kind::Folder: break;
        }
        return folder_.path().string();
    }

    const Node& node_;
    const CommandStage& command_;
    const CommandFolder& folder_;
};

// $SATDL_STAGE: what the stage is, for the program.
std::string description_of(const Node& node, const CommandFolder& folder) {
    const CommandStage& command = *node.command;
    const auto port_json = [](const PortDescription& port, const fs::path& path) {
        return Json{{"kind", name_of(port.kind)}, {"path", path.string()}};
    };
    Json with = Json::object(), in = Json::object(), out = Json::object(), files = Json::object();
    if (const ConfigValue* values = command.written.find("with"))
        for (const ConfigValue::Entry& entry : values->entries()) with[entry.key] = Json::parse(node.params.value(entry.key).canonical());
    for (const Input& input : node.inputs) {
        const PortDescription& port = *node.stage->description.input(input.port);
        in[port.name] = port_json(port, folder.input(port, formats_of(command, port).front()));
    }
    for (const PortDescription& port : node.stage->description.outputs) out[port.name] = port_json(port, folder.output(port));
    for (const CommandFiles& one : command.files) files[one.name] = folder.file(one).string();
    return dump_json(
        {{"stage", node.name}, {"with", std::move(with)}, {"in", std::move(in)}, {"out", std::move(out)}, {"files", std::move(files)}});
}

std::vector<std::string> environment_of(const Node& node, const CommandFolder& folder) {
    std::vector<std::string> environment = environment_of(*node.command);
    const std::string module = (program_folder() / "python").string();  // of python/satdl.py
    const auto own_path =
        std::ranges::find_if(environment, [](const std::string& variable) { return variable.starts_with("PYTHONPATH="); });
    if (own_path != environment.end()) *own_path += ":" + module;
    else environment.push_back("PYTHONPATH=" + module);
    const auto add = [&](std::string_view name, const std::string& value) { environment.push_back(fmt::format("{}={}", name, value)); };
    add("SATDL_STAGE", description_of(node, folder));
    add("SATDL_PROGRESS", folder.progress().string());
    add("SATDL_CHECKPOINT", folder.checkpoint().string());
    add("TMPDIR", folder.temporary().string());
    add("PWD", folder.start().string());
    return environment;
}

// ---- the process ----

struct Program {
    std::vector<std::string> argv{}, environment{};
    std::optional<LandlockRules> rules{};                 // that the kernel holds it to
    std::function<void(const FileUse&)> watcher = nullptr;  // of what it opens; called from another thread
};

class CommandProcess final : SupervisedProcess {
public:
    CommandProcess(const Node& node, StageContext& context, const CommandFolder& folder)
        : SupervisedProcess(node, context),
          folder_(folder),
          progress_(folder.progress(), {.progress = [this](const Progress& at) { context_.progress(at); },
                                        .checkpoint = [this](const Progress& at) { keep_checkpoint(at); },
                                        .mistake = [this](const std::string& text) { context_.log(LogLevel::Warning, text); }}) {}

    // Begins where an earlier attempt kept `state`.
    void restore(const NamedArrays& state) {
        NamedArrays files = state;
        const auto reported = files.extract(kReported);
        if (!reported.empty()) {
            const std::span<const std::uint8_t> text = reported.mapped().values<std::uint8_t>();
            progress_.restore({reinterpret_cast<const char*>(text.data()), text.size()});
        }
        write_files(files, folder_.checkpoint(), FileAccess::Writable);
    }

    // Returns the history that the program reported.
    NamedArrays run(const Program& program) {
        watcher_ = program.watcher;
        start({.program = program.argv.front(),
               .argv = program.argv,
               .environment = program.environment,
               .folder = folder_.start(),
               .rules = program.rules ? &*program.rules : nullptr,
               .watched = watcher_ != nullptr});
        wait_for_end();
        if (not_started() != 0) {
            const bool missing = not_started() == ENOENT;
            throw Error(ExitCode::StageFailed,
                        fmt::format("cannot run {}: {}", printable(program.argv.front()),
                                    missing ? "there is no such program" : std::strerror(not_started())),
                        missing ? "is it in PATH, or declared under 'sources'?" : "is it executable, and its first line right?");
        }
        const std::optional<ReaperMessage>& found = end();
        const bool succeeded = found && !was_killed() && WIFEXITED(found->number) && WEXITSTATUS(found->number) == 0;
        if (asked_ && !was_killed_late()) throw Stopped{};
        if (!succeeded) throw Error(ExitCode::StageFailed, death(), last_lines());
        return progress_.history();
    }
    [[nodiscard]] std::string output() const { return last_lines(); }

private:
    void watch(UniqueFd listener) override { watch_.emplace(std::move(listener), watcher_); }
    void ask_to_stop() override {
        asked_ = true;
        terminate();
    }
    void poll() override { progress_.read_new_lines(); }
    [[nodiscard]] std::optional<double> stop_grace_seconds() const override { return kGraceSeconds; }
    [[nodiscard]] std::string exit_text(int code) const override { return fmt::format("it exited with code {}", code); }

    // Takes what the program has confirmed and leaves it an empty folder, in one step: so it can begin to write the next.
    void keep_checkpoint(const Progress& at) {
        const fs::path taken = folder_.temporary() / "checkpoint";
        fs::create_directory(taken);
        if (::renameat2(AT_FDCWD, folder_.checkpoint().c_str(), AT_FDCWD, taken.c_str(), RENAME_EXCHANGE) != 0) {
            context_.log(LogLevel::Info, fmt::format("its checkpoint was not kept: {}", std::strerror(errno)));
            return;
        }
        try {
            NamedArrays state = files_as_arrays(taken);
            const std::string reported = progress_.state();
            state.emplace(kReported,
                          Array::copy_of(DType::UInt8, {static_cast<std::int64_t>(reported.size())}, std::as_bytes(std::span(reported))));
            context_.keep_checkpoint(state, at);
        } catch (const Error& error) {
            context_.log(LogLevel::Info, fmt::format("its checkpoint was not kept: {}", in_one_line(error.what())));
        }
        fs::remove_all(taken);
    }

    const CommandFolder& folder_;
    CommandProgress progress_;
    bool asked_ = false;
    std::function<void(const FileUse&)> watcher_;
    std::optional<FileWatch> watch_;
};

// Throws Error{StageFailed}, with its last output.
StageOutput outputs_of(const Node& node, const CommandFolder& folder, const NamedArrays& reported, const std::string& output) {
    try {
        return read_outputs(node, folder, reported);
    } catch (const Error& error) {
        const Diagnostic& fault = error.diagnostics().front();
        throw Error(error.code(), fault.message,
                    fmt::format("{}{}{}", fault.hint, fault.hint.empty() || output.empty() ? "" : "\n", output));
    }
}

// ---- what it opens ----

// As the error of a program that may have failed because of what it was refused.
Error with_refusal(const Error& error, const RefusedFiles& refused) {
    const auto refusal = refused.refusal();
    const Diagnostic& fault = error.diagnostics().front();
    if (!refusal) return error;
    return Error(error.code(), fmt::format("{}: {}", fault.message, refusal->text),
                 fmt::format("{}{}{}", refusal->hint, fault.hint.empty() ? "" : "\n", fault.hint));
}

// Which files of the project were read, and which others that are not installed.
class ReadFiles {
public:
    ReadFiles(const Node& node, const CommandFolder& folder, const CommandAccess& access)
        : project_(fs::weakly_canonical(node.command->project)), folder_(fs::weakly_canonical(folder.path())), access_(access) {}

    void take(const FileUse& use) {
        const auto real = real_path_of(use);
        std::error_code error;
        const bool reads = use.kind == FileUse::Kind::Read || use.kind == FileUse::Kind::Run;
        if (!reads || !real || !fs::is_regular_file(*real, error)) return;
        auto name = name_in_project(use.path.lexically_normal());  // a link of the project's may lead out of it
        if (!name) name = name_in_project(*real);
        if (access_.is_installed(name ? project_ / *name : *real) || (name ? is_hidden(*name) : is_within(*real, folder_))) return;
        const std::scoped_lock lock(mutex_);
        (name ? read_.of_project : read_.elsewhere).insert(name.value_or(*real));
        if (name && use.kind == FileUse::Kind::Run) read_.programs.insert(*name);
    }
    [[nodiscard]] FilesRead files() const {
        const std::scoped_lock lock(mutex_);
        return read_;
    }

private:
    // The program's folder has the project's files at their paths, and what the program writes.
    [[nodiscard]] std::optional<fs::path> name_in_project(const fs::path& path) const {
        const fs::path& base = is_within(path, folder_) ? folder_ : project_;
        std::error_code error;
        const fs::path name = path.lexically_relative(base);
        return is_within(path, base) && fs::is_regular_file(project_ / name, error) ? std::optional(name) : std::nullopt;
    }
    // Of git, of editors, of satdl.
    static bool is_hidden(const fs::path& name) {
        return name.begin()->string().starts_with('.');
    }

    const fs::path project_, folder_;
    const CommandAccess& access_;
    mutable std::mutex mutex_;
    FilesRead read_;  // guarded by mutex_
};

}  // namespace

StageOutput CommandExecutor::execute(const Node& node, const StageInputs& inputs, StageContext& context) {
    const CommandFolder folder(work_, node);
    write_inputs(node, inputs, folder);
    Program program{.argv = Arguments(node, folder).words(), .environment = environment_of(node, folder)};
    std::optional<CommandAccess> access;
    std::optional<RefusedFiles> refused;
    if (node.command->strict && landlock_ >= kLandlockWithMoves) {
        access.emplace(node, folder, program.argv, program.environment);
        refused.emplace(node, *access);
        program.rules = access->rules();
        program.watcher = [&](const FileUse& use) { refused->take(use); };
    } else if (node.command->strict && !warned_.exchange(true)) {
        context.log(LogLevel::Info, "'strict' is not enforced: this kernel has no Landlock that could (Linux 5.19 and newer)");
    }
    CommandProcess process(node, context, folder);
    if (const NamedArrays* const state = context.checkpoint()) process.restore(*state);
    StageOutput outcome;
    try {
        const NamedArrays reported = process.run(program);
        outcome = outputs_of(node, folder, reported, process.output());
    } catch (const Error& error) {
        if (!refused) throw;
        throw with_refusal(error, *refused);
    }
    if (!refused) return outcome;
    for (const std::string& text : refused->reads_of_project())
        context.log(LogLevel::Warning, fmt::format("refused, and it went on without: {}", text));
    return outcome;
}

CommandExecutor::Trace CommandExecutor::trace(const Node& node, const StageInputs& inputs, StageContext& context) {
    CommandFolder folder(work_, node);
    folder.add_undeclared(work_.parent_path());
    write_inputs(node, inputs, folder);
    Program program{.argv = Arguments(node, folder).words(), .environment = environment_of(node, folder)};
    program.environment.push_back(
        fmt::format("PYTHONPYCACHEPREFIX={}", folder.temporary().string()));  // so that it reads the sources themselves
    CommandAccess access(node, folder, program.argv, program.environment);
    ReadFiles read(node, folder, access);
    std::atomic<bool> is_watched = false;  // then its own start was seen, at least
    program.watcher = [&](const FileUse& use) {
        is_watched = true;
        read.take(use);
    };
    access.allow_reading_everything();
    if (landlock_ >= kLandlockWithMoves) program.rules = access.rules();
    CommandProcess process(node, context, folder);
    Trace trace;
    try {
        (void)process.run(program);
    } catch (const Error& error) {
        trace.failure = error.what();
    }
    if (!is_watched)
        throw Error(ExitCode::Usage, "this kernel does not let satdl watch what a program opens", "strace -f -e trace=file shows it");
    trace.read = read.files();
    return trace;
}

}  // namespace satdl
