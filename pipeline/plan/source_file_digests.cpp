#include "pipeline/plan/source_file_digests.h"

#include <fmt/format.h>

#include <cerrno>
#include <map>
#include <optional>

#include "pipeline/os/file_system.h"

namespace satdl {
namespace {

std::string advice(const SourceFile& file) {
    return file.dataset.empty() ? "check the path" : fmt::format("run `satdl data fetch {}`", file.dataset);
}

std::string subject(const SourceFile& file) {
    const std::string path = printable(file.path.string());
    return file.dataset.empty() ? path : fmt::format("{} (dataset {})", path, file.dataset);
}

void report_unreadable(const SourceFile& file, const Error& error, Diagnostics& diagnostics) {
    const auto* from_disk = dynamic_cast<const FileError*>(&error);
    if (from_disk != nullptr && from_disk->number() == ENOENT) {
        diagnostics.add(file.place, fmt::format("{}: no such file", subject(file)), advice(file));
        return;
    }
    for (const Diagnostic& found : error.diagnostics()) {
        diagnostics.add(found.place ? found.place : file.place, found.message, found.hint.empty() ? advice(file) : found.hint);
    }
}

// The result for a file; reported once, however many nodes read it.
struct FileResult {
    std::optional<Digest> digest;
    bool reported = false;
};

FileResult digest_of_file(const SourceFile& file, FileDigests& files, Diagnostics& diagnostics) {
    try {
        return {files.file_digest(file)};
    } catch (const Error& error) {
        report_unreadable(file, error, diagnostics);
        return {std::nullopt, true};
    }
}

void check_against_manifest(const SourceFile& file, FileResult& found, Diagnostics& diagnostics) {
    if (found.reported || !file.expected || *found.digest == *file.expected) return;
    found.reported = true;
    diagnostics.add(file.place, fmt::format("{}: this file does not match the dataset's manifest", subject(file)),
                    fmt::format("expected SHA-256 {}\nfound    SHA-256 {}\n{}", file.expected->hex(), found.digest->hex(),
                                advice(file)));
}

}  // namespace

std::vector<std::vector<Digest>> digests_of_files(const Dag& dag, const std::vector<bool>& wanted, FileDigests& files) {
    Diagnostics diagnostics;
    std::map<std::filesystem::path, FileResult> known;
    std::vector<std::vector<Digest>> digests(dag.nodes.size());
    for (NodeId id = 0; id < dag.nodes.size(); ++id) {
        if (!wanted[id]) continue;
        for (const SourceFile& file : dag.nodes[id].files) {
            const auto [place, is_new] = known.try_emplace(file.path);
            if (is_new) place->second = digest_of_file(file, files, diagnostics);
            check_against_manifest(file, place->second, diagnostics);
            digests[id].push_back(place->second.digest.value_or(Digest{}));
        }
    }
    if (!diagnostics.empty()) throw Error(ExitCode::Store, diagnostics.found());
    return digests;
}

WatchedFiles::WatchedFiles(const Node& node, const std::vector<Digest>& digests, FileDigests& files)
    : node_(node), digests_(digests), files_(files) {
    for (const SourceFile& file : node.files) before_.push_back(files_.file_stamp(file));
}

// The digest shows what changed between the plan and the stage's end; the stamp, what was changed and restored meanwhile.
std::optional<std::string> WatchedFiles::changed() const {
    for (std::size_t i = 0; i < before_.size(); ++i) {
        if (!before_[i]) continue;
        const SourceFile& file = node_.files[i];
        try {
            if (files_.file_stamp(file) == before_[i] && files_.file_digest(file) == digests_[i]) continue;
        } catch (const Error&) {  // gone, or being written right now
        }
        return fmt::format("{} changed while the stage read it", subject(file));
    }
    return std::nullopt;
}

}  // namespace satdl
