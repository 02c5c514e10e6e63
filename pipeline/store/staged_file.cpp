#include "pipeline/store/staged_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "pipeline/os/file_error.h"
#include "pipeline/os/write_all.h"
#include "pipeline/store/process_mark.h"

namespace satdl {

StagedFile::StagedFile(const std::filesystem::path& folder, const std::string& name, std::uint64_t number)
    : path_(folder / name_with_process(name, number)), file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444)) {
    if (!file_) throw FileError(errno, "create", path_);
}

StagedFile::~StagedFile() {
    std::error_code error;
    std::filesystem::remove(path_, error);
}

void StagedFile::write(std::span<const std::byte> bytes) {
    if (write_all(file_.get(), bytes) != bytes.size()) throw FileError(errno, "write to", path_);
}

void StagedFile::make_durable() {
    if (::fsync(file_.get()) != 0) throw FileError(errno, "sync", path_);
    file_ = UniqueFd();
}

}  // namespace satdl
