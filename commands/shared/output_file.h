// A file that a command writes at its end, opened before the work: a path that cannot be written is an error before anything has run.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace satdl {

// What a file that is written must not take the place of: files that the command reads, and whatever lies in a store.
struct ProtectedFiles {
    std::vector<std::filesystem::path> files;
    std::filesystem::path store;
};

// The file gets its name when it is complete; a device or a pipe is written directly. "-" is stdout.
class OutputFile {
public:
    // `what` is in the file, and `option` names it: both for the message. Throws Error{Usage}.
    OutputFile(const std::string& path, std::string what, std::string option, const ProtectedFiles& others);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    void write(const std::string& text);  // once; throws Error{Usage}
    [[nodiscard]] bool is_stdout() const { return named_ == kStdout; }

    static constexpr std::string_view kStdout = "-";

private:
    void check_replaceable(const ProtectedFiles& others) const;
    [[noreturn]] void refuse(const std::string& why) const;

    const std::string named_, what_, option_;
    std::filesystem::path path_, partial_;  // partial_: empty if the file is written directly
    std::ofstream file_;
};

}  // namespace satdl
