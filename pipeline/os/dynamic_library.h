// dlopen, in one place: the code of stages and of the HDF5 writer comes in on first use.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace satdl {

class DynamicLibrary {
public:
    // RTLD_NOW | RTLD_LOCAL. Throws Error{Store} naming the file and the loader's reason.
    explicit DynamicLibrary(const std::filesystem::path& path);
    ~DynamicLibrary();  // leaves the code loaded: objects made by it may outlive this handle
    DynamicLibrary(const DynamicLibrary&) = delete;
    DynamicLibrary& operator=(const DynamicLibrary&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    // The symbol's address, or nullptr.
    [[nodiscard]] void* find(const std::string& symbol) const;

private:
    std::filesystem::path path_;
    void* handle_;
};

// The folder of the running program, where its own libraries lie (or ../lib beside it).
[[nodiscard]] std::filesystem::path program_folder();

}  // namespace satdl
