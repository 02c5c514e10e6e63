// What an errno means to a user, and what they can do about it.
#pragma once

#include <filesystem>
#include <string>

#include "pipeline/core/error.h"

namespace satdl {

// errno `number` from `call` ("write 4096 bytes to") on `path`, reported with what to do (a full disk, no permission, too many
// open files).
class FileError : public Error {
public:
    FileError(int number, const std::string& call, const std::filesystem::path& path);
    // `reason`: in place of what errno means.
    FileError(int number, const std::string& call, const std::filesystem::path& path, const std::string& reason);
    [[nodiscard]] int number() const { return number_; }

private:
    int number_;
};

}  // namespace satdl
