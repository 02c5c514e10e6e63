#include "pipeline/os/resource_usage.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace satdl {

namespace {

// There is one process, so there is one of each: how many meters there are, and how many there have been.
std::atomic<int> meters = 0;
std::atomic<std::uint64_t> meters_ever = 0;
thread_local ResourceUsage children;

ResourceUsage own_usage() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage_of(usage);
}

// proc(5), /proc/PID/clear_refs: 5 sets the greatest resident size, which is what ru_maxrss has, to the present one.
void forget_peak() {
    const int file = ::open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0) return;
    [[maybe_unused]] const auto written = ::write(file, "5", 1);
    ::close(file);
}

}  // namespace

ResourceUsage usage_of(const rusage& usage) {
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return {.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime),
            .peak_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024};
}

ProcessMeter::ProcessMeter() : cpu_seconds_before_(own_usage().cpu_seconds) {
    began_alone_ = meters.fetch_add(1) == 0;
    others_before_ = meters_ever.fetch_add(1) + 1;
    if (began_alone_) forget_peak();
}

ProcessMeter::~ProcessMeter() {
    meters.fetch_sub(1);
}

ResourceUsage ProcessMeter::usage() const {
    const ResourceUsage now = own_usage();
    return {.cpu_seconds = now.cpu_seconds - cpu_seconds_before_,
            .peak_bytes = now.peak_bytes,
            .shared = !began_alone_ || meters_ever.load() != others_before_};
}

void add_child_usage(const ResourceUsage& child) {
    children.cpu_seconds += child.cpu_seconds;
    children.peak_bytes = std::max(children.peak_bytes, child.peak_bytes);
}

ResourceUsage take_child_usage() {
    return std::exchange(children, {});
}

}  // namespace satdl
