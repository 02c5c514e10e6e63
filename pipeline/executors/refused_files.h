// What a strict program tried to open and could not, in a user's words: the kernel refuses without a name (EACCES), and a program reports
// it in its own way, or not at all.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/executors/command_access.h"

namespace satdl {

class RefusedFiles {
public:
    // References outlive this.
    RefusedFiles(const Node& node, const CommandAccess& access) : node_(node), access_(access) {}

    // What it opens: from any thread, before it goes on.
    void take(const FileUse& use);

    struct Refusal {
        std::string text;  // "python3 read raw/other.csv, which the stage does not declare"
        std::string hint;
    };
    // The one that matters most: the last one of the project that it wanted to read, else the last at all. nullopt: nothing was refused.
    [[nodiscard]] std::optional<Refusal> refusal() const;
    // Of the project's files that were to be read: it may go on without them, and succeed.
    [[nodiscard]] std::vector<std::string> reads_of_project() const;

private:
    struct Refused {
        FileUse::Kind kind;
        std::filesystem::path path;  // without links
        std::string program;
    };
    [[nodiscard]] bool is_of_project(const Refused& one) const;
    [[nodiscard]] std::string name_of(const std::filesystem::path& path) const;
    [[nodiscard]] std::string text_of(const Refused& one) const;
    [[nodiscard]] std::string hint_for(const Refused& one) const;

    const Node& node_;
    const CommandAccess& access_;
    mutable std::mutex mutex_;
    std::vector<Refused> refused_;  // guarded by mutex_; each once
};

// Where a use leads, without links. nullopt: to a file of the kernel's, such as /proc/self/maps.
[[nodiscard]] std::optional<std::filesystem::path> real_path_of(const FileUse& use);

}  // namespace satdl
