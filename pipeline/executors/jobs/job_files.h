// The files that a run and its jobs share, on a file system that both see. They are all that a job and its controller (the process of
// `satdl run`) say to each other: neither connects to the other, and either may die and come back.
//
//   runs/RUN/jobs/run-DIGEST.json     the run: how its DAG is read, by which build of satdl, for which machine its keys are; by the
//                                     controller. Another controller that takes the jobs over may write another one
//   runs/RUN/jobs/bB.aA/spec.json     a job: batch B, attempt A; which nodes it executes; by the controller
//   runs/RUN/jobs/bB.aA/begin.json    the job runs; by the job, again each time that the batch system restarts it
//   runs/RUN/jobs/bB.aA/events.jsonl  what its nodes do; by the job, appended a line at a time
//   runs/RUN/jobs/bB.aA/end.json      how each of its nodes ended; by the job, the last thing that it does
//   runs/RUN/jobs/bB.aA/log.txt       stdout and stderr of the job; by the batch system
//
// Each JSON file is complete or absent: it is written under another name and renamed. Lines of events may be torn: a line without its
// line feed is not there yet. Nobody is believed: a file may be foreign, old or hostile, and reading it has an error as its result. What a
// job says decides nothing but what is displayed and what is tried again: that a stage has run is proved by its artifact.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "pipeline/core/config_value.h"
#include "pipeline/core/digest.h"
#include "pipeline/core/unique_fd.h"
#include "pipeline/os/file_system.h"
#include "pipeline/run/job_executor.h"
#include "pipeline/sweep/sweep_design.h"

namespace satdl {

// The folder of all jobs of a run.
[[nodiscard]] std::filesystem::path jobs_folder(const std::filesystem::path& store_folder, const std::string& run);

inline constexpr const char* kSpecFile = "spec.json";
inline constexpr const char* kBeginFile = "begin.json";
inline constexpr const char* kEventsFile = "events.jsonl";
inline constexpr const char* kEndFile = "end.json";
inline constexpr const char* kJobLog = "log.txt";

// ---- run-DIGEST.json and spec.json: from the controller to the job

// The machine for which the keys were made, as in Machine. A job on one that would compute other bits refuses.
struct JobMachine {
    int cores = 1;             // that `threads: auto` uses
    std::string cpu;           // vector instructions: "AVX2"
    std::string processor;     // "" if it is not in the keys
    std::uint64_t memory_bytes = 0;
    std::string bf16;
    bool operator==(const JobMachine&) const = default;
};

struct JobRun {
    std::string build;  // program_build_id(): another satdl refuses
    std::string run;    // the id under whose name the jobs are submitted
    std::filesystem::path folder, store, results;  // absolute; `folder` is where satdl was started: relative paths begin there
    // The DAG, as Session and make_sweep() take it.
    std::string dag;  // its file
    std::string profile;
    std::vector<std::pair<std::string, ConfigValue>> overrides;
    std::optional<SweepDesign> sweep;
    std::vector<std::string> stage_libraries;
    bool trust = false;
    bool accept_undeclared_files = false;
    // How stages are executed.
    bool isolate = false;
    double checkpoint_every_seconds = 60;
    bool final_checkpoints = true;
    JobMachine machine;
    // For those who come back: `satdl attach`, `satdl cancel`.
    std::string executor;                // its name in the YAML
    std::string queue;                   // "slurm"
    std::vector<std::string> arguments;  // of `satdl run`, in `folder`
};

struct JobSpec {
    struct Node {
        std::string name;
        Digest key;           // expected; where it comes out as another, the job refuses the node
        bool forced = false;  // executed even though its artifact is there
        bool operator==(const Node&) const = default;
    };
    std::string run_file;     // of its JobRun, beside the job's folder
    std::vector<Node> nodes;  // independent of each other
    int cpus = 1;                    // that the job was given
    std::uint64_t memory_bytes = 0;  // 0: not said
    std::optional<double> seconds{};  // the limit of its time
    bool operator==(const JobSpec&) const = default;
};

// Returns the file's name; durable. Throws FileError.
[[nodiscard]] std::string write_job_run(const std::filesystem::path& jobs_folder, const JobRun& run, FileSystem& files);
// Makes the job's folder. Not durable: a job that is submitted has it, and after a crash of the host a torn one is a job that is not known.
// Throws FileError.
void write_job_spec(const std::filesystem::path& job_folder, const JobSpec& spec, FileSystem& files);

// Throw Error{Store}: absent, malformed, or not what satdl writes.
[[nodiscard]] JobSpec read_job_spec(const std::filesystem::path& job_folder, FileSystem& files);
[[nodiscard]] JobRun read_job_run(const std::filesystem::path& jobs_folder, const std::string& run_file, FileSystem& files);

// ---- begin.json, events.jsonl and end.json: from the job to the controller

struct JobBegin {
    std::string job{};      // its id, in the batch system's words
    std::string machine{};  // "n2"
    std::int64_t process = 0;
    int restart = 0;     // how often the batch system has restarted it
    double wall_time = 0;  // seconds since 1970
    bool operator==(const JobBegin&) const = default;
};

// How a node ended, in the job's view.
struct JobNodeEnd {
    enum class Outcome {
        Ran,        // its artifact is in the store: it ran, or was there already
        Failed,     // the stage failed; trying again would be in vain
        Stopped,    // before it had a checkpoint, or without having begun
        Continued,  // stopped, and its checkpoint is in the store
    };
    std::size_t node = 0;  // position in JobSpec::nodes
    Outcome outcome = Outcome::Failed;
    std::string error{};     // of Failed
    std::string position{};  // of Continued: "epoch 7, step 210, 61 %"
    double seconds = 0;
    std::uint64_t peak_bytes = 0;  // 0: not known
    bool operator==(const JobNodeEnd&) const = default;
};

struct JobFinish {
    // Why the job executed nothing; then `nodes` is empty.
    enum class Refusal {
        None,
        Machine,  // this machine would compute other bits: another one may not
        Run,      // another build of satdl, a DAG file that has changed, a key that is not the expected one: no machine will
    };
    Refusal refusal = Refusal::None;
    std::string refused{};  // in words for the user
    std::vector<JobNodeEnd> nodes{};
    bool operator==(const JobFinish&) const = default;
};

struct JobEvent {
    enum class What { Started, Progress, Log, Ended };
    What what = What::Started;
    std::size_t node = 0;  // position in JobSpec::nodes
    Progress progress{};
    LogLevel level = LogLevel::Info;
    std::string text{};      // of Log
    JobNodeEnd end{};      // of Ended: what end.json will say, as soon as it is known
};

// Atomic, and it replaces the one of before a restart. write_job_begin() removes an end.json of before. Durable when they return. Throw
// FileError.
void write_job_begin(const std::filesystem::path& job_folder, const JobBegin& begin, FileSystem& files);
void write_job_finish(const std::filesystem::path& job_folder, const JobFinish& finish, FileSystem& files);

struct NotThereYet {};
struct BadJobFile {
    std::string text;  // one sentence for the user, with the file's name
};
template <typename Content>
using JobFile = std::variant<NotThereYet, Content, BadJobFile>;

// Throw nothing.
[[nodiscard]] JobFile<JobBegin> read_job_begin(const std::filesystem::path& job_folder, FileSystem& files);
// `nodes`: how many the job has. Each is named at most once.
[[nodiscard]] JobFile<JobFinish> read_job_finish(const std::filesystem::path& job_folder, std::size_t nodes, FileSystem& files);

// Appends events: one write a line, so that a reader sees whole lines. Safe from any thread. A line that cannot be written is lost: events
// decide nothing. Beyond `max_bytes` only Started and Ended are written.
class JobEventWriter {
public:
    explicit JobEventWriter(const std::filesystem::path& job_folder, std::uint64_t max_bytes = std::uint64_t{16} << 20);
    void write(const JobEvent& event);

private:
    const UniqueFd file_;
    const std::uint64_t max_bytes_;
    std::mutex mutex_;
    std::uint64_t bytes_ = 0;  // guarded by mutex_
};

// Reads what has been added since the last call.
class JobEventReader {
public:
    JobEventReader(std::filesystem::path job_folder, std::size_t nodes);
    // Lines that are no events are skipped. At most some MB at once: more come with the next call. Throws nothing.
    [[nodiscard]] std::vector<JobEvent> read(FileSystem& files);

private:
    const std::filesystem::path file_;
    const std::size_t nodes_;
    std::uint64_t offset_ = 0;
    bool skipping_ = false;  // within a line that is too long
};

}  // namespace satdl
