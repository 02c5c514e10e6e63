#include "commands/shared/output_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "commands/shared/run_display.h"
#include "pipeline/core/error.h"
#include "pipeline/os/paths.h"

namespace fs = std::filesystem;

namespace satdl {

OutputFile::OutputFile(const std::string& path, std::string what, std::string option, const ProtectedFiles& others)
    : named_(path), what_(std::move(what)), option_(std::move(option)) {
    if (is_stdout()) return;
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (fs::is_directory(status)) refuse("it is a folder");
    if (fs::exists(status) && !fs::is_regular_file(status)) {
        path_ = path;
    } else {
        path_ = fs::weakly_canonical(path, error);  // a symbolic link stays one
        if (error) refuse(error.message());
        check_replaceable(others);
        partial_ = path_.string() + ".partial";
    }
    file_.open(partial_.empty() ? path_ : partial_, std::ios::binary | std::ios::trunc);
    if (!file_) refuse(std::strerror(errno));
}

void OutputFile::check_replaceable(const ProtectedFiles& others) const {
    std::error_code error;
    const fs::path store = fs::weakly_canonical(others.store, error);
    if (is_within(path_, store)) refuse("it lies in the store");
    if (!fs::exists(path_, error)) return;
    if (std::ranges::any_of(others.files, [&](const fs::path& file) { return fs::equivalent(path_, file, error); }))
        refuse("this command reads that file");
    if (::access(path_.c_str(), W_OK) != 0) refuse(std::strerror(errno));
}

OutputFile::~OutputFile() {
    std::error_code ignored;
    if (!partial_.empty()) fs::remove(partial_, ignored);  // if it is complete, it has its own name by now
}

void OutputFile::write(const std::string& text) {
    if (is_stdout()) return print_text(text);
    file_ << text;
    file_.close();
    if (!file_) refuse(std::strerror(errno));
    if (partial_.empty()) return;
    std::error_code error;
    fs::rename(partial_, path_, error);
    if (error) refuse(error.message());
}

void OutputFile::refuse(const std::string& why) const {
    throw Error(ExitCode::Usage, fmt::format("cannot write {} to {}: {}", what_, printable(named_), why),
                fmt::format("use {} for another file", option_));
}

}  // namespace satdl
