// satdl: runs a DAG of deep-learning stages that a YAML file declares, and only what changed. Called as satdl-run, it is
// `satdl run`.
#include <cxxabi.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "commands/shared/command.h"
#include "commands/shared/command_line.h"
#include "commands/shared/warnings.h"
#include "pipeline/catalog/catalog.h"
#include "pipeline/core/error.h"
#include "pipeline/display/text_format.h"
#include "pipeline/executors/stage_environment.h"
#include "pipeline/executors/worker_process.h"
#include "pipeline/os/landlock.h"
#include "pipeline/os/shared_library.h"
#include "pipeline/os/sigbus_guard.h"
#include "pipeline/remote/remote_secrets.h"

namespace {

using satdl::ExitCode;

// The version of LibTorch and of the other libraries of stages comes from their manifests: nothing is loaded.
std::string version_text() {
    const int landlock = satdl::landlock_version();
    std::string text = fmt::format("satdl {}\nbuilt with {}\nforeign HDF5 files are read under resource limits {}", SATDL_VERSION,
                                   SATDL_BUILT_WITH,
                                   landlock > 0 ? fmt::format("and Landlock (version {})", landlock)
                                                : "only: this kernel has no Landlock");
    satdl::Catalog catalog;
    try {
        catalog = satdl::load_catalog(satdl::program_folder(), {});
    } catch (const satdl::Error&) {
        return text;  // a build without stages
    }
    std::set<std::string> computed_with;
    for (const auto& kind : catalog.kinds()) {
        for (const auto& [library, version] : catalog.find(kind)->numerics)
            computed_with.insert(fmt::format("{} {}", library, version));
    }
    if (!computed_with.empty()) text += fmt::format("\nstages compute with {}", fmt::join(computed_with, ", "));
    return text;
}

// CLI11 cannot distinguish `--sweep` without a value from one whose value is the next argument; a value always has a '='.
std::vector<std::string> arguments_of(int argc, char** argv) {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    if (std::filesystem::path(argv[0]).filename() == "satdl-run" &&
        (arguments.empty() || arguments.front() != "--version")) {
        arguments.insert(arguments.begin(), "run");
    }
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == "--") break;
        const bool has_value =
            i + 1 < arguments.size() && arguments[i + 1].find('=') != std::string::npos && arguments[i + 1].front() != '-';
        if (arguments[i] == "--sweep" && !has_value) arguments[i] = "--sweep-section";
    }
    return arguments;
}

// An error with a location begins with it, any other with the program's name.
void print_error(const satdl::Error& error) {
    std::fflush(stdout);
    const auto& diagnostics = error.diagnostics();
    const bool has_place = !diagnostics.empty() && diagnostics.front().place;
    satdl::print_on_stderr(fmt::format("{}{}", has_place ? "" : "satdl: ", error.what()));
}

int code_of(ExitCode code) {
    return static_cast<int>(code);
}

int run_command_line(int argc, char** argv) {
    satdl::CommandLine command_line("satdl", "Run a DAG of deep-learning stages; rerun only what changed.",
                                    "`satdl COMMAND --help` shows a command's options and examples; `satdl-run ARGS` is `satdl run ARGS`.",
                                    arguments_of(argc, argv));
    command_line.set_version_flag(version_text, "print the versions of satdl and of its libraries and exit");
    satdl::Command program = command_line.program();
    satdl::add_init_command(program);
    satdl::add_run_command(program);
    satdl::add_trace_command(program);
    satdl::add_status_command(program);
    satdl::add_graph_command(program);
    satdl::add_explain_command(program);
    satdl::add_ls_command(program);
    satdl::add_show_command(program);
    satdl::add_diff_command(program);
    satdl::add_export_command(program);
    satdl::add_log_command(program);
    satdl::add_sweep_command(program);
    satdl::add_compare_command(program);
    satdl::add_report_command(program);
    satdl::add_stages_command(program);
    satdl::add_data_command(program);
    satdl::add_import_command(program);
    satdl::add_check_determinism_command(program);
    satdl::add_reproduce_command(program);
    satdl::add_note_command(program);
    satdl::add_tag_command(program);
    satdl::add_rm_command(program);
    satdl::add_cache_command(program);
    satdl::add_selftest_command(program);
    return code_of(command_line.run());
}

// A closed pipe is no error of ours: commands that do not run stages end by SIGPIPE as any Unix program, and a run continues without
// output.
bool reader_is_gone() {
    pollfd output{STDOUT_FILENO, POLLOUT, 0};
    return ::poll(&output, 1, 0) > 0 && (output.revents & (POLLERR | POLLHUP)) != 0;
}

// For the end of every command: output that could not be written is an error.
int checked_output(int code) {
    errno = 0;
    const bool is_flushed = std::fflush(stdout) == 0;
    const std::string reason = errno != 0 ? fmt::format(": {}", std::strerror(errno)) : "";
    if ((is_flushed && std::ferror(stdout) == 0) || reader_is_gone()) return code;
    satdl::print_on_stderr(fmt::format("satdl: cannot write the output{}", reason));
    return code == code_of(ExitCode::Done) ? code_of(ExitCode::Store) : code;
}

int guarded_command_line(int argc, char** argv) {
    try {
        return run_command_line(argc, argv);
    } catch (const satdl::Error& error) {
        print_error(error);
        return code_of(error.code());
    } catch (const std::bad_alloc&) {
        std::fflush(stdout);
        satdl::print_on_stderr(fmt::format("satdl: {}", satdl::kNoMemory));
        return code_of(ExitCode::Store);
    } catch (const std::exception& error) {
        std::fflush(stdout);
        if (std::ferror(stdout) != 0) return code_of(ExitCode::Done);  // fmt throws if it cannot print: checked_output() says why
        satdl::print_on_stderr(fmt::format("satdl: unexpected error: {}", satdl::printable(satdl::describe(error))));
        return code_of(ExitCode::Store);
    }
}

// Else the first file that is opened, in the store perhaps, gets the number of the closed stream, and what is printed. What is written to a
// closed stdout still fails.
void fill_closed_streams() {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(stream, F_GETFD) >= 0) continue;
        [[maybe_unused]] const int filled = ::open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY);
    }
}

std::terminate_handler previous_terminate = nullptr;

// Out of memory in code that must not throw: print one line and exit. The store is as after any other crash.
[[noreturn]] void exit_on_terminate() {
    const std::type_info* const thrown = abi::__cxa_current_exception_type();
    if (thrown != nullptr && *thrown == typeid(std::bad_alloc)) {
        static std::atomic_flag is_printed;
        constexpr std::string_view kMessage = "satdl: out of memory\n";
        if (!is_printed.test_and_set()) [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
        ::_exit(code_of(ExitCode::Store));
    }
    previous_terminate();
    std::abort();
}

}  // namespace

int main(int argc, char** argv) {
    fill_closed_streams();
    satdl::take_remote_secrets();
    satdl::prepare_stage_environment();
    std::signal(SIGXFSZ, SIG_IGN);  // then a file that grows past the limit is an error of the write, like a full disk
    satdl::install_sigbus_guard();
    previous_terminate = std::set_terminate(exit_on_terminate);
    if (satdl::is_worker_call(argc, argv)) return satdl::run_worker(argc, argv);
    return checked_output(guarded_command_line(argc, argv));
}
