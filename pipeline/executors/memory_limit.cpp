#include "pipeline/executors/memory_limit.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "pipeline/core/unique_fd.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

// The kernel's files take a value in one write, and fail at once if they reject it.
bool put(const fs::path& file, const std::string& value) {
    const UniqueFd open(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    return open && ::write(open.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

// Without streams and fmt: this is linked into the reaper, which must start quickly.
std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == separator) parts.emplace_back();
        else parts.back() += c;
    }
    return parts;
}

std::vector<std::string> lines_of(const char* path) {
    const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
    std::string text;
    std::array<char, 4096> piece{};
    for (ssize_t got; file && (got = ::read(file.get(), piece.data(), piece.size())) > 0;)
        text.append(piece.data(), static_cast<std::size_t>(got));
    return split(text, '\n');
}

bool list_contains(const std::string& list, std::string_view word) {
    const auto words = split(list, ',');
    return std::ranges::find(words, word) != words.end();
}

// Our own group, as /proc/self/cgroup has it ("4:memory:/a/b", "0::/a/b").
std::optional<std::string> current_cgroup_path(LimitKind kind) {
    for (const std::string& line : lines_of("/proc/self/cgroup")) {
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        if (kind == LimitKind::CgroupV2 ? controllers.empty() : list_contains(controllers, "memory")) return line.substr(second + 1);
    }
    return std::nullopt;
}

// The folder of our own group: where the hierarchy is mounted ("31 23 0:28 ROOT MOUNTPOINT ... - TYPE SOURCE OPTIONS"), and our path in it.
std::optional<fs::path> current_cgroup(LimitKind kind) {
    const auto path = current_cgroup_path(kind);
    if (!path) return std::nullopt;
    for (const std::string& line : lines_of("/proc/self/mountinfo")) {
        const auto words = split(line, ' ');
        const auto dash = std::ranges::find(words, "-");
        if (words.size() < 6 || words.end() - dash < 4) continue;
        const bool fits = kind == LimitKind::CgroupV2 ? dash[1] == "cgroup2" : dash[1] == "cgroup" && list_contains(dash[3], "memory");
        if (!fits) continue;
        const std::string& root = words[3];  // in a container, a part of the hierarchy
        const fs::path mount = words[4];
        const std::string within = root != "/" && path->starts_with(root) ? path->substr(root.size()) : *path;
        const fs::path group = mount / fs::path(within).relative_path();
        std::error_code error;
        return fs::is_directory(group, error) ? group : mount;
    }
    return std::nullopt;
}

}  // namespace

std::string_view name_of(LimitKind kind) {
    switch (kind) {
        case LimitKind::CgroupV2: return "cgroup v2";
        case LimitKind::CgroupV1: return "cgroup v1";
        case LimitKind::Data: return "RLIMIT_DATA";
        case LimitKind::None: break;
    }
    return "none";
}

MemoryLimit::MemoryLimit(std::optional<std::uint64_t> bytes)
    : bytes_(bytes.value_or(0)), kind_(bytes ? LimitKind::Data : LimitKind::None) {
    if (!bytes) return;
    for (const LimitKind kind : {LimitKind::CgroupV2, LimitKind::CgroupV1}) {
        const auto own = current_cgroup(kind);
        // Version 2 gives no memory controller to a group below one that has processes: ours has us, but its neighbours may have it.
        if (own && (create_cgroup(*own, kind) || create_cgroup(own->parent_path(), kind))) return;
    }
}

bool MemoryLimit::create_cgroup(const fs::path& parent, LimitKind kind) {
    const fs::path group = parent / ("satdl-" + std::to_string(::getpid()));
    ::rmdir(group.c_str());  // that of a reaper of this number that was killed
    if (::mkdir(group.c_str(), 0755) != 0) return false;
    const bool second = kind == LimitKind::CgroupV2;
    if (!put(group / (second ? "memory.max" : "memory.limit_in_bytes"), std::to_string(bytes_))) {
        ::rmdir(group.c_str());
        return false;
    }
    // These need not be there: without swap accounting, or in older kernels.
    if (second) {
        (void)put(group / "memory.swap.max", "0");
        (void)put(group / "memory.oom.group", "1");
    } else {
        (void)put(group / "memory.memsw.limit_in_bytes", std::to_string(bytes_));
    }
    group_ = group;
    kind_ = kind;
    return true;
}

MemoryLimit::~MemoryLimit() {
    // The last of its processes has been waited for, but the kernel may still be busy with it.
    for (int i = 0; i < 100 && !group_.empty(); ++i) {
        if (::rmdir(group_.c_str()) == 0 || errno != EBUSY) return;
        ::usleep(10'000);
    }
}

LimitKind MemoryLimit::add_process(pid_t process) {
    if (!group_.empty() && !put(group_ / "cgroup.procs", std::to_string(process))) kind_ = LimitKind::Data;
    return kind_;
}

void MemoryLimit::limit_data(std::uint64_t bytes) {
    const rlimit limit{bytes, bytes};
    (void)::setrlimit(RLIMIT_DATA, &limit);
}

bool MemoryLimit::oom_killed() const {
    if (kind_ != LimitKind::CgroupV2 && kind_ != LimitKind::CgroupV1) return false;
    const char* const name = kind_ == LimitKind::CgroupV2 ? "memory.events" : "memory.oom_control";
    for (const std::string& line : lines_of((group_ / name).c_str()))
        if (line.starts_with("oom_kill ") && line != "oom_kill 0") return true;
    return false;
}

}  // namespace satdl
