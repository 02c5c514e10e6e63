#include "commands/shared/output_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "pipeline/core/error.h"

namespace fs = std::filesystem;

namespace satdl {

OutputFile::OutputFile(const std::string& path, std::string what, std::string option)
    : named_(path), what_(std::move(what)), option_(std::move(option)) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (fs::is_directory(status)) refuse("it is a folder");
    if (fs::exists(status) && !fs::is_regular_file(status)) {
        path_ = path;
    } else {
        path_ = fs::weakly_canonical(path, error);  // a symbolic link stays one
        if (error) refuse(error.message());
        partial_ = path_.string() + ".partial";
    }
    file_.open(partial_.empty() ? path_ : partial_, std::ios::binary | std::ios::trunc);
    if (!file_) refuse(std::strerror(errno));
}

OutputFile::~OutputFile() {
    std::error_code ignored;
    if (!partial_.empty()) fs::remove(partial_, ignored);  // if it is complete, it has its own name by now
}

void OutputFile::write(const std::string& text) {
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
