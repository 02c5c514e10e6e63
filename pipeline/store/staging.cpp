#include "pipeline/store/staging.h"

#include <cerrno>
#include <chrono>
#include <string>

#include "pipeline/store/process_mark.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kOldNanoseconds = std::int64_t{24} * 3600 * 1'000'000'000;

std::int64_t now_nanoseconds() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

void Staging::prepare() { files_.make_folders(folder_); }

LinkResult Staging::write_and_link(std::uint64_t size, std::span<const Extent> extents, const fs::path& path) {
    const fs::path tmp = write(size, extents, path.filename().string());
    const auto remove_tmp = [&] {
        try {
            files_.remove(tmp);
        } catch (const FileError&) {  // a later sweep removes it
        }
    };
    try {
        const LinkResult result = files_.link_new(tmp, path);
        remove_tmp();
        return result;
    } catch (...) {
        remove_tmp();
        throw;
    }
}

// A dead process may have had this process number, and left a file of this name.
fs::path Staging::write(std::uint64_t size, std::span<const Extent> extents, const std::string& name) {
    while (true) {
        const fs::path tmp = folder_ / name_with_process(name, written_.fetch_add(1));
        try {
            files_.write_new(tmp, size, extents);
            return tmp;
        } catch (const FileError& error) {
            if (error.number() != EEXIST) throw;
        }
    }
}

void Staging::sweep() {
    try {
        for (const std::string& name : files_.list(folder_)) {
            const fs::path path = folder_ / name;
            const auto identity = files_.stamp(path);
            if (!identity) continue;
            const bool is_old = identity->modified_nanoseconds < now_nanoseconds() - kOldNanoseconds;
            if (!process_lives(name).value_or(!is_old)) files_.remove(path);
        }
    } catch (const FileError&) {
    }
}

}  // namespace satdl
