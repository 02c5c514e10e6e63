// Parsed YAML files (of a DAG, of datasets), kept in the store: yaml-cpp takes 25 us for a stage of a DAG, as long as all
// else that a run does with a stage that is up to date. What is kept is the document as it was parsed and no more, so that
// only the file's bytes and the parser decide it: parameters, stage libraries, variables and data may change as they like,
// and every value has its place for later errors.
//
//   documents/<half of the SHA-256 of the file's absolute path>:
//       32 bytes: SHA-256 of the program's build ID, the file's text, and what follows
//       the document, as yaml/document_bytes.h has it
//
// Disposable: any other text, another build of satdl or one wrong bit gives another digest, and the file is parsed. So it is
// written without care, over the old one. Whoever can write it decides what runs: a file that another user may write is not
// read.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "pipeline/core/config_value.h"

namespace satdl {

class RememberedDocuments {
public:
    // `store`: its folder, which need not exist yet; nullopt to remember nothing.
    explicit RememberedDocuments(std::optional<std::filesystem::path> store) : store_(std::move(store)) {}

    // What parse_yaml_file() returns or throws.
    [[nodiscard]] ConfigValue read(const std::filesystem::path& file);

    // Keeps what had to be parsed. Precondition: the store's folder exists. Failures only cost time later.
    void remember();

private:
    struct Parsed {
        std::filesystem::path memory;
        std::shared_ptr<const SourceText> source;
        ConfigValue document;
    };

    const std::optional<std::filesystem::path> store_;
    std::vector<Parsed> parsed_;
};

}  // namespace satdl
