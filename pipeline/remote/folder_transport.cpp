#include "pipeline/remote/folder_transport.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "pipeline/core/unique_fd.h"
#include "pipeline/core/utf8.h"
#include "pipeline/store/process_mark.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1 << 20;
constexpr const char* kStaging = "tmp";

class FolderTransport final : public Transport {
public:
    FolderTransport(fs::path folder, FileSystem& files, std::function<bool()> is_stopped)
        : folder_(std::move(folder)), place_(folder_.string()), files_(files), is_stopped_(std::move(is_stopped)) {}

    void perform(std::span<Transfer> transfers, const Ended& ended) override {
        for (Transfer& transfer : transfers) {
            if (is_stopped_()) return;
            if (transfer.direction == Transfer::Direction::Get) get(transfer);
            else put(transfer);
            if (transfer.outcome != TransferOutcome::NotTried && !ended(transfer)) return;
        }
    }

    [[nodiscard]] const std::string& place() const override { return place_; }

private:
    static void fail(Transfer& transfer, int number, std::string_view doing) {
        transfer.outcome = number == EACCES || number == EPERM || number == EROFS ? TransferOutcome::Denied : TransferOutcome::Failed;
        transfer.problem = std::string(doing) + ": " + std::strerror(number);
    }

    void get(Transfer& transfer) {
        const fs::path path = folder_ / transfer.name;
        const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        if (!file) {
            if (errno == ENOENT || errno == ESTALE) transfer.outcome = folder_exists() ? TransferOutcome::Missing : TransferOutcome::Failed;
            else return fail(transfer, errno, "cannot open a file");
            if (transfer.outcome == TransferOutcome::Failed) transfer.problem = "there is no such folder";
            return;
        }
        struct stat status {};
        if (::fstat(file.get(), &status) != 0) return fail(transfer, errno, "cannot look at a file");
        if (!S_ISREG(status.st_mode)) return fail(transfer, EINVAL, "it is no file");
        if (static_cast<std::uint64_t>(status.st_size) > transfer.max_bytes) {
            transfer.outcome = TransferOutcome::TooLong;
            transfer.problem = "it is longer than it may be";
            return;
        }
        read(file.get(), transfer);
    }

    void read(int file, Transfer& transfer) {
        std::vector<std::byte> piece(std::min<std::uint64_t>(kPieceBytes, transfer.max_bytes + 1));
        while (!is_stopped_()) {
            const ssize_t count = ::read(file, piece.data(), piece.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return fail(transfer, errno, "cannot read a file");
            if (count == 0) {
                transfer.outcome = TransferOutcome::Done;
                return;
            }
            transfer.moved += static_cast<std::uint64_t>(count);
            if (transfer.moved > transfer.max_bytes) {  // it grows
                transfer.outcome = TransferOutcome::TooLong;
                transfer.problem = "it is longer than it may be";
                return;
            }
            if (!transfer.receive(std::span(piece).first(static_cast<std::size_t>(count)))) {
                transfer.outcome = TransferOutcome::Stopped;
                return;
            }
        }
    }

    // The folder itself is the user's to make: a remote that is not mounted now must not become a folder of that name on the local disk.
    [[nodiscard]] bool folder_exists() const {
        std::error_code unknown;
        return fs::is_directory(folder_, unknown);
    }

    void put(Transfer& transfer) {
        try {
            if (!folder_exists()) return fail(transfer, ENOENT, "cannot write there");
            const fs::path path = folder_ / transfer.name;
            const fs::path staged = folder_ / kStaging / name_with_process(path.filename().string(), written_.fetch_add(1));
            if (is_there(path, transfer)) {
                transfer.outcome = TransferOutcome::Done;
                return;
            }
            files_.make_folder(path.parent_path());
            files_.make_folder(staged.parent_path());
            const Extent whole{0, transfer.body};
            files_.write_new(staged, transfer.body.size(), {&whole, 1});
            name_it(staged, path, transfer.replace);
            transfer.moved = transfer.body.size();
            transfer.outcome = TransferOutcome::Done;
        } catch (const FileError& error) {
            fail(transfer, error.number(), "cannot write there");
        }
    }

    // One that another size has was torn, by a loss of power perhaps.
    bool is_there(const fs::path& path, const Transfer& transfer) {
        if (transfer.replace) return false;
        const auto stamp = files_.stamp(path);
        if (!stamp) return false;
        if (!transfer.name.starts_with("cas/") || stamp->bytes == transfer.body.size()) return true;
        files_.remove(path);
        return false;
    }

    void name_it(const fs::path& staged, const fs::path& path, bool replace) {
        try {
            if (replace) files_.remove(path);
            (void)files_.link_new(staged, path);  // another one may have been first: it is as good
            files_.remove(staged);
        } catch (const FileError&) {
            files_.remove(staged);
            throw;
        }
        files_.sync_folder(path.parent_path());
    }

    const fs::path folder_;
    const std::string place_;
    FileSystem& files_;
    const std::function<bool()> is_stopped_;
    std::atomic<std::uint64_t> written_{0};  // for names
};

// Of a folder that exists.
bool only_own_writes(const fs::path& folder) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0) return false;
    return (status.st_uid == ::geteuid() || status.st_uid == 0) && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

}  // namespace

std::unique_ptr<Transport> folder_transport(const fs::path& folder, FileSystem& files, std::function<bool()> is_stopped) {
    return std::make_unique<FolderTransport>(folder, files, std::move(is_stopped));
}

bool is_own_folder(const fs::path& folder) {
    std::error_code unknown;
    if (!only_own_writes(folder)) return false;
    for (const char* below : {"ac", "cas"})
        if (fs::exists(fs::symlink_status(folder / below, unknown)) && !only_own_writes(folder / below)) return false;
    return true;
}

}  // namespace satdl
