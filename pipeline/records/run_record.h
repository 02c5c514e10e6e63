// The lines of run records: each ends with a check, so that a damaged line is found before it is used.
//
//   {"event":"run_started","wall_time":1764000000.123,...,"check":"3f9a52c07b1d8e44"}
//
// `check`: the first 16 digits of the SHA-256 of the record's name, a line feed, and the line up to `,"check"`. The name is in it so
// that a line under another run's name is damaged, too. It is the line's last member: a record stays what jq and `tail -f` read, and
// who checks a line need not parse it. Rejected: a digest of the file (a record grows while it is read, and may end anywhere), and
// a chain over the lines (one flipped bit would condemn all that follow, and many processes append to one file of reused runs).
//
// Lines before the first one with a check come from a satdl that wrote none (a whole record, or the older lines of the one for reused
// runs): they are used as they are, if they are JSON.
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

// The name of the record shared by all runs in which nothing ran; any other record has its run's id as its name.
inline constexpr const char* kReusedRuns = "reused";
// Beside a run's record: what differed from the commit, if the user wanted it (`run --save-diff`).
inline constexpr const char* kDiffFile = "diff.patch";
[[nodiscard]] std::filesystem::path record_path(const std::filesystem::path& store_folder, const std::string& name);
// The ids of the runs with their own record, the newest first.
[[nodiscard]] std::vector<std::string> recorded_runs(const std::filesystem::path& store_folder, FileSystem& files);

// The id of the run that starts with `prefix`, or ("") of the newest run that has a record. Throws Error{Usage}: no such run (did you
// mean), or several, which it names.
[[nodiscard]] std::string find_run(const std::filesystem::path& store_folder, const std::string& prefix, FileSystem& files);

// A line of the record `name`: the event, a JSON object, with its check.
[[nodiscard]] std::string with_check(std::string_view event, std::string_view name);

struct Record {
    std::vector<std::string> lines;    // the good ones
    std::vector<std::size_t> damaged;  // line numbers of the damaged ones, from 1
    std::size_t torn = 0;              // beginnings of lines, where a write was cut short: the process died, or the disk was full
    std::size_t unchecked = 0;         // the number of lines from before there were checks
};
[[nodiscard]] Record checked_record(std::string_view text, std::string_view name);

// The raw text, damage included; "" if there is no such record.
[[nodiscard]] std::string record_text(const std::filesystem::path& store_folder, const std::string& name, FileSystem& files);
[[nodiscard]] Record read_record(const std::filesystem::path& store_folder, const std::string& name, FileSystem& files);

// The last good line of the record with this event; "" if there is none.
[[nodiscard]] std::string last_event(const Record& record, std::string_view event);

// "line 17 of the record 'reused' is damaged", "lines 1, 2, 3, 4, 5 and 12 more of the record '2026...' are damaged"; "" if none is.
[[nodiscard]] std::string damage_text(const Record& record, const std::string& name);

// The keys of the artifacts that the last `runs` runs made or reused. Keys in damaged lines count, too: they can only keep more. What is
// damaged of these records comes to `damaged`.
[[nodiscard]] std::set<Digest> recorded_artifacts(const std::filesystem::path& store_folder, std::size_t runs, FileSystem& files,
                                                  std::vector<std::string>& damaged);

// What a record says about the run that made an artifact.
struct Producer {
    std::string run;  // its id
    std::string host;
    double wall_time = 0;  // seconds since 1970, when it was done
    double seconds = 0;
    int threads = 1;
    std::string library_sha256;  // of the stage library's file; "" if the record does not say
};
// From the newest record in which a stage ran under this key, if there is one. Descriptions of damage in the records read for it
// are added to `damaged`.
[[nodiscard]] std::optional<Producer> find_producer(const std::filesystem::path& store_folder, const Digest& key, FileSystem& files,
                                                std::vector<std::string>& damaged);

}  // namespace satdl
