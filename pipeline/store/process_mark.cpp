#include "pipeline/store/process_mark.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "pipeline/core/digest.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

// Tells this process from those of another host, boot or container, whose process numbers mean nothing here. Not through
// FileSystem, which takes stat's word for a file's length: files below /proc say 0.
const std::string& origin_of_process() {
    static const std::string origin = []() -> std::string {
        std::string boot;
        std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
        std::error_code ignored;
        const std::string space = fs::read_symlink("/proc/self/ns/pid", ignored).string();
        return boot.empty() || space.empty() ? "" : sha256(boot + space).hex().substr(0, 16);  // "": not known
    }();
    return origin;
}

}  // namespace

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

std::string name_with_process(std::string name, std::uint64_t number) {
    std::ranges::replace(name, '.', '-');
    return fmt::format("{}.{}.{}.{}", name, origin_of_process(), ::getpid(), number);
}

std::optional<bool> process_lives(const std::string& name) {
    const std::string& origin = origin_of_process();
    std::array<std::string, 4> parts;
    std::size_t part = 0;
    for (const char c : name) {
        if (c == '.' && part + 1 < parts.size()) ++part;
        else parts[part] += c;
    }
    pid_t process = 0;
    const auto [end, error] = std::from_chars(parts[2].data(), parts[2].data() + parts[2].size(), process);
    if (origin.empty() || parts[1] != origin || error != std::errc() || process <= 0) return std::nullopt;
    return ::kill(process, 0) == 0 || errno == EPERM;
}

}  // namespace satdl
