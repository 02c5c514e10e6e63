// Runs a program through the shell and captures its output.
#pragma once

#include <cstdio>
#include <stdexcept>
#include <string>

namespace satdl::test {

struct CommandResult {
    int status = -1;  // as std::system returns it: 0 if the program succeeded
    std::string output;
};

inline CommandResult run_command(const std::string& command) {
    std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
    CommandResult result;
    char piece[4096];
    for (std::size_t got = 0; (got = std::fread(piece, 1, sizeof piece, pipe)) > 0;) result.output.append(piece, got);
    result.status = ::pclose(pipe);
    return result;
}

}  // namespace satdl::test
