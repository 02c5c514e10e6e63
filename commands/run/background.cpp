#include "commands/run/background.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "commands/shared/warnings.h"
#include "pipeline/core/utf8.h"
#include "pipeline/os/file_system.h"
#include "pipeline/records/run_record.h"
#include "pipeline/store/key_claims.h"

namespace satdl {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kErrorBytes = std::size_t{1} << 20;

UniqueFd opened(const fs::path& path, int flags) {
    UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC, 0666));
    if (!file) throw FileError(errno, "open", path);
    return file;
}

void replace_stream(int stream, const UniqueFd& file, const fs::path& path) {
    if (::dup2(file.get(), stream) < 0) throw FileError(errno, "write to", path);
}

Background background(UniqueFd ready, const fs::path& output) {
    ::setsid();
    UniqueFd lock = opened(output, O_RDONLY);  // not the streams' own: the programs of stages inherit those
    ::flock(lock.get(), LOCK_EX | LOCK_NB);
    replace_stream(STDIN_FILENO, opened("/dev/null", O_RDONLY), "/dev/null");
    const UniqueFd file = opened(output, O_WRONLY | O_APPEND);
    replace_stream(STDOUT_FILENO, file, output);
    replace_stream(STDERR_FILENO, file, output);
    return {std::move(ready), std::move(lock)};
}

// What the process in the background came to before it was ready.
ExitCode failure_of(pid_t process, const fs::path& output, FileSystem& files) {
    int status = 0;
    while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    std::string text = files.read(output, 0, kErrorBytes);
    while (text.ends_with('\n')) text.pop_back();
    print_on_stderr(text.empty() ? "satdl: the run in the background ended before it began" : text);
    files.remove(output);
    std::error_code ignored;
    fs::remove(output.parent_path(), ignored);  // if there is nothing else in it
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return code == 0 ? ExitCode::StageFailed : static_cast<ExitCode>(code);
}

}  // namespace

fs::path background_output(const fs::path& store_folder, const std::string& run) {
    return record_path(store_folder, run).parent_path() / "output.txt";
}

bool is_in_background(const fs::path& store_folder, const std::string& run) { return is_claim_held(background_output(store_folder, run)); }

void Background::is_ready() {
    std::fflush(stdout);
    [[maybe_unused]] const ssize_t written = ::write(ready_.get(), "r", 1);
    ready_.close();
}

std::variant<Background, ExitCode> go_to_background(const fs::path& store_folder, const std::string& run) {
    const auto files = real_file_system();
    const fs::path output = background_output(store_folder, run);
    files->make_folders(output.parent_path());
    files->append(output, "", false);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw FileError(errno, "make a pipe beside", output);
    UniqueFd reading(ends[0]), writing(ends[1]);
    std::fflush(nullptr);
    const pid_t process = ::fork();
    if (process < 0) throw FileError(errno, "start a process that writes", output);
    if (process == 0) {
        reading.close();
        return background(std::move(writing), output);
    }
    writing.close();
    char byte = 0;
    ssize_t got = 0;
    do got = ::read(reading.get(), &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got != 1) return failure_of(process, output, *files);
    fmt::print("run {} goes on in the background\n  satdl attach {}   shows it\n  satdl cancel {}   ends its jobs\n", run, run, run);
    return ExitCode::Done;
}

}  // namespace satdl
