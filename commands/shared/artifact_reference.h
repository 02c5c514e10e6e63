// What an argument of `satdl show`, `diff`, `export` and `reproduce` names: a stage and perhaps a port or tensor of it, as a
// path
// ("m2/model/dense_1.weight") or as YAML has it ("m2.model").
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "commands/shared/result_links.h"
#include "commands/shared/session.h"

namespace satdl {

// For --help.
inline constexpr const char* kArtifactReference =
    "STAGE, STAGE/PORT or STAGE.PORT, STAGE/PORT/NAME, RUN:STAGE, a file, or a key";

// Digits of a key that name it.
inline constexpr std::size_t kShortestKey = 6;

struct ArtifactRef {
    std::string stage;  // "" if it was found by its path or key
    std::filesystem::path path;
    std::string tensor;    // "" = all; else a port or port/name, or what the user wrote if the artifact has no such
    bool is_file = false;  // named by its path: perhaps not of this store, nor of satdl
};

class ArtifactReferences {
public:
    // `dag`: whose stages are meant; "": those of the one that ran last. `open` must outlive it.
    ArtifactReferences(const StoreOptions& store, std::string dag, OpenStore& open) : options_(store), dag_(std::move(dag)), open_(open) {}

    // Throws Error{Usage} if there is no such artifact: with what would make it, or with the candidates if there are
    // several. A name of a tensor without its port is enough if only one port has it.
    [[nodiscard]] ArtifactRef find(const std::string& what);
    // Of the DAG whose stages are meant, once find() has found one of them.
    [[nodiscard]] const std::optional<ResultLinks>& results() const { return results_; }

private:
    [[nodiscard]] std::optional<ArtifactRef> by_key(const std::string& what);
    [[nodiscard]] std::optional<ArtifactRef> by_run(const std::string& what);
    [[nodiscard]] ArtifactRef by_stage(const std::string& what);
    [[nodiscard]] std::optional<ArtifactRef> split(const std::string& what, const std::vector<std::string>& stages) const;
    [[noreturn]] void refuse_unknown(const std::string& what, const std::vector<std::string>& stages) const;
    [[nodiscard]] std::string run_command(const std::string& stage) const;

    const StoreOptions options_;
    const std::string dag_;
    OpenStore& open_;
    std::optional<ResultLinks> results_;
};

// With every byte of its file verified; the arrays are views into it.
struct OpenArtifact {
    ArtifactHeader header;
    StageOutput outcome;
};
// Throws what header_of() throws.
[[nodiscard]] OpenArtifact open_artifact(const ArtifactRef& found, FileSystem& files);

// Throws DamagedArtifact, with a hint of its own if the user named a file: that may never have been an artifact, and no run makes it again.
[[nodiscard]] ArtifactHeader header_of(const ArtifactRef& found, FileSystem& files);

}  // namespace satdl
