#include "pipeline/remote/pending_uploads.h"

#include <chrono>
#include <string_view>

#include "pipeline/store/layout.h"
#include "pipeline/store/process_mark.h"

namespace satdl {
namespace {

constexpr std::size_t kLine = 65;  // a digest and a line feed
constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;
constexpr std::int64_t kOldNanoseconds = std::int64_t{24} * 3600 * 1'000'000'000;

// Of a process of another host or boot nobody can tell whether it lives.
bool has_ended(const std::string& name, const FileStamp& stamp) {
    using namespace std::chrono;
    const std::int64_t now = duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
    return !process_lives(name).value_or(stamp.modified_nanoseconds > now - kOldNanoseconds);
}

}  // namespace

PendingUploads::PendingUploads(const std::filesystem::path& store_folder, const std::string& place, FileSystem& files)
    : folder_(store_folder / store_layout::kUploads), place_(sha256(place).short_hex()), own_(folder_ / name_with_process(place_, 0)),
      files_(files) {}

void PendingUploads::add(std::span<const Digest> keys) {
    if (keys.empty()) return;
    std::string text;
    for (const Digest& key : keys) text += key.hex() + '\n';
    const std::scoped_lock lock(mutex_);
    try {
        if (!has_file_) files_.make_folders(folder_);
        files_.append(own_, text, false);
        has_file_ = true;
    } catch (const FileError&) {
    }
}

std::vector<Digest> PendingUploads::take_over() {
    std::vector<Digest> keys;
    try {
        for (const std::string& name : files_.list(folder_)) {
            const auto path = folder_ / name;
            const auto stamp = files_.stamp(path);
            if (!name.starts_with(place_) || !stamp || stamp->bytes > kMostBytes || !has_ended(name, *stamp)) continue;
            const std::string text = files_.read(path, 0, stamp->bytes);
            std::vector<Digest> its;
            for (std::size_t from = 0; from + kLine <= text.size(); from += kLine)
                if (const auto key = Digest::from_hex(std::string_view(text).substr(from, kLine - 1))) its.push_back(*key);
            add(its);
            files_.remove(path);
            keys.insert(keys.end(), its.begin(), its.end());
        }
    } catch (const FileError&) {
    }
    return keys;
}

void PendingUploads::finish(std::span<const Digest> left) {
    {
        const std::scoped_lock lock(mutex_);
        if (!has_file_) return;
        try {
            files_.remove(own_);
        } catch (const FileError&) {
        }
        has_file_ = false;
    }
    add(left);
}

}  // namespace satdl
