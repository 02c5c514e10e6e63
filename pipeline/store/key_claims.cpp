#include "pipeline/store/key_claims.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "pipeline/core/json.h"
#include "pipeline/core/unique_fd.h"
#include "pipeline/core/utf8.h"
#include "pipeline/os/write_all.h"
#include "pipeline/store/layout.h"
#include "pipeline/store/process_mark.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

enum class Flock { Ours, Theirs, Unsupported };

Flock lock_now(const UniqueFd& file) {
    int result = 0;
    do result = ::flock(file.get(), LOCK_EX | LOCK_NB);
    while (result != 0 && errno == EINTR);
    if (result == 0) return Flock::Ours;
    return errno == EWOULDBLOCK ? Flock::Theirs : Flock::Unsupported;
}

UniqueFd opened(const fs::path& path) {
    const auto open_it = [&] { return UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)); };
    UniqueFd file = open_it();
    if (file || errno != ENOENT) return file;
    std::error_code ignored;
    fs::create_directory(path.parent_path(), ignored);
    return open_it();
}

std::string text_in(const UniqueFd& file) {
    std::array<char, 4096> buffer{};
    const ssize_t bytes = ::pread(file.get(), buffer.data(), buffer.size(), 0);
    return bytes > 0 ? std::string(buffer.data(), static_cast<std::size_t>(bytes)) : "";
}

std::string text_of(const ClaimHolder& holder) {
    return dump_json(Json{{"process", holder.process}, {"host", holder.host}, {"run", holder.run}}) + '\n';
}

ClaimHolder holder_in(const std::string& text) {
    const Json json = Json::parse(text, nullptr, false);
    const auto part = [&](const char* name) {
        return json.is_object() && json.contains(name) && json[name].is_string() ? printable(json[name].get<std::string>())
                                                                                 : "";
    };
    return {.process = part("process"), .host = part("host"), .run = part("run")};
}

// Whether the file is still the one of that name: its holder may have removed it after we opened it.
bool has_name(const UniqueFd& file, const fs::path& path) {
    struct stat opened{}, named{};
    return ::fstat(file.get(), &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
}

}  // namespace

std::string ClaimHolder::text() const {
    if (run.empty()) return "another process";
    return host.empty() ? fmt::format("run {}", run) : fmt::format("run {} on host {}", run, host);
}

bool is_claim_held(const fs::path& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return file && lock_now(file) == Flock::Theirs;
}

// ---- what other hosts see
// ---------------------------------------------------------------------------------------------------

// Touches the files of all claims again and again.
struct ClaimFiles::Renewals {
    explicit Renewals(std::chrono::milliseconds interval) : interval_(interval) {}

    void add(int file) {
        const std::scoped_lock lock(mutex_);
        files_.insert(file);
        if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { renew(stop); });
    }
    void remove(int file) {
        const std::scoped_lock lock(mutex_);
        files_.erase(file);
    }

private:
    void renew(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (!wake_.wait_for(lock, stop, interval_, [&] { return stop.stop_requested(); }))
            for (const int file : files_) ::futimens(file, nullptr);
    }

    const std::chrono::milliseconds interval_;
    std::mutex mutex_;
    std::set<int> files_;  // guarded by mutex_
    std::condition_variable_any wake_;
    std::jthread thread_;  // the last: it uses all the others
};

// Whether the time of another host's claim has stood still for too long, since this process first saw it so.
bool ClaimFiles::has_expired(const Digest& key, std::pair<std::int64_t, std::int64_t> changed) {
    const auto now = std::chrono::steady_clock::now();
    const std::scoped_lock lock(mutex_);
    const auto [sighting, is_first] = seen_.try_emplace(key, Sighting{changed, now});
    if (sighting->second.changed != changed) sighting->second = {changed, now};
    return now - sighting->second.since >= lease_.expiry;
}

// ---- claims
// -----------------------------------------------------------------------------------------------------------------

class ClaimFiles::FileClaim final : public Claim {
public:
    FileClaim(fs::path path, UniqueFd file, std::string text, std::shared_ptr<Renewals> renewals)
        : path_(std::move(path)), file_(std::move(file)), text_(std::move(text)), renewals_(std::move(renewals)) {
        renewals_->add(file_.get());
    }
    ~FileClaim() override {
        renewals_->remove(file_.get());
        // If this process was suspended for so long that another host took the claim, the file is that one's.
        if (text_in(file_) == text_ && has_name(file_, path_)) ::unlink(path_.c_str());
    }

private:
    const fs::path path_;
    const UniqueFd file_;
    const std::string text_;
    const std::shared_ptr<Renewals> renewals_;
};

ClaimFiles::ClaimFiles(const fs::path& store_folder, ClaimHolder self, LeaseTimes lease)
    : folder_(store_folder / store_layout::kClaims),
      self_(std::move(self)),
      lease_(lease),
      renewals_(std::make_shared<Renewals>(lease.renewal)) {}

ClaimFiles::~ClaimFiles() = default;

std::variant<std::unique_ptr<Claim>, ClaimHolder> ClaimFiles::claim(const Digest& key) {
    const fs::path path = folder_ / key.hex();
    for (;;) {
        UniqueFd file = opened(path);
        if (!file) return std::make_unique<Claim>();
        const Flock lock = lock_now(file);
        const ClaimHolder holder = holder_in(text_in(file));
        if (lock == Flock::Theirs) return holder;
        if (!has_name(file, path)) continue;
        if (!holder.process.empty()) {
            // Known of this machine: a flock that could be had is one whose holder has ended. A host of our name but of
            // another boot is ours before it was restarted.
            const auto lives = process_lives(holder.process);
            const bool is_here = lives || (lock == Flock::Ours && holder.host == self_.host);
            if (lock == Flock::Unsupported && lives.value_or(false)) return holder;
            struct stat status{};
            ::fstat(file.get(), &status);
            if (!is_here && !has_expired(key, {status.st_mtim.tv_sec, status.st_mtim.tv_nsec})) return holder;
        }
        const std::string text = text_of(self_);
        if (::ftruncate(file.get(), 0) != 0 || write_all_at(file.get(), std::as_bytes(std::span(text)), 0) != text.size()) {
            ::unlink(path.c_str());
            return std::make_unique<Claim>();
        }
        return std::make_unique<FileClaim>(path, std::move(file), text, renewals_);
    }
}

}  // namespace satdl
