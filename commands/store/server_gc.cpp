#include "commands/store/server_gc.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "commands/shared/warnings.h"
#include "pipeline/core/json.h"
#include "pipeline/display/text_format.h"
#include "pipeline/os/file_error.h"
#include "pipeline/records/json_events.h"

namespace satdl {

namespace {

constexpr std::size_t kNameDigits = 64;
constexpr std::size_t kMostRecordBytes = std::size_t{64} << 20;
constexpr double kSecondsPerDay = 86400;
constexpr double kLongestWriteSeconds = 3600;  // between two writes to one file

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool is_name(std::string_view text) { return text.size() == kNameDigits && std::ranges::all_of(text, is_hex); }

// "<name>.<origin>.<process>.<number>" (pipeline/store/process_mark.h)
bool is_unfinished_name(std::string_view text) {
    return text.size() > kNameDigits && text[kNameDigits] == '.' && is_name(text.substr(0, kNameDigits));
}

// Those that the server, or a run, can have written: whatever else is in the folder is somebody's.
std::vector<FolderFile> named_files(const std::optional<FolderHandle>& folder, bool (*is_ours)(std::string_view) = is_name) {
    std::vector<FolderFile> files;
    if (folder) files = folder->files();
    std::erase_if(files, [&](const FolderFile& file) { return !is_ours(file.name); });
    std::ranges::sort(files, {}, &FolderFile::name);
    return files;
}

double last_use(const FolderFile& file) { return std::max(file.read, file.written); }

std::uint64_t bytes_of(const auto& files) {
    std::uint64_t bytes = 0;
    for (const auto& file : files) bytes += file.bytes;
    return bytes;
}

class Server {
public:
    explicit Server(const std::string& path)
        : root_(FolderHandle::open(path)), records_(root_.folder("ac")), blobs_(root_.folder("cas")), unfinished_(root_.folder("tmp")) {
        if (records_ || blobs_) return;
        throw Error(ExitCode::Usage, fmt::format("'{}' has neither a folder 'ac' nor a folder 'cas'", printable(path)),
                    "name the folder that the server serves: `root` of nginx, or the shared folder of --remote");
    }

    [[nodiscard]] AccessTimes access_times() const { return root_.access_times(); }

    [[nodiscard]] ServerContents contents() const {
        ServerContents contents{
            .records = {}, .blobs = named_files(blobs_), .unfinished = named_files(unfinished_, is_unfinished_name)};
        for (FolderFile& file : named_files(records_)) {
            if (const auto text = records_->read(file.name, kMostRecordBytes))
                contents.records.push_back({std::move(file), named_blobs(*text, contents.blobs)});
        }
        return contents;
    }

    // Leaves out, and takes out of `garbage`, what was used or written since `contents` were read.
    void remove(const ServerContents& contents, ServerGarbage& garbage) const {
        std::set<std::size_t> needed;
        std::erase_if(garbage.records, [&](std::size_t i) {
            const ServerContents::Record& record = contents.records[i];
            if (is_as_before(*records_, record)) return !records_->remove(record.name);
            needed.insert(record.blobs.begin(), record.blobs.end());
            return true;
        });
        for (const FolderFile& file : named_files(records_)) {
            const auto known = std::ranges::lower_bound(contents.records, file.name, {}, &ServerContents::Record::name);
            if (known != contents.records.end() && known->name == file.name && known->written == file.written) continue;
            const auto text = records_->read(file.name, kMostRecordBytes);
            if (!text) continue;
            for (const std::size_t blob : named_blobs(*text, contents.blobs)) needed.insert(blob);
        }
        std::erase_if(garbage.blobs, [&](std::size_t i) {
            const FolderFile& blob = contents.blobs[i];
            return needed.contains(i) || !is_as_before(*blobs_, blob) || !blobs_->remove(blob.name);
        });
        std::erase_if(garbage.unfinished, [&](std::size_t i) { return !unfinished_->remove(contents.unfinished[i].name); });
    }

private:
    static bool is_as_before(const FolderHandle& folder, const FolderFile& file) {
        const auto now = folder.file(file.name);
        return now && now->bytes == file.bytes && now->written == file.written && now->read == file.read;
    }

    const FolderHandle root_;
    const std::optional<FolderHandle> records_, blobs_, unfinished_;
};

// "2 artifacts (9.1 kB)"
std::string counted(std::size_t count, std::string_view one, std::uint64_t bytes) {
    return fmt::format("{} {}{} ({})", count, one, count == 1 ? "" : "s", bytes_text(bytes));
}

template <typename File>
std::vector<File> chosen(const std::vector<File>& files, const std::vector<std::size_t>& indices) {
    std::vector<File> found;
    for (const std::size_t i : indices) found.push_back(files[i]);
    return found;
}

void print_result(const ServerContents& contents, const ServerGarbage& garbage, bool dry_run, bool json) {
    const auto records = chosen(contents.records, garbage.records);
    const auto blobs = chosen(contents.blobs, garbage.blobs);
    const auto unfinished = chosen(contents.unfinished, garbage.unfinished);
    const std::size_t kept_records = contents.records.size() - records.size(), kept_blobs = contents.blobs.size() - blobs.size();
    const std::uint64_t kept_record_bytes = bytes_of(contents.records) - bytes_of(records);
    const std::uint64_t kept_blob_bytes = bytes_of(contents.blobs) - bytes_of(blobs);
    if (json) {
        const Json document = {{"removed", !dry_run},
                               {"records", records.size()}, {"records_bytes", bytes_of(records)},
                               {"blobs", blobs.size()}, {"blobs_bytes", bytes_of(blobs)},
                               {"unfinished", unfinished.size()}, {"unfinished_bytes", bytes_of(unfinished)},
                               {"kept_records", kept_records}, {"kept_records_bytes", kept_record_bytes},
                               {"kept_blobs", kept_blobs}, {"kept_blobs_bytes", kept_blob_bytes}};
        fmt::print("{}\n", dump_json(document));
        return;
    }
    const std::string beside = unfinished.empty() ? "" : ", " + counted(unfinished.size(), "unfinished upload", bytes_of(unfinished));
    fmt::print("{} {} and {}{}; {} and {} remain\n", dry_run ? "would remove" : "removed",
               counted(records.size(), "record", bytes_of(records)), counted(blobs.size(), "artifact", bytes_of(blobs)), beside,
               counted(kept_records, "record", kept_record_bytes), counted(kept_blobs, "artifact", kept_blob_bytes));
}

ExitCode collect(const ServerGcOptions& options, bool dry_run, bool json) {
    const Server server(options.folder);
    double grace_seconds = options.grace_seconds;
    switch (server.access_times()) {
        case AccessTimes::Exact: break;
        case AccessTimes::Daily: grace_seconds += kSecondsPerDay; break;
        case AccessTimes::Never:
            print_warning("this file system keeps no access times (noatime): the oldest uploads are removed, used or not; "
                          "mount it with relatime");
    }
    const ServerContents contents = server.contents();
    ServerGarbage garbage = choose_server_garbage(contents, options.max_bytes, grace_seconds, wall_time());
    if (!garbage.is_enough)
        print_warning(fmt::format("more than {} is left: all of it was used in the last {}", bytes_text(options.max_bytes),
                                  duration_text(grace_seconds)));
    if (!dry_run) server.remove(contents, garbage);
    print_result(contents, garbage, dry_run, json);
    return ExitCode::Done;
}

}  // namespace

std::uint64_t ServerContents::bytes() const { return bytes_of(records) + bytes_of(blobs); }

std::vector<std::size_t> named_blobs(std::string_view record, const std::vector<FolderFile>& blobs) {
    std::set<std::size_t> found;
    std::size_t digits = 0;  // how many end at `end`
    for (std::size_t end = 1; end <= record.size(); ++end) {
        digits = is_hex(record[end - 1]) ? digits + 1 : 0;
        if (digits < kNameDigits) continue;
        const std::string_view name = record.substr(end - kNameDigits, kNameDigits);
        const auto blob = std::ranges::lower_bound(blobs, name, {}, &FolderFile::name);
        if (blob != blobs.end() && blob->name == name) found.insert(static_cast<std::size_t>(blob - blobs.begin()));
    }
    return {found.begin(), found.end()};
}

ServerGarbage choose_server_garbage(const ServerContents& contents, std::uint64_t max_bytes, double grace_seconds, double now) {
    // Of a blob, and of a record that names none.
    struct Unit {
        double used;
        bool is_blob;
        std::size_t index;
    };
    std::vector<Unit> units;
    for (std::size_t i = 0; i < contents.blobs.size(); ++i) units.push_back({last_use(contents.blobs[i]), true, i});
    std::vector<std::vector<std::size_t>> records_of(contents.blobs.size());
    for (std::size_t i = 0; i < contents.records.size(); ++i) {
        const ServerContents::Record& record = contents.records[i];
        if (record.blobs.empty()) units.push_back({last_use(record), false, i});
        for (const std::size_t blob : record.blobs) {
            records_of[blob].push_back(i);
            units[blob].used = std::max(units[blob].used, last_use(record));
        }
    }
    std::ranges::stable_sort(units, {}, &Unit::used);

    // A time in the future is as far from now as one in the past, so that nothing stays for ever because a clock was wrong.
    const auto is_older = [now](double time, double seconds) { return std::abs(now - time) >= seconds; };
    ServerGarbage garbage;
    for (std::size_t i = 0; i < contents.unfinished.size(); ++i)
        if (is_older(contents.unfinished[i].written, std::max(grace_seconds, kLongestWriteSeconds))) garbage.unfinished.push_back(i);
    std::uint64_t left = contents.bytes();
    std::set<std::size_t> going;
    const auto take_record = [&](std::size_t i) {
        if (!going.insert(i).second) return;
        garbage.records.push_back(i);
        left -= contents.records[i].bytes;
    };
    for (const Unit& unit : units) {
        if (left <= max_bytes) return garbage;
        if (!is_older(unit.used, grace_seconds)) continue;
        if (unit.is_blob) {
            for (const std::size_t record : records_of[unit.index]) take_record(record);
            garbage.blobs.push_back(unit.index);
            left -= contents.blobs[unit.index].bytes;
        } else {
            take_record(unit.index);
        }
    }
    garbage.is_enough = left <= max_bytes;
    return garbage;
}

void add_server_gc_options(Command& command, ServerGcOptions& options) {
    command.add_option("folder", options.folder, "with --layout bazel: the folder that the server serves").type_name("FOLDER");
    command.add_size("--max-size", options.max_bytes, "with --layout bazel: remove until the folder has this size, such as 200GB");
    command.add_duration("--grace", options.grace_seconds,
                         "with --layout bazel: keep what was used in this time, longer than any run; default: 7d");
}

bool has_server_gc_options(const ServerGcOptions& options) {
    const ServerGcOptions none;
    return !options.folder.empty() || options.max_bytes != none.max_bytes || options.grace_seconds != none.grace_seconds;
}

ExitCode collect_server_garbage(const ServerGcOptions& options, bool dry_run, bool json) {
    if (options.folder.empty() || options.max_bytes == 0)
        throw Error(ExitCode::Usage, "--layout bazel needs a folder and --max-size",
                    "satdl cache gc --layout bazel --max-size 200GB /srv/satdl/cache");
    try {
        return collect(options, dry_run, json);
    } catch (const FileError& error) {
        if (error.number() != EPERM && error.number() != EACCES) throw;
        throw Error(ExitCode::Store, std::string(first_line(error.what())),
                    "run it as the user whose files these are (nginx: www-data), or as root");
    }
}

}  // namespace satdl
