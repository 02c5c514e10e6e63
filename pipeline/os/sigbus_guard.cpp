// The list and the previous action are static because a signal handler can reach nothing else. It reads the list without a lock: entries
// are never freed, only reused, and one is valid while its `begin` is not 0.
#include "pipeline/os/sigbus_guard.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <utility>

#include "pipeline/core/error.h"

namespace satdl {

struct MappingWatch::Mapping {
    std::atomic<std::uintptr_t> begin{0};  // 0: free
    std::atomic<std::uintptr_t> end{0};
    std::atomic<int> watchers{0};
    std::atomic<bool> lost{false};  // a page of it was gone
    Mapping* next = nullptr;        // constant once it is in the list

    // Written while it is free; then constant.
    std::filesystem::path path;
    struct stat status {};
    std::string crash_message;  // for stderr, if no MappingWatch watches it
};

namespace {

using Mapping = MappingWatch::Mapping;

std::atomic<Mapping*> all_mappings{nullptr};
std::mutex registering;  // held while the list is changed
struct sigaction previous_action {};
std::uintptr_t page_bytes = 0;
static_assert(std::atomic<Mapping*>::is_always_lock_free && std::atomic<std::uintptr_t>::is_always_lock_free &&
              std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

template <typename Fits>
Mapping* first_mapping(Fits fits) {
    Mapping* mapping = all_mappings.load(std::memory_order_acquire);
    while (mapping != nullptr && !fits(*mapping)) mapping = mapping->next;
    return mapping;
}

std::uintptr_t number_of(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

Mapping* mapping_at(const void* address) {
    return first_mapping([at = number_of(address)](const Mapping& mapping) {
        const std::uintptr_t begin = mapping.begin.load(std::memory_order_acquire);
        // The end may be that of the entry's next use: then it has another beginning by now.
        return begin != 0 && begin <= at && at < mapping.end.load(std::memory_order_acquire) &&
               mapping.begin.load(std::memory_order_acquire) == begin;
    });
}

// From the page at `address` to the end, which is gone as well.
bool map_zeros(const Mapping& mapping, const void* address) {
    const std::uintptr_t from = number_of(address) / page_bytes * page_bytes;
    const std::uintptr_t to = (mapping.end + page_bytes - 1) / page_bytes * page_bytes;
    void* const wanted = reinterpret_cast<void*>(from);
    return ::mmap(wanted, to - from, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == wanted;
}

// Nothing but atomics and calls that a signal handler may make.
extern "C" void on_sigbus(int number, siginfo_t* info, void*) {
    const int saved_errno = errno;
    Mapping* const mapping = info->si_code == BUS_ADRERR ? mapping_at(info->si_addr) : nullptr;
    if (mapping == nullptr) {
        ::sigaction(SIGBUS, &previous_action, nullptr);
        if (info->si_code <= 0) ::raise(number);  // sent by a process; a fault repeats by itself
        errno = saved_errno;
        return;
    }
    mapping->lost = true;
    if (mapping->watchers == 0 || !map_zeros(*mapping, info->si_addr)) {
        [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, mapping->crash_message.data(), mapping->crash_message.size());
        ::_exit(static_cast<int>(ExitCode::Store));
    }
    errno = saved_errno;
}

// What changed, as a clause; nullopt if nothing did. A file with another inode under its name says nothing about this one.
std::optional<std::string> change_of(const Mapping& mapping) {
    const std::string name = printable(mapping.path.string());
    const struct stat& before = mapping.status;
    struct stat now {};
    const bool is_same = ::stat(mapping.path.c_str(), &now) == 0 && now.st_dev == before.st_dev && now.st_ino == before.st_ino;
    if (is_same && now.st_size < before.st_size) return fmt::format("'{}' was truncated from {} to {} bytes", name, before.st_size, now.st_size);
    if (mapping.lost) return fmt::format("'{}' could no longer be read (was it truncated, or is the disk failing?)", name);
    const bool is_written = is_same && (now.st_size != before.st_size || now.st_mtim.tv_sec != before.st_mtim.tv_sec ||
                                        now.st_mtim.tv_nsec != before.st_mtim.tv_nsec);
    if (is_written) return fmt::format("'{}' was modified", name);
    return std::nullopt;
}

}  // namespace

void install_sigbus_guard() {
    page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    struct sigaction action {};
    action.sa_sigaction = on_sigbus;
    action.sa_flags = SA_SIGINFO;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, &previous_action);
}

void register_mapping(const void* address, std::size_t bytes, const std::filesystem::path& path, const struct stat& status) {
    std::string crash_message = fmt::format("satdl: '{}' was truncated or could no longer be read while it was in use\n  {}\n",
                                         printable(path.string()), kFileChangedHint);
    const std::scoped_lock lock(registering);
    Mapping* mapping = first_mapping([](const Mapping& one) { return one.begin == 0; });
    if (mapping == nullptr) {
        mapping = std::make_unique<Mapping>().release();
        mapping->next = all_mappings.load();
        all_mappings.store(mapping, std::memory_order_release);
    }
    mapping->path = path;
    mapping->status = status;
    mapping->crash_message = std::move(crash_message);
    mapping->lost = false;
    mapping->end.store(number_of(address) + bytes, std::memory_order_release);
    mapping->begin.store(number_of(address), std::memory_order_release);
}

void unregister_mapping(const void* address) {
    const std::scoped_lock lock(registering);
    Mapping* const mapping = first_mapping([at = number_of(address)](const Mapping& one) { return one.begin == at; });
    if (mapping != nullptr) mapping->begin.store(0, std::memory_order_release);
}

MappingWatch::~MappingWatch() {
    for (const Watched& watched : watched_) --watched.mapping->watchers;
}

void MappingWatch::add(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
    Mapping* const mapping = bytes.empty() ? nullptr : mapping_at(bytes.data());
    if (mapping == nullptr || std::ranges::find(watched_, mapping, &Watched::mapping) != watched_.end()) return;
    watched_.push_back({mapping, std::move(owner)});
    ++mapping->watchers;
}

void MappingWatch::add(const NamedArrays& group) {
    for (const auto& [name, array] : group) add(array.bytes(), array.owner());
}

void MappingWatch::add(const std::map<std::string, NamedArrays>& groups) {
    for (const auto& [port, group] : groups) add(group);
}

std::optional<std::string> MappingWatch::changed() const {
    for (const Watched& watched : watched_) {
        if (auto change = change_of(*watched.mapping)) return change;
    }
    return std::nullopt;
}

void MappingWatch::throw_if_changed() const {
    if (const auto change = changed()) throw Error(ExitCode::Store, *change + " while it was in use", kFileChangedHint);
}

}  // namespace satdl
