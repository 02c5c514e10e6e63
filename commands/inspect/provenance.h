// Where an artifact comes from: the artifacts that it was made of, back to the source files. A recipe names its inputs by
// their content; which artifact had that content, the store says, and its stage's name the results folder or a run's record.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands/inspect/diff_causes.h"
#include "commands/shared/result_links.h"
#include "pipeline/catalog/catalog.h"
#include "pipeline/core/json.h"
#include "pipeline/store/open_store.h"
#include "report/facts.h"

namespace satdl {

using StageSettings = std::vector<std::pair<std::string, std::string>>;  // name, value as text

// The parameters of a recipe; if there are many, those that are not at their defaults, as far as the catalogue has the kind.
// `recorded`: of the run's record, for those that are in no recipe: the names of datasets and files; or null.
[[nodiscard]] StageSettings settings_of(const Recipe& recipe, const Catalog& catalog, const StageFacts* recorded);
// "epochs=2, loss=mse"
[[nodiscard]] std::string text_of(const StageSettings& settings);

struct ProvenanceNode {
    struct Input {
        std::string port, content;          // the latter: a digest in hex
        std::string from;                   // "noisy@train.images"; "" if the store has no such artifact
        std::optional<std::size_t> node{};  // in Provenance::nodes
    };
    Digest key;
    std::string stage;  // its name; the kind if nothing says a name
    std::string kind;
    StageSettings settings;
    std::vector<std::pair<std::string, std::string>> files;  // role, digest in hex
    std::vector<Input> inputs;
    std::vector<Table> tables;
};

struct Provenance {
    std::vector<ProvenanceNode> nodes;  // the artifact itself first; each once
};

class ProvenanceReader {
public:
    // `linked`: the stages whose names are preferred, as of the results folder.
    ProvenanceReader(OpenStore& open, const Catalog& catalog, std::vector<LinkedStage> linked)
        : open_(open), catalog_(catalog), linked_(std::move(linked)), makers_(open) {}

    [[nodiscard]] Provenance of(const ArtifactHeader& header);
    // The artifact that has this content, and the port; `from`: "noisy@train.images" if it is known. nullopt if the store
    // has none.
    [[nodiscard]] std::optional<ContentMakers::Maker> maker_of(const Digest& content, const std::string& from = {});
    [[nodiscard]] const LinkedStage* linked(const Digest& key) const;
    // As the newest record with a stage of this key says; null if there is none. Until the next call.
    [[nodiscard]] const StageFacts* recorded(const Digest& key);

private:
    std::size_t add(const ArtifactHeader& header, Provenance& all);

    OpenStore& open_;
    const Catalog& catalog_;
    const std::vector<LinkedStage> linked_;
    ContentMakers makers_;
    std::map<std::string, RunFacts> runs_;  // by id
    std::map<Digest, std::size_t> places_;  // in the provenance that is being read
};

// A tree; what several stages read is drawn once. At most `width` columns wide, where what does not fit is left out.
[[nodiscard]] std::string provenance_text(const Provenance& provenance, std::optional<int> width);
[[nodiscard]] Json provenance_json(const Provenance& provenance);

}  // namespace satdl
