// `show --wrong`: the samples that a stage got wrong, as pictures or as rows, with their true and predicted classes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands/inspect/provenance.h"
#include "commands/shared/artifact_reference.h"
#include "pipeline/core/json.h"
#include "pipeline/display/terminal_image.h"

namespace satdl {

struct WrongAnswer {
    std::int64_t sample = 0, label = 0, answer = 0;  // counted from 0
    double output = 0;                               // of the answer's class
};

struct WrongAnswers {
    std::vector<WrongAnswer> answers;      // the surest first; as many as were asked for
    std::int64_t all = 0, samples = 0;     // all wrong ones; of so many
    std::optional<Array> inputs;           // of these samples, in their order, if the store has them
    std::vector<std::string> class_names;  // or none
};

// Throws Error{Usage} if the artifact has no predictions of classes, or the store no longer has the right classes.
[[nodiscard]] WrongAnswers wrong_answers(const OpenArtifact& artifact, std::int64_t count, const Catalog& catalog,
                                         OpenStore& open, ProvenanceReader& provenance);

// The names of the classes from the table `classes` of whatever the artifact was made of; none if there is no such table.
[[nodiscard]] std::vector<std::string> class_names(const Provenance& provenance, std::int64_t classes);

// The name of the port with this role; "" if none has it.
[[nodiscard]] std::string port_of(const std::vector<PortDescription>& ports, PortRole role);

// Of the samples that such a stage read, those of these numbers, if the store has them.
[[nodiscard]] std::optional<Array> samples_read(const Recipe& recipe, const StageDescription& stage, const std::vector<std::int64_t>& numbers,
                                                OpenStore& open, ProvenanceReader& provenance);

// The samples drawn, each with its caption below; "" if they are no pictures.
[[nodiscard]] std::string pictures_text(const Array& samples, const std::vector<std::string>& captions, Drawing drawing,
                                        std::optional<int> width);

[[nodiscard]] std::string wrong_text(const WrongAnswers& wrong, Drawing drawing, std::optional<int> width);
[[nodiscard]] Json wrong_json(const WrongAnswers& wrong);

}  // namespace satdl
