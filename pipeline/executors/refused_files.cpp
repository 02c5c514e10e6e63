#include "pipeline/executors/refused_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "pipeline/core/error.h"
#include "pipeline/executors/declarations.h"
#include "pipeline/os/paths.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostRefused = 200;
constexpr std::size_t kMostShown = 5;

bool is_there(const fs::path& path) {
    std::error_code error;
    return fs::symlink_status(path, error).type() != fs::file_type::not_found && !error;
}

bool is_read(FileUse::Kind kind) { return kind == FileUse::Kind::Read || kind == FileUse::Kind::Run; }

// Whether the kernel gets as far as asking whether it is allowed: a file that is not there is simply not found.
bool is_decided_by_rules(FileUse::Kind kind, const fs::path& path) {
    switch (kind) {
        case FileUse::Kind::Read:
        case FileUse::Kind::Run: return is_there(path);
        case FileUse::Kind::MakeFolder: return !is_there(path) && is_there(path.parent_path());
        case FileUse::Kind::Write:
        case FileUse::Kind::Change: break;
    }
    return is_there(path.parent_path());
}

std::string_view verb_of(FileUse::Kind kind) {
    switch (kind) {
        case FileUse::Kind::Read: return "read";
        case FileUse::Kind::Run: return "ran";
        case FileUse::Kind::Write: return "wrote";
        case FileUse::Kind::MakeFolder: return "made";
        case FileUse::Kind::Change: break;
    }
    return "changed";
}

// Python writes what it has compiled beside its modules, and does without if it cannot.
bool is_expected(FileUse::Kind kind, const fs::path& path) {
    return !is_read(kind) && (path.filename() == "__pycache__" || path.parent_path().filename() == "__pycache__");
}

}  // namespace

std::optional<fs::path> real_path_of(const FileUse& use) {
    const fs::path normal = use.path.lexically_normal();
    for (const std::string_view kernels : {"/proc/", "/sys/", "/dev/"})
        if (normal.string().starts_with(kernels)) return std::nullopt;
    std::error_code error;
    fs::path real = use.kind == FileUse::Kind::Change ? fs::weakly_canonical(use.path.parent_path(), error) / use.path.filename()
                                                      : fs::weakly_canonical(use.path, error);
    return error ? std::nullopt : std::optional(std::move(real));
}

void RefusedFiles::take(const FileUse& use) {
    if (is_read(use.kind) && access_.is_installed(use.path.lexically_normal())) return;  // most uses, and so the fastest
    const auto path = real_path_of(use);
    if (!path || access_.allows(use.kind, *path) || !is_decided_by_rules(use.kind, *path) || is_expected(use.kind, *path)) return;
    Refused one{use.kind, *path, program_name(use.process)};
    const std::scoped_lock lock(mutex_);
    std::erase_if(refused_, [&](const Refused& other) { return other.kind == one.kind && other.path == one.path; });
    if (refused_.size() < kMostRefused) refused_.push_back(std::move(one));
}

bool RefusedFiles::is_of_project(const Refused& one) const {
    std::error_code error;
    const fs::path project = fs::weakly_canonical(node_.command->project, error);
    return is_within(one.path, project);
}

// Relative to the project, if it is in there.
std::string RefusedFiles::name_of(const fs::path& path) const {
    std::error_code error;
    const fs::path relative = path.lexically_relative(fs::weakly_canonical(node_.command->project, error));
    return relative == "." || relative.empty() || *relative.begin() == ".." ? path.string() : relative.string();
}

std::string RefusedFiles::text_of(const Refused& one) const {
    return fmt::format("{} {} {}, which {}", one.program.empty() ? "it" : printable(one.program), verb_of(one.kind),
                       printable(name_of(one.path)), is_read(one.kind) ? "the stage does not declare" : "is outside of its folder");
}

std::string RefusedFiles::hint_for(const Refused& one) const {
    if (!is_read(one.kind)) return "a strict program writes into its own folder: its outputs, {work}, $TMPDIR";
    std::error_code error;
    if (fs::is_directory(one.path, error))
        return fmt::format("declare its files, or allow: [{}] if they do not count", printable(name_of(one.path)));
    if (is_of_project(one)) return fmt::format("{}; `satdl trace` finds all that it reads", declaration_of(name_of(one.path)));
    return fmt::format("{}, or allow: [{}] if it does not count", declaration_of(one.path), printable(one.path.parent_path().string()));
}

std::optional<RefusedFiles::Refusal> RefusedFiles::refusal() const {
    const std::scoped_lock lock(mutex_);
    if (refused_.empty()) return std::nullopt;
    const auto weight = [this](const Refused& one) { return !is_read(one.kind) ? 0 : is_of_project(one) ? 2 : 1; };
    const auto found =
        std::max_element(refused_.rbegin(), refused_.rend(), [&](const Refused& a, const Refused& b) { return weight(a) < weight(b); });
    Refusal refusal{text_of(*found), hint_for(*found)};
    std::vector<std::string> others;
    for (const Refused& one : refused_)
        if (&one != &*found) others.push_back(printable(name_of(one.path)));
    if (others.empty()) return refusal;
    const std::size_t shown = std::min(others.size(), kMostShown);
    refusal.hint +=
        fmt::format("\nrefused as well: {}{}", fmt::join(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                    shown < others.size() ? fmt::format(" and {} more", others.size() - shown) : "");
    return refusal;
}

std::vector<std::string> RefusedFiles::reads_of_project() const {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> texts;
    for (const Refused& one : refused_)
        if (is_read(one.kind) && is_of_project(one)) texts.push_back(text_of(one));
    return texts;
}

}  // namespace satdl
