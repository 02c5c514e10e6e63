// A file system with one file whose bytes are a string; for damaging it thousands of times without a disk.
#pragma once

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "pipeline/os/file_system.h"

namespace satdl::test {

class TextFileSystem : public FileSystem {
public:
    std::string text;

    std::optional<FileStamp> stamp(const std::filesystem::path&) override { return stamp_of(text); }
    std::unique_ptr<File> open(const std::filesystem::path& path) override { return std::make_unique<TextFile>(path, text); }

    // It is for reading only.
    std::vector<std::string> list(const std::filesystem::path& folder) override { refuse("list", folder); }
    void write_new(const std::filesystem::path& path, std::uint64_t, std::span<const Extent>) override {
        refuse("write", path);
    }
    LinkResult link_new(const std::filesystem::path&, const std::filesystem::path& to) override { refuse("link to", to); }
    void rename(const std::filesystem::path&, const std::filesystem::path& to) override { refuse("rename to", to); }
    void remove(const std::filesystem::path& path) override { refuse("remove", path); }
    void sync_folder(const std::filesystem::path& folder) override { refuse("sync", folder); }
    void make_folders(const std::filesystem::path& folder) override { refuse("make", folder); }
    void make_folder(const std::filesystem::path& folder) override { refuse("make", folder); }
    void append(const std::filesystem::path& path, std::string_view, bool) override { refuse("append to", path); }
    void point_link(const std::filesystem::path&, const std::filesystem::path& link) override { refuse("link", link); }
    std::uint64_t free_bytes(const std::filesystem::path&) override { return 0; }

private:
    static FileStamp stamp_of(const std::string& text) { return {1, 1, text.size(), 1, 1}; }

    class TextFile final : public File {
    public:
        TextFile(const std::filesystem::path& path, const std::string& text) : File(path), text_(text) {}
        FileStamp stamp() override { return stamp_of(text_); }
        std::string read(std::uint64_t offset, std::size_t bytes) override {
            return offset < text_.size() ? text_.substr(offset, bytes) : std::string();
        }
        MappedFile map() override { return {std::as_bytes(std::span(text_)), nullptr, stamp()}; }

    private:
        const std::string& text_;
    };

    [[noreturn]] static void refuse(const char* what, const std::filesystem::path& path) {
        throw FileError(EROFS, what, path);
    }
};

}  // namespace satdl::test
