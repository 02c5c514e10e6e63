// dlopen, in one place: the code of stages and of the HDF5 writer is loaded on first use.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace satdl {

class SharedLibrary {
public:
    // RTLD_NOW | RTLD_LOCAL. Throws Error{Store} naming the file and the loader's reason.
    explicit SharedLibrary(const std::filesystem::path& path);
    ~SharedLibrary();  // leaves the code loaded: objects made by it may outlive this handle
    SharedLibrary(const SharedLibrary&) = delete;
    SharedLibrary& operator=(const SharedLibrary&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    // The symbol's address, or nullptr.
    [[nodiscard]] void* find(const std::string& symbol) const;

private:
    std::filesystem::path path_;
    void* handle_;
};

// The folder of the running program, where its own libraries are (or ../lib next to it).
[[nodiscard]] std::filesystem::path program_folder();

}  // namespace satdl
