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

void tell_unreadable(const SourceFile& file, const Error& error, Diagnostics& diagnostics) {
    const auto* from_disk = dynamic_cast<const FileError*>(&error);
    if (from_disk != nullptr && from_disk->number() == ENOENT) {
        diagnostics.add(file.place, fmt::format("{}: there is no such file", subject(file)), advice(file));
        return;
    }
    for (const Diagnostic& found : error.diagnostics()) {
        diagnostics.add(found.place ? found.place : file.place, found.message, found.hint.empty() ? advice(file) : found.hint);
    }
}

// What was found of a file; told once, however many nodes read it.
struct Found {
    std::optional<Digest> digest;
    bool told = false;
};

Found look_at(const SourceFile& file, FileDigests& files, Diagnostics& diagnostics) {
    try {
        return {files.file_digest(file)};
    } catch (const Error& error) {
        tell_unreadable(file, error, diagnostics);
        return {std::nullopt, true};
    }
}

void check_promise(const SourceFile& file, Found& found, Diagnostics& diagnostics) {
    if (found.told || !file.expected || *found.digest == *file.expected) return;
    found.told = true;
    diagnostics.add(file.place, fmt::format("{}: this is not the file that the dataset's manifest promises", subject(file)),
                    fmt::format("expected SHA-256 {}\nfound    SHA-256 {}\n{}", file.expected->hex(), found.digest->hex(),
                                advice(file)));
}

}  // namespace

std::vector<std::vector<Digest>> digests_of_files(const Dag& dag, const std::vector<bool>& wanted, FileDigests& files) {
    Diagnostics diagnostics;
    std::map<std::filesystem::path, Found> known;
    std::vector<std::vector<Digest>> digests(dag.nodes.size());
    for (NodeId id = 0; id < dag.nodes.size(); ++id) {
        if (!wanted[id]) continue;
        for (const SourceFile& file : dag.nodes[id].files) {
            const auto [place, is_new] = known.try_emplace(file.path);
            if (is_new) place->second = look_at(file, files, diagnostics);
            check_promise(file, place->second, diagnostics);
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

// The digest tells what changed between the plan and the stage's end; the identity, what changed and was put back meanwhile.
std::optional<std::string> WatchedFiles::changed() const {
    for (std::size_t i = 0; i < before_.size(); ++i) {
        if (!before_[i]) continue;
        const SourceFile& file = node_.files[i];
        try {
            if (files_.file_stamp(file) == before_[i] && files_.file_digest(file) == digests_[i]) continue;
        } catch (const Error&) {  // gone, or being written at this moment
        }
        return fmt::format("{} changed while the stage read it", subject(file));
    }
    return std::nullopt;
}

}  // namespace satdl
