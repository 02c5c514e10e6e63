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
namespace {

constexpr std::int64_t kUnsealed = -1;

}  // namespace

struct MappingWatch::Mapping {
    std::atomic<std::uintptr_t> begin{0};  // 0: free
    std::atomic<std::uintptr_t> end{0};
    std::atomic<int> watchers{0};
    std::atomic<bool> lost{false};  // a page of it was gone
    std::atomic<int> descriptor{-1};               // of an unnamed file
    std::atomic<std::int64_t> sealed_at{kUnsealed};  // when an unnamed file was last written, in nanoseconds
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
std::atomic<std::uint64_t> all_bytes{0};
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

std::int64_t modified_at(const struct stat& status) { return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec; }

// Of an unnamed file: no other process has it until it is sealed.
bool is_written_after_seal(const Mapping& mapping) {
    const std::int64_t sealed_at = mapping.sealed_at;
    struct stat now {};
    return sealed_at != kUnsealed && ::fstat(mapping.descriptor, &now) == 0 && modified_at(now) != sealed_at;
}

// What changed, as a clause; nullopt if nothing did. A file with another inode under its name says nothing about this one.
std::optional<std::string> change_of(const Mapping& mapping) {
    const std::string name = printable(mapping.path.string());
    if (mapping.descriptor >= 0 && !mapping.lost) {
        if (!is_written_after_seal(mapping)) return std::nullopt;
        return fmt::format("'{}' was modified", name);
    }
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

namespace {

void add_mapping(const void* address, std::size_t bytes, const std::filesystem::path& path, const struct stat& status, int descriptor) {
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
    mapping->descriptor = descriptor;
    mapping->sealed_at = kUnsealed;
    all_bytes += bytes;
    mapping->end.store(number_of(address) + bytes, std::memory_order_release);
    mapping->begin.store(number_of(address), std::memory_order_release);
}

}  // namespace

void register_mapping(const void* address, std::size_t bytes, const std::filesystem::path& path, const struct stat& status) {
    add_mapping(address, bytes, path, status, -1);
}

void register_unnamed_mapping(const void* address, std::size_t bytes, int descriptor, const std::filesystem::path& path) {
    add_mapping(address, bytes, path, {}, descriptor);
}

void seal_mapping(const void* address) {
    Mapping* const mapping = mapping_at(address);
    struct stat status {};
    if (mapping != nullptr && ::fstat(mapping->descriptor, &status) == 0) mapping->sealed_at = modified_at(status);
}

void lose_mapping(const void* address) {
    if (Mapping* const mapping = mapping_at(address)) mapping->lost = true;
}

bool is_in_mapping(const void* address) { return mapping_at(address) != nullptr; }

std::uint64_t mapped_bytes() { return all_bytes; }

void let_go_of_mapped_pages() {
    constexpr std::size_t kFew = 1 << 20;
    const std::scoped_lock lock(registering);  // so that none is unmapped meanwhile
    for (const Mapping* mapping = all_mappings; mapping != nullptr; mapping = mapping->next) {
        const std::uintptr_t begin = mapping->begin;
        const std::size_t bytes = mapping->end - begin;
        // A hint: where it fails, nothing changes.
        if (begin != 0 && bytes >= kFew) (void)::madvise(reinterpret_cast<void*>(begin), bytes, MADV_DONTNEED);
    }
}

void unregister_mapping(const void* address) {
    const std::scoped_lock lock(registering);
    Mapping* const mapping = first_mapping([at = number_of(address)](const Mapping& one) { return one.begin == at; });
    if (mapping == nullptr) return;
    all_bytes -= mapping->end - mapping->begin;
    mapping->begin.store(0, std::memory_order_release);
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
