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

bool is_taken(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const FileError& error) {
        return error.number() == EEXIST;
    } catch (...) {
        return false;
    }
}

}  // namespace

void Staging::prepare() { files_.make_folders(folder_); }

LinkResult Staging::write_and_link(std::uint64_t size, std::span<const Extent> extents, const fs::path& path) {
    return link(write({path.filename().string(), size, extents}), path);
}

LinkResult Staging::link(const fs::path& written, const fs::path& path) {
    const auto remove_written = [&] {
        try {
            files_.remove(written);
        } catch (const FileError&) {  // a later sweep removes it
        }
    };
    try {
        const LinkResult result = files_.link_new(written, path);
        remove_written();
        return result;
    } catch (...) {
        remove_written();
        throw;
    }
}

std::vector<DraftResult> Staging::write_all(std::span<const Draft> drafts) {
    std::vector<NewFile> files;
    for (const Draft& draft : drafts) files.push_back({fresh_path(draft.name), draft.bytes, draft.extents});
    const Failures failures = files_.write_all_new(files);
    std::vector<DraftResult> written;
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (!failures[i]) {
            written.emplace_back(files[i].path);
            continue;
        }
        written.emplace_back(failures[i]);
        if (!is_taken(failures[i])) continue;
        try {
            written.back() = write(drafts[i]);
        } catch (...) {
            written.back() = std::current_exception();
        }
    }
    return written;
}

fs::path Staging::fresh_path(const std::string& name) { return folder_ / name_with_process(name, written_.fetch_add(1)); }

// A dead process may have had this process number, and left a file of this name.
fs::path Staging::write(const Draft& draft) {
    while (true) {
        const fs::path path = fresh_path(draft.name);
        try {
            files_.write_new(path, draft.bytes, draft.extents);
            return path;
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
