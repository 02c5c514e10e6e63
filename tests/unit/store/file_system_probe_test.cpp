#include "pipeline/store/file_system_probe.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>

#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_folder.h"

using namespace satdl;
using test::TempFolder;

namespace {

// A file system that does one thing otherwise.
class Otherwise final : public FileSystem {
public:
    enum class Thing { LinkReplaces, RenameCopies, ReadsZeros, SyncFails };
    explicit Otherwise(Thing thing) : thing_(thing) {}

    std::optional<FileStamp> stamp(const std::filesystem::path& path) override { return real_->stamp(path); }
    std::unique_ptr<File> open(const std::filesystem::path& path) override {
        auto file = real_->open(path);
        if (thing_ != Thing::ReadsZeros) return file;
        return std::make_unique<WithZeros>(std::move(file));
    }
    std::vector<std::string> list(const std::filesystem::path& folder) override { return real_->list(folder); }
    void write_new(const std::filesystem::path& path, std::uint64_t size, std::span<const Extent> extents) override {
        real_->write_new(path, size, extents);
    }
    LinkResult link_new(const std::filesystem::path& from, const std::filesystem::path& to) override {
        if (thing_ == Thing::LinkReplaces) real_->remove(to);
        return real_->link_new(from, to);
    }
    void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
        real_->rename(from, to);
        if (thing_ == Thing::RenameCopies) std::filesystem::copy(to, from);
    }
    void remove(const std::filesystem::path& path) override { real_->remove(path); }
    void sync_folder(const std::filesystem::path& folder) override {
        if (thing_ == Thing::SyncFails) throw FileError(EIO, "sync", folder);
        real_->sync_folder(folder);
    }
    void make_folders(const std::filesystem::path& folder) override { std::filesystem::create_directories(folder); }
    void make_folder(const std::filesystem::path& folder) override { std::filesystem::create_directory(folder); }
    void append(const std::filesystem::path& path, std::string_view text, bool sync) override { real_->append(path, text, sync); }
    void point_link(const std::filesystem::path& target, const std::filesystem::path& link) override { real_->point_link(target, link); }
    std::uint64_t free_bytes(const std::filesystem::path& folder) override { return real_->free_bytes(folder); }

private:
    class WithZeros final : public File {
    public:
        explicit WithZeros(std::unique_ptr<File> below) : File(below->path()), below_(std::move(below)) {}
        FileStamp stamp() override { return below_->stamp(); }
        std::string read(std::uint64_t offset, std::size_t bytes) override {
            std::string text = below_->read(offset, bytes);
            if (text.size() > 5000) text[5000] = 0;
            return text;
        }
        MappedFile map() override { return below_->map(); }

    private:
        const std::unique_ptr<File> below_;
    };

    const Thing thing_;
    const std::unique_ptr<FileSystem> real_ = real_file_system();
};

std::vector<std::string> failed(const std::vector<FileSystemCheck>& checks) {
    std::vector<std::string> names;
    for (const FileSystemCheck& one : checks) {
        CHECK(one.consequence.empty() == (one.verdict == Verdict::Ok));
        CHECK_FALSE(one.found.empty());
        if (one.verdict != Verdict::Ok) names.push_back(one.name);
    }
    return names;
}

bool is_fatal(const FileSystemCheck& one) { return one.verdict == Verdict::Fatal; }

}  // namespace

TEST_CASE("On a usual file system a store can be kept") {
    const TempFolder folder;
    const auto checks = probe_file_system(folder.path(), *real_file_system());
    CHECK(checks.size() == 10);
    CHECK(std::ranges::none_of(checks, is_fatal));
}

TEST_CASE("A file system that fails one check is reported") {
    using Thing = Otherwise::Thing;
    const auto [thing, check] = GENERATE(table<Thing, std::string>({
        {Thing::LinkReplaces, "link() refuses an existing name"},
        {Thing::RenameCopies, "rename() replaces the old file"},
        {Thing::ReadsZeros, "bytes are read back as they were written"},
        {Thing::SyncFails, "fsync() works on files and folders"},
    }));
    const TempFolder folder;
    Otherwise files(thing);
    const auto checks = probe_file_system(folder.path(), files);
    const auto found = failed(checks);
    CHECK(std::ranges::count(found, check) == 1);
    CHECK(std::ranges::any_of(checks, is_fatal));
}

TEST_CASE("Whatever call fails is a finding, and no exception") {
    for (const std::size_t number : {1, 2, 5, 9, 20, 30}) {
        const TempFolder folder;
        const auto real = real_file_system();
        test::FaultyFileSystem files(*real);
        files.fail(number, EIO);
        CHECK(failed(probe_file_system(folder.path(), files)).size() >= 1);
    }
}
