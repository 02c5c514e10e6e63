#include "pipeline/store/file_system_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <fstream>

#include "pipeline/store/index.h"
#include "pipeline/store/layout.h"
#include "pipeline/store/store_lock.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

void write_file(FileSystem& files, const fs::path& path, std::string_view text) {
    const std::array extents{Extent{0, std::as_bytes(std::span(text))}};
    files.write_new(path, text.size(), extents);
}

// What was seen, and whether it is as a store needs it. A check's function throws FileError where a call fails.
struct Observation {
    bool holds = true;
    std::string found;
};

Observation bytes_come_back(const fs::path& folder, FileSystem& files) {
    std::string text(std::size_t{1} << 20, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 2654435761U >> 13U);
    write_file(files, folder / "bytes", text);
    const bool read = files.read(folder / "bytes", 0, text.size()) == text;
    const MappedFile mapped = files.map(folder / "bytes");
    const bool observed = std::ranges::equal(mapped.bytes, std::as_bytes(std::span(text)));
    if (!read) return {false, "different bytes than were written"};
    if (!observed) return {false, "a mapped file has different bytes"};
    return {true, "1 MiB, read and mapped"};
}

Observation link_is_exclusive(const fs::path& folder, FileSystem& files) {
    write_file(files, folder / "one", "one");
    write_file(files, folder / "two", "two");
    const bool first = files.link_new(folder / "one", folder / "name") == LinkResult::Linked;
    const bool second = files.link_new(folder / "two", folder / "name") == LinkResult::AlreadyThere;
    const bool kept = files.read(folder / "name", 0, 16) == "one";
    return {first && second && kept, kept && second ? "the second writer gets EEXIST" : "the second writer replaces it"};
}

Observation rename_replaces(const fs::path& folder, FileSystem& files) {
    write_file(files, folder / "old", "old");
    write_file(files, folder / "new", "new");
    files.rename(folder / "new", folder / "old");
    const bool replaced = files.read(folder / "old", 0, 16) == "new" && !files.stamp(folder / "new");
    return {replaced, replaced ? "atomically" : "the old file is still there"};
}

Observation becomes_durable(const fs::path& folder, FileSystem& files) {
    constexpr int kTimes = 8;
    const auto began = Clock::now();
    for (int i = 0; i < kTimes; ++i) {
        write_file(files, folder / fmt::format("durable-{}", i), "durable");
        files.sync_folder(folder);
    }
    return {true, fmt::format("fsync of a file and its folder: {:.1f} ms", 1e3 * seconds_since(began) / kTimes)};
}

Observation space_is_reserved(const fs::path& folder, FileSystem& files) {
    constexpr std::uint64_t kBytes = std::uint64_t{1} << 20;
    files.write_new(folder / "reserved", kBytes, {});
    struct stat status {};
    if (::stat((folder / "reserved").c_str(), &status) != 0) throw FileError(errno, "stat", folder / "reserved");
    const bool reserved = static_cast<std::uint64_t>(status.st_blocks) * 512 >= kBytes;
    return {reserved, reserved ? "before the first byte is written" : "only the length is set"};
}

// Another process that shares the store until it is killed.
class Sharer {
public:
    explicit Sharer(const fs::path& folder) {
        std::array<int, 2> ready_pipe{};
        if (::pipe2(ready_pipe.data(), O_CLOEXEC) != 0) throw FileError(errno, "make a pipe for", folder);
        child_ = ::fork();
        if (child_ == 0) {
            const StoreLock use = StoreLock::shared(folder);
            const char done = '.';
            if (::write(ready_pipe[1], &done, 1) == 1) ::pause();
            ::_exit(0);
        }
        const int problem = errno;
        ::close(ready_pipe[1]);
        char done = 0;
        const bool shares = child_ > 0 && ::read(ready_pipe[0], &done, 1) == 1;
        ::close(ready_pipe[0]);
        if (!shares) throw FileError(child_ < 0 ? problem : EIO, "start a process for", folder);
    }
    ~Sharer() {
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
    }
    Sharer(const Sharer&) = delete;
    Sharer& operator=(const Sharer&) = delete;

private:
    pid_t child_ = -1;
};

Observation locks_hold(const fs::path& folder, FileSystem&) {
    {
        const Sharer sharer(folder);
        if (StoreLock::alone(folder)) return {false, "flock() admits two processes"};
    }
    const bool freed = StoreLock::alone(folder).has_value();
    return {freed, freed ? "between processes; released when a process dies" : "a dead process still holds its lock"};
}

// The shortest time after which a second edit of the same size differs from the first in stat.
Observation edits_show(const fs::path& folder, FileSystem& files) {
    constexpr double kEnough = 2;  // source_digest() does not trust what is younger
    const fs::path path = folder / "edited";
    files.append(path, "a", false);
    const auto began = Clock::now();
    double seconds = 0;
    for (const auto first = files.stamp(path); seconds <= kEnough + 0.5;) {
        std::fstream(path, std::ios::in | std::ios::out) << 'b';  // in place
        seconds = seconds_since(began);
        if (files.stamp(path) != first) break;
    }
    return {seconds <= kEnough, fmt::format("within {:.2g} ms", 1e3 * seconds)};
}

Observation names_are_case_sensitive(const fs::path& folder, FileSystem& files) {
    write_file(files, folder / "m1", "small");
    const bool apart = !files.stamp(folder / "M1");
    write_file(files, folder / std::string(255, 'n'), "long");
    return {apart, apart ? "upper and lower case differ; names have up to 255 bytes" : "m1 and M1 are the same file"};
}

Observation links_point(const fs::path& folder, FileSystem& files) {
    write_file(files, folder / "target", "target");
    files.point_link("target", folder / "link");
    files.point_link("old", folder / "moved");
    files.point_link("target", folder / "moved");
    const bool points = files.read(folder / "link", 0, 16) == "target" && files.read(folder / "moved", 0, 16) == "target";
    return {points, points ? "symbolic links, replaced atomically" : "a link points to another file"};
}

Observation index_works(const fs::path& folder, FileSystem&) {
    const fs::path path = folder / store_layout::kIndex;
    const Digest key = sha256("key");
    Index(path).put_artifact(key, {{{"port", key}}, 1});
    Index again(path);
    const bool there = again.artifact(key).has_value();
    return {there && !again.problem(), there ? "SQLite, written and read back" : again.problem().value_or("what was written is missing")};
}

struct Check {
    const char* name;
    Verdict otherwise;
    const char* consequence;
    Observation (*look)(const fs::path&, FileSystem&);
};

constexpr const char* kElsewhere = "put the store elsewhere (--store)";

constexpr std::array kChecks{
    Check{"bytes are read back as they were written", Verdict::Fatal, kElsewhere, bytes_come_back},
    Check{"link() refuses an existing name", Verdict::Fatal, kElsewhere, link_is_exclusive},
    Check{"rename() replaces the old file", Verdict::Fatal, kElsewhere, rename_replaces},
    Check{"fsync() works on files and folders", Verdict::Fatal, kElsewhere, becomes_durable},
    Check{"fallocate() reserves space", Verdict::Degraded,
          "a full disk is noticed while an artifact is written, not before: the artifact is lost", space_is_reserved},
    Check{"flock() holds", Verdict::Degraded,
          "`cache gc` cannot see that a run uses the store; the run rebuilds what gc removes", locks_hold},
    Check{"an edit changes a file's times", Verdict::Degraded,
          "of two edits of an input within this time, the second may be missed: wait, or touch the file", edits_show},
    Check{"names are case-sensitive", Verdict::Degraded, "two stages whose names differ by case share one link", names_are_case_sensitive},
    Check{"symbolic links work", Verdict::Degraded, "results/ stays empty; `satdl ls` and `satdl show` need it", links_point},
    Check{"the index works", Verdict::Degraded, "each command builds the index again, in memory", index_works},
};

}  // namespace

std::string_view name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::Ok: return "ok";
        case Verdict::Degraded: return "degraded";
        case Verdict::Fatal: return "fatal";
    }
    return "";
}

std::vector<FileSystemCheck> probe_file_system(const fs::path& folder, FileSystem& files) {
    std::vector<FileSystemCheck> made;
    for (const Check& check : kChecks) {
        Observation observed;
        try {
            const fs::path own = folder / std::to_string(made.size());
            files.make_folders(own);
            observed = check.look(own, files);
        } catch (const FileError& error) {
            observed = {false, error.diagnostics().front().message};
        }
        if (observed.holds) made.push_back({check.name, Verdict::Ok, observed.found, ""});
        else made.push_back({check.name, check.otherwise, observed.found, check.consequence});
    }
    return made;
}

}  // namespace satdl
