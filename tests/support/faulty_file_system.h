// A file system around another one that records every call and makes chosen ones fail: the n-th, once or from then
// on. A call that fails may have done its work (rename(2) over a network), or half of it: `Fault::After`.
#pragma once

#include <cerrno>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "pipeline/os/file_system.h"

namespace satdl::test {

enum class Fault {
    Before,  // the call fails and has done nothing
    After,   // the call fails after it has done its work
};

class FaultyFileSystem final : public FileSystem {
public:
    explicit FaultyFileSystem(FileSystem& below) : below_(below) {}

    // The `number`-th call from now on (counted from 1) fails with `error`, and so do the `times - 1` after it.
    void fail(std::size_t number, int error, std::size_t times = 1, Fault fault = Fault::Before) {
        const std::scoped_lock lock(mutex_);
        calls_.clear();
        first_ = number;
        times_ = times;
        error_ = error;
        fault_ = fault;
    }
    static constexpr std::size_t kForEver = std::numeric_limits<std::size_t>::max();
    void heal() { fail(0, 0, 0); }

    [[nodiscard]] std::vector<std::string> calls() const {
        const std::scoped_lock lock(mutex_);
        return calls_;
    }

    std::optional<FileStamp> stamp(const std::filesystem::path& path) override {
        return call("identity", path, [&] { return below_.stamp(path); });
    }
    std::unique_ptr<File> open(const std::filesystem::path& path) override {
        return call("open", path, [&]() -> std::unique_ptr<File> { return std::make_unique<OpenFile>(*this, below_.open(path)); });
    }
    std::vector<std::string> list(const std::filesystem::path& folder) override {
        return call("list", folder, [&] { return below_.list(folder); });
    }
    void write_new(const std::filesystem::path& path, std::uint64_t size, std::span<const Extent> extents) override {
        call("write_new", path, [&] { below_.write_new(path, size, extents); });
    }
    LinkResult link_new(const std::filesystem::path& from, const std::filesystem::path& to) override {
        return call("link_new", to, [&] { return below_.link_new(from, to); });
    }
    void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
        call("rename", to, [&] { below_.rename(from, to); });
    }
    void remove(const std::filesystem::path& path) override {
        call("remove", path, [&] { below_.remove(path); });
    }
    void sync_folder(const std::filesystem::path& folder) override {
        call("sync_folder", folder, [&] { below_.sync_folder(folder); });
    }
    void make_folders(const std::filesystem::path& folder) override {
        call("make_folders", folder, [&] { below_.make_folders(folder); });
    }
    void make_folder(const std::filesystem::path& folder) override {
        call("make_folder", folder, [&] { below_.make_folder(folder); });
    }
    void append(const std::filesystem::path& path, std::string_view text, bool sync) override {
        call("append", path, [&] { below_.append(path, text, sync); });
    }
    void point_link(const std::filesystem::path& target, const std::filesystem::path& link) override {
        call("point_link", link, [&] { below_.point_link(target, link); });
    }
    std::uint64_t free_bytes(const std::filesystem::path& folder) override {
        return call("free_bytes", folder, [&] { return below_.free_bytes(folder); });
    }

private:
    // Each call of an open file counts, and can fail, as one of the file system's own.
    class OpenFile final : public File {
    public:
        OpenFile(FaultyFileSystem& all, std::unique_ptr<File> below) : File(below->path()), all_(all), below_(std::move(below)) {}
        FileStamp stamp() override {
            return all_.call("identity", path(), [&] { return below_->stamp(); });
        }
        std::string read(std::uint64_t offset, std::size_t bytes) override {
            return all_.call("read", path(), [&] { return below_->read(offset, bytes); });
        }
        MappedFile map() override {
            return all_.call("map", path(), [&] { return below_->map(); });
        }

    private:
        FaultyFileSystem& all_;
        const std::unique_ptr<File> below_;
    };

    template <typename Function>
    std::invoke_result_t<Function> call(const char* name, const std::filesystem::path& path, Function function) {
        const auto [fails, fault, error] = next(name, path);
        if (!fails) return function();
        if (fault == Fault::After) static_cast<void>(function());
        throw FileError(error, name, path);
    }

    struct Verdict {
        bool fails;
        Fault fault;
        int error;
    };
    Verdict next(const char* name, const std::filesystem::path& path) {
        const std::scoped_lock lock(mutex_);
        calls_.push_back(std::string(name) + " " + path.filename().string());
        return {first_ != 0 && calls_.size() >= first_ && calls_.size() - first_ < times_, fault_, error_};
    }

    FileSystem& below_;
    mutable std::mutex mutex_;
    std::vector<std::string> calls_;
    std::size_t first_ = 0;
    std::size_t times_ = 0;
    int error_ = 0;
    Fault fault_ = Fault::Before;
};

}  // namespace satdl::test
