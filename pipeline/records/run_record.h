// The lines of run records: each ends with a check of itself, so that what is damaged is found before it is used.
//
//   {"event":"run_started","wall_time":1764000000.123,...,"check":"3f9a52c07b1d8e44"}
//
// `check`: the first 16 digits of the SHA-256 of the record's name, a line feed, and the line up to `,"check"`. The name is in it so
// that a line under another run's name is damaged, too. It is the line's last member: a record stays what jq and `tail -f` read, and
// who checks a line need not parse it. Rejected: a digest of the file (a record grows while it is read, and may end anywhere), and
// a chain over the lines (one flipped bit would condemn all that follow, and many processes append to one file of reused runs).
//
// Lines before the first one with a check are of a satdl that wrote none (a whole record, or the older lines of the one for reused
// runs): they are taken as they stand, as far as they are JSON.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/core/digest.h"
#include "pipeline/os/file_system.h"

namespace satdl {

// The name of the record that all the runs share in which nothing ran; every other record's is its run's id.
inline constexpr const char* kReusedRuns = "reused";
[[nodiscard]] std::filesystem::path record_path(const std::filesystem::path& store_folder, const std::string& name);
// The ids of the runs that have a record of their own, the newest first.
[[nodiscard]] std::vector<std::string> recorded_runs(const std::filesystem::path& store_folder, FileSystem& files);

// A line of the record `name`: the event, a JSON object, with its check.
[[nodiscard]] std::string with_check(std::string_view event, std::string_view name);

struct Record {
    std::vector<std::string> lines;    // those that are as they were written
    std::vector<std::size_t> damaged;  // the numbers of those that are not, from 1
    std::size_t torn = 0;              // beginnings of lines, where a write was cut short: the process died, or the disk was full
    std::size_t unchecked = 0;         // how many of the lines are from before there were checks
};
[[nodiscard]] Record checked_record(std::string_view text, std::string_view name);

// As it lies there, damage and all; "" where there is none.
[[nodiscard]] std::string record_text(const std::filesystem::path& store_folder, const std::string& name, FileSystem& files);
[[nodiscard]] Record read_record(const std::filesystem::path& store_folder, const std::string& name, FileSystem& files);

// "line 17 of the record 'reused' is damaged", "lines 1, 2, 3, 4, 5 and 12 more of the record '2026...' are damaged"; "" where none is.
[[nodiscard]] std::string damage_text(const Record& record, const std::string& name);

// The keys of the artifacts that the last `runs` runs made or reused. Keys in damaged lines count, too: they can only keep more. What is
// damaged of these records comes to `damaged`.
[[nodiscard]] std::set<Digest> recorded_artifacts(const std::filesystem::path& store_folder, std::size_t runs, FileSystem& files,
                                                  std::vector<std::string>& damaged);

// What a run record says of the run that made an object.
struct MadeIn {
    std::string run;  // its id
    std::string host;
    double wall_time = 0;  // seconds since 1970, when it was done
    double seconds = 0;
    int threads = 1;
    std::string library_sha256;  // of the stage library's file; "" where the record does not say
};
// The newest record of a stage that ran under this key, where there is one. What is damaged of the records that were looked into for
// it comes to `damaged`.
[[nodiscard]] std::optional<MadeIn> find_making(const std::filesystem::path& store_folder, const Digest& key, FileSystem& files,
                                                std::vector<std::string>& damaged);

}  // namespace satdl
