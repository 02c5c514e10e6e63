// A file of a store's tmp/ that is written piece by piece: it is removed with this unless it was given another name before.
// A later sweep of tmp/ removes it where the process dies (staging.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "pipeline/core/unique_fd.h"

namespace satdl {

class StagedFile {
public:
    // In `folder`, which is there; named for `name`, this process and `number`. Throws FileError.
    StagedFile(const std::filesystem::path& folder, const std::string& name, std::uint64_t number);
    ~StagedFile();
    StagedFile(const StagedFile&) = delete;
    StagedFile& operator=(const StagedFile&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    // Each throws FileError.
    void write(std::span<const std::byte> bytes);
    void make_durable();  // once, after the last write

private:
    const std::filesystem::path path_;
    UniqueFd file_;
};

}  // namespace satdl
